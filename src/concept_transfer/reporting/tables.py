"""The tables of the report. Small counts of patients are suppressed in the CSV files too."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pandas as pd

from concept_transfer.reporting.answers import answered
from concept_transfer.reporting.calibration_tables import (
    calibration_table,
    subgroup_table,
    usefulness_table,
)
from concept_transfer.reporting.classes import MACRO, class_table
from concept_transfer.reporting.columns import NOT_ESTIMABLE, Column, intervals
from concept_transfer.reporting.combinations import combination_table
from concept_transfer.reporting.evidence import Evidence
from concept_transfer.reporting.formats import Table
from concept_transfer.reporting.generic_table import generic_table
from concept_transfer.reporting.known_events import known_events_table
from concept_transfer.reporting.looks import group_of, model_label
from concept_transfer.reporting.mapping_tables import mapping_tables
from concept_transfer.reporting.rows import (
    KEYS,
    arrange,
    bounds_of,
    cell_columns,
    direction_label,
    family_order,
    records,
    suppressed_in,
    widened,
)
from concept_transfer.reporting.sides import side_words
from concept_transfer.reporting.site_table import site_table
from concept_transfer.reporting.words import count, listing
from concept_transfer.study import Study

BOUNDS = ("lower", "upper")
OF_TWO = {"auroc": "AUROC", "auprc": "AUPRC", "brier": "Brier"}
OF_MANY = {
    "auroc": "Macro AUROC",
    "auprc": "Macro AUPRC",
    "log_loss": "Log loss",
    "brier": "Brier",
    "accuracy": "Accuracy",
    "macro_f1": "Macro F1",
}
MEANING_OF_TWO = "A model without skill has AUROC 0.5 and the AUPRC of the column beside it."
MEANING_OF_MANY = (
    "Macro means are those over classes, each told from all others; a model without skill has "
    "macro AUROC 0.5 and the macro AUPRC of the column beside it. Brier is the sum over classes, "
    "between 0 and 2. Accuracy and F1 are those of the most probable class."
)


def study_tables(evidence: Evidence) -> Iterator[Table]:
    """Every table that the evidence allows, in the order of the report."""
    study = evidence.study
    yield cell_table(evidence.estimates, study, evidence.many_classes)
    for table in (
        class_table(evidence.class_estimates, study),
        usefulness_table(
            evidence.class_estimates if evidence.many_classes else evidence.estimates, study
        ),
        None if evidence.many_classes else calibration_table(evidence.estimates, study),
        subgroup_table(evidence.subgroups, study),
        combination_table(evidence.combinations, study),
        known_events_table(evidence.estimates),
    ):
        if table is not None:
            yield table
    if not evidence.comparisons.empty:
        yield comparison_table(evidence.comparisons, study)
    if evidence.reports:
        yield site_table(evidence.reports, study)
        yield from mapping_tables(evidence.reports, study)
    yield embedding_table(evidence.cards, study)
    for answer in answered(study, evidence.answers):
        if answer.rows:
            yield generic_table(
                f"answer_{answer.name}",
                "answers",
                answer.question,
                answer.short,
                pd.DataFrame(answer.rows),
                study,
            )


def cell_table(estimates: pd.DataFrame, study: Study, many_classes: bool = False) -> Table:
    """The study in one table: a row a cell, in the order of the config.

    ``estimates``: those on all classes together; ``many_classes``: there are more than two.
    """
    tidy = arrange(estimates, study)
    headlines = OF_MANY if many_classes else OF_TWO
    raw = _cell_numbers(tidy, [name for name in headlines if name in set(tidy["metric"])])
    level = f"{100 * study.evaluation.confidence:g}% CI"

    def estimates_of(metric: str) -> Column:
        suppressed = suppressed_in(tidy, raw, KEYS, metric)
        values = intervals(raw, bounds_of(metric), suppressed)
        return Column(f"{headlines[metric]} [{level}]", "interval", values)

    numbers = {metric: estimates_of(metric) for metric in headlines if metric in raw}
    beside = {
        "auroc": Column("Replicate SD", "number", raw["auroc_replicate_sd"]),
        "auprc": Column("No-skill AUPRC", "number", raw["auprc_no_skill"]),
    }
    counts = ("Encounters", "encounters") if many_classes else ("Positives", "positives")
    return Table(
        stem="cells",
        section="intervals",
        title="All models",
        caption="Performance on the test encounters of each target. Estimates are means over "
        "replicates; brackets hold intervals over resampled clusters and replicates; the replicate "
        "SD is the spread of AUROC between training runs alone. "
        f"{MEANING_OF_MANY if many_classes else MEANING_OF_TWO} "
        "Labels counts the labelled encounters of the target that a "
        "model could use; strategies without labels use none.",
        raw=raw,
        columns=[
            *cell_columns(raw, study),
            *(
                column
                for metric, estimate in numbers.items()
                for column in (estimate, beside.get(metric))
                if column is not None
            ),
            Column(counts[0], "number", raw[counts[1]]),
            Column("Note", "name", _notes(raw)),
        ],
    )


def _cell_numbers(tidy: pd.DataFrame, metrics: list[str]) -> pd.DataFrame:
    """One row a cell: its estimates with their bounds, its counts and what became of its models."""
    shared = ["encounters", "positives", "replicates", "not_estimable", "diverged", "flag"]
    wide = tidy.loc[tidy["metric"] == "auroc", [*KEYS, "replicate_sd", *shared]]
    wide = wide.merge(widened(tidy, KEYS, metrics), on=KEYS, how="left")
    chance = tidy.loc[tidy["metric"] == "auprc", [*KEYS, "no_skill"]]
    wide = wide.merge(chance, on=KEYS, how="left")
    return wide.rename(columns={"replicate_sd": "auroc_replicate_sd", "no_skill": "auprc_no_skill"})


def _notes(raw: pd.DataFrame) -> list[str]:
    """The flag of every cell, and how many of its replicates failed."""
    failures = raw[["not_estimable", "diverged"]].fillna(0).to_numpy(int)
    notes = []
    for flag, numbers in zip(raw["flag"], failures, strict=True):
        failed = [
            f"{count(number, 'replicate')} {words}"
            for number, words in zip(numbers, (NOT_ESTIMABLE, "diverged"), strict=True)
            if number
        ]
        notes.append("; ".join(filter(None, (flag, *failed))))
    return notes


def comparison_table(comparisons: pd.DataFrame, study: Study) -> Table:
    """The paired comparisons: AUROC tested, the differences in the other metrics beside it."""
    keys = ["family", "target", "source", "embedding", "classifier", "strategy", "size", "a", "b"]
    auroc = comparisons[comparisons["metric"] == "auroc"].drop(columns="metric")
    others = comparisons[comparisons["metric"] != "auroc"].pivot_table(
        index=keys, columns="metric", values="difference", sort=False
    )
    others.columns = [f"{metric}_difference" for metric in others.columns]
    raw = auroc.merge(others.reset_index(), on=keys, how="left")
    place = {family: index for index, family in enumerate(family_order(comparisons))}
    raw = raw.sort_values("family", key=lambda name: name.map(place), kind="stable")
    raw = raw.reset_index(drop=True)
    suppressed = raw.pop("suppressed") if "suppressed" in raw else None
    sides = [raw.pop(name) for name in ("a_cells", "b_cells")]
    level = f"{100 * study.evaluation.confidence:g}% CI"
    judged = raw.assign(
        lower=raw["lower_holm"].fillna(raw["lower"]), upper=raw["upper_holm"].fillna(raw["upper"])
    )
    directions = [direction_label(*pair) for pair in raw[["source", "target"]].to_numpy()]
    columns = [
        Column("Family", "name", raw["family"]),
        Column("A", "name", [side_words(study, a, b) for a, b in zip(*sides, strict=True)]),
        Column("B", "name", [side_words(study, b, a) for a, b in zip(*sides, strict=True)]),
        Column("Both with", "name", [_shared(row, study) for row in records(raw)]),
        Column("Direction", "name", directions),
        Column("Labels", "labels", raw["size"].replace("", "–")),
        Column(
            f"A − B, AUROC [{level}]",
            "interval",
            intervals(judged, ("difference", *BOUNDS), suppressed),
        ),
        Column("p (adjusted)", "p", raw["p_holm"]),
        Column("A is", "verdict", raw["verdict"]),
    ]
    return Table(
        "comparisons",
        "comparisons",
        "Paired comparisons",
        "Both models were evaluated on the same test encounters and replicates. P-values are "
        "adjusted by Holm's method within each family, and intervals have the level at which it "
        "judged them: they leave out 0 just where A is 'better' or 'worse'. Differences from the "
        "shuffled control are tested by permutation, where the study declares the cell, and have "
        "intervals of their own, unadjusted. Underpowered comparisons were not tested. The CSV "
        f"file also holds the unadjusted intervals.{MACRO if study.task.many_classes else ''}",
        raw,
        columns,
    )


def _shared(comparison: dict[str, Any], study: Study) -> str:
    """What both sides of a comparison have in common: model, strategy, or neither."""
    embedding = comparison["embedding"]
    model = embedding and model_label(study, embedding, comparison["classifier"])
    return ", ".join(filter(None, (model, comparison["strategy"]))) or "–"


def _tables_each_site(study: Study) -> str:
    """Of which embeddings one table stands for several."""
    own = [name for name in study.embeddings if study.has_table_each_site(name)]
    if not own:
        return ""
    source = study.ordered_pairs()[0][0]
    several = "has" if len(own) == 1 else "have"
    return (
        f" {listing(own)} {several} a table each site, which its own encounters taught; shown, "
        f"here and where embeddings are described, is that of {source}."
    )


def embedding_table(cards: Mapping[str, Mapping[str, Any]], study: Study) -> Table:
    """The embeddings of the study with their width and the lengths of their rows."""
    rows = []
    for name, embedding in study.embeddings.items():
        card = cards.get(name, {})
        norms = card.get("norms", {})
        rows.append(
            {
                "embedding": name,
                "role": group_of(study, name),
                "provider": embedding.provider,
                "model": card.get("model") or "",
                "revision": card.get("revision") or "",
                "scale": str(card.get("scale", "")),
                "width": card.get("width"),
                **{f"norm_{key}": norms.get(key) for key in ("min", "median", "max")},
            }
        )
    raw = pd.DataFrame(rows)
    norms = intervals(raw, ("norm_median", "norm_min", "norm_max"), unknown="")
    columns = [
        Column("Embedding", "name", raw["embedding"]),
        Column("Role", "name", raw["role"]),
        Column("Provider", "name", raw["provider"]),
        Column("Model", "name", raw["model"]),
        Column("Scale", "name", raw["scale"]),
        Column("Width", "number", raw["width"].astype("Int64")),
        Column("Row norm, median [range]", "interval", norms, digits=2),
    ]
    return Table(
        stem="embeddings",
        section="data",
        title="Embeddings",
        caption="Row norms matter: the same learning rate moves long vectors faster than short "
        "ones, so embeddings are comparable only at a common scale (`training.norm` sets one)."
        + _tables_each_site(study),
        raw=raw,
        columns=columns,
    )
