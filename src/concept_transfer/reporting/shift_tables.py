"""Tables on how different the sites are, and what that costs."""

from __future__ import annotations

import pandas as pd

from concept_transfer.reporting.columns import Column, intervals
from concept_transfer.reporting.formats import Table
from concept_transfer.reporting.rows import direction_label, level, model_labels
from concept_transfer.reporting.suppression import not_alone
from concept_transfer.study import Study

BOUNDS = ["estimate", "lower", "upper"]
FINDINGS_A_PAIR = 20
OF_LABELS = ("js_positive", "js_negative")
PAIR_MEASURES = {
    "prevalence_difference": "Prevalence, target − source",
    "recording_difference_mean": "Recording rate, target − source",
    "js_sum": "Findings",
    "js_recording_sum": "Recording",
    "js_positive_sum": "Findings of positives",
    "js_negative_sum": "Findings of negatives",
    "kl_target_source_sum": "KL(target ‖ source)",
    "classifier_auroc": "Sites told apart, AUROC",
}
SITE_DISTANCES = {
    "js_sum": "Findings",
    "js_recording_sum": "Recording",
    "js_positive_sum": "Findings of positives",
    "js_negative_sum": "Findings of negatives",
    "kl_target_source_sum": "KL(target ‖ source)",
    "classifier_auroc": "Sites told apart, AUROC",
}
RATIO = {"mmd2_ratio": "MMD² in the embedding / its spread by chance"}
DISTANCES = {**SITE_DISTANCES, "mmd2": "MMD² in the embedding"}


def shift_table(shift: pd.DataFrame, study: Study) -> Table:
    """One row a direction of the study, as far as known: the distances between its sites."""
    pairs = study.measured_pairs()
    tidy = _of_pairs(shift, pairs)
    tidy = tidy[tidy["measure"].isin(PAIR_MEASURES)]
    raw = pd.DataFrame(pairs, columns=["source", "target"])
    columns = [Column("Direction", "name", [direction_label(*pair) for pair in pairs])]
    for measure, words in PAIR_MEASURES.items():
        distances = raw[["source", "target"]].merge(
            tidy.loc[tidy["measure"] == measure, ["source", "target", *BOUNDS]], how="left"
        )
        names = [measure, f"{measure}_lower", f"{measure}_upper"]
        raw[names] = distances[BOUNDS].to_numpy()
        values = intervals(raw, names, unknown="")
        columns.append(Column(f"{words} [{level(study)} CI]", "interval", values))
    return Table(
        stem="shift",
        section="site shift",
        title="Distances between sites",
        caption="Findings, Recording and KL are sums over the concepts that any site records, in "
        "bits, corrected for what chance alone shows between two samples of one site. Findings: "
        "Jensen-Shannon divergence of what is written about each "
        "concept, not written included. Recording: the same for whether anything is written at "
        "all; where it is as large as Findings, the sites differ in their habits of recording. "
        "The last column is the AUROC of a logistic regression that guesses an encounter's site "
        "from its findings: 0.5 if the sites look alike, 1 if every encounter betrays its site."
        f"{_positives(study)}",
        raw=raw,
        columns=columns,
    )


def _positives(study: Study) -> str:
    """Who counts as positive where there are more than two classes."""
    if not study.task.many_classes:
        return ""
    first = study.task.class_names[0]
    return f" Positives are the encounters of any class but the first ({first}), as in prevalence."


def finding_table(findings: pd.DataFrame, study: Study) -> Table:
    """The findings that differ most between each two sites."""
    ranked = differing_findings(findings, study)
    raw = pd.concat(
        concepts.head(FINDINGS_A_PAIR)
        for _, concepts in ranked.groupby(["source", "target"], sort=False)
    ).reset_index(drop=True)
    divergence = intervals(raw, ("js", "js_lower", "js_upper"))
    columns = [
        Column("Sites", "name", [f"{a}, {b}" for a, b in raw[["source", "target"]].to_numpy()]),
        Column("Concept", "name", raw["name"]),
        Column("Category", "name", raw["category"]),
        Column("Recorded, first site", "number", raw["source_recorded"]),
        Column("Recorded, second site", "number", raw["target_recorded"]),
        Column(f"Divergence, bits [{level(study)} CI]", "interval", divergence),
        Column("of recording", "number", raw["js_recording"]),
        Column("of positives", "number", raw["js_positive"]),
        Column("of negatives", "number", raw["js_negative"]),
    ]
    return Table(
        stem="shift_findings",
        section="site shift",
        title="Findings that differ most",
        caption=f"The {FINDINGS_A_PAIR} concepts with the largest Jensen-Shannon divergence "
        "between each two sites, with the share of encounters in which anything is recorded about "
        "them. Concepts are left out that either site records, fails to record, or records in one "
        f"of their states in fewer than {study.evaluation.small_cells} encounters, and the next "
        "rarest with them; divergences of positives and negatives, where so few of these are "
        f"behind them.{_positives(study)}",
        raw=raw,
        columns=columns,
    )


def differing_findings(findings: pd.DataFrame, study: Study) -> pd.DataFrame:
    """Concepts of each two sites of a direction, by falling divergence; small counts left out.

    Columns: source, target, concept, name, category, source_recorded, target_recorded, js,
    js_lower, js_upper, js_recording, js_positive, js_negative (missing where few encounters of a
    label are behind them).
    """
    pairs = unordered(study)
    keys = ["source", "target", "concept", "name", "category"]
    tidy = _of_pairs(findings, pairs)
    shown = ["js", "js_recording", *OF_LABELS]
    wide = tidy.pivot(index=keys, columns="measure", values="estimate").reindex(columns=shown)
    rates = tidy[tidy["measure"] == "recording_difference"].set_index(keys)
    bounds = tidy[tidy["measure"] == "js"].set_index(keys)
    frame = pd.DataFrame(
        {
            "source_recorded": rates["source_value"],
            "target_recorded": rates["target_value"],
            **{name: wide[name] for name in shown},
            "js_lower": bounds["lower"],
            "js_upper": bounds["upper"],
        }
    ).reset_index()
    threshold = study.evaluation.small_cells
    of_label = _rests_on_few(findings, frame, "fewest_of_label", threshold)
    frame[list(OF_LABELS)] = frame[list(OF_LABELS)].mask(of_label)
    frame = frame[~_rests_on_few(findings, frame, "fewest", threshold)]
    frame = frame.sort_values("js", ascending=False, kind="stable")
    order = {pair: place for place, pair in enumerate(pairs)}
    rank = [order[pair] for pair in zip(frame["source"], frame["target"], strict=True)]
    return frame.assign(rank=rank).sort_values("rank", kind="stable").drop(columns="rank")


def _rests_on_few(
    findings: pd.DataFrame, frame: pd.DataFrame, fewest: str, threshold: int
) -> pd.Series:
    """Rows (source, target, concept) that a small count of either site is behind.

    Sums over all concepts are published too, so a site never hides a concept alone.
    """
    few: set[tuple[str, str]] = set()
    for site, concepts in findings.drop_duplicates(["source", "concept"]).groupby("source"):
        sizes = concepts.set_index("concept")[f"source_{fewest}"]
        hidden = not_alone(sizes < threshold, sizes)
        few |= {(str(site), concept) for concept in hidden.index[hidden]}
    sides = [
        [key in few for key in zip(frame[side], frame["concept"], strict=True)]
        for side in ("source", "target")
    ]
    return pd.Series([a or b for a, b in zip(*sides, strict=True)], index=frame.index, dtype=bool)


def loss_table(loss: pd.DataFrame, study: Study) -> Table:
    """What each source model loses on the target, beside the distances."""
    lost = intervals(loss, ("loss", "lower", "upper"), loss.get("suppressed"))
    distances = {**SITE_DISTANCES, **RATIO}
    pairs = [direction_label(*pair) for pair in loss[["source", "target"]].to_numpy()]
    columns = [
        Column("Direction", "name", pairs),
        Column("Model", "name", model_labels(loss, study)),
        Column(f"AUROC lost [{level(study)} CI]", "interval", lost),
        *(Column(words, "number", loss[name]) for name, words in distances.items()),
        Column("Source model is", "verdict", loss["verdict"]),
    ]
    return Table(
        stem="shift_loss",
        section="site shift",
        title="Distance and loss",
        caption="AUROC lost: AUROC of a model trained on all labels of the target less that of the "
        "source model used unchanged, paired on the same encounters; below 0 the source model is "
        "the better one. The verdict is Holm-corrected within its family of comparisons. MMD² "
        "(unbiased, Gaussian kernel) is measured where the model sees the encounters: in the means "
        "of their concepts' vectors. Every embedding has a kernel bandwidth of its own, so MMD² "
        "itself (column mmd2 of the file) compares directions in one embedding, not embeddings. "
        "Shown is MMD² over its standard deviation when chance deals the same clusters to the two "
        "sites: it says how clearly an embedding tells the two sites apart, and "
        "compares embeddings in one direction. It grows with the number of encounters, so "
        "directions between sites of other size do not compare.",
        raw=loss.drop(columns="suppressed", errors="ignore"),
        columns=columns,
    )


def correlation_table(correlations: pd.DataFrame, study: Study) -> Table:
    """Rank correlation of loss and distance over the directions of the study."""
    measures = [DISTANCES.get(measure, measure) for measure in correlations["measure"]]
    columns = [
        Column("Model", "name", model_labels(correlations, study)),
        Column("Distance", "name", measures),
        Column("Directions", "number", correlations["pairs"]),
        Column("Spearman correlation with AUROC lost", "number", correlations["spearman"], 2),
        Column("p (sites permuted)", "p", correlations["p"]),
    ]
    return Table(
        stem="shift_correlations",
        section="site shift",
        title="Does distance foretell loss?",
        caption="Rank correlation over the directions of the study; 1: the farther, the more is "
        "lost. Directions share sites, so the test permutes the sites (two-sided; the smallest p "
        "that three sites can give is 0.167, four 0.042, five 0.008), and p is not corrected for "
        "the number of rows. Empty where not all directions between the sites were studied.",
        raw=correlations,
        columns=columns,
    )


def unordered(study: Study) -> list[tuple[str, str]]:
    """The study's pairs whose distance is known, each two sites once."""
    kept: list[tuple[str, str]] = []
    for source, target in study.measured_pairs():
        if (target, source) not in kept:
            kept.append((source, target))
    return kept


def _of_pairs(frame: pd.DataFrame, pairs: list[tuple[str, str]]) -> pd.DataFrame:
    chosen = pd.DataFrame(pairs, columns=["source", "target"])
    return chosen.merge(frame, on=["source", "target"], how="inner")
