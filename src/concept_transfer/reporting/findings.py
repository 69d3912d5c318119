"""What the report says first: the best models, and the study's questions with their answers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pandas as pd

from concept_transfer.cell import ALL_SITES
from concept_transfer.reporting.answers import Answer, answered, extraction
from concept_transfer.reporting.classes import MACRO
from concept_transfer.reporting.columns import Column, interval
from concept_transfer.reporting.evidence import Evidence
from concept_transfer.reporting.formats import Table
from concept_transfer.reporting.interconnections import answers as answers_on_codes
from concept_transfer.reporting.looks import model_label
from concept_transfer.reporting.rows import (
    arrange,
    direction_label,
    directions,
    highest,
    in_direction,
    level,
    records,
    size_label,
)
from concept_transfer.reporting.words import listing
from concept_transfer.study import Study

WORSE = "worse"


@dataclass(frozen=True)
class Lead:
    """The report's first lines, the question that they answer ("" if none), and its rest."""

    lines: list[str]
    question: str = ""
    rest: str = ""


def lead(evidence: Evidence) -> Lead:
    """The report's first sentences: that a simple model wins, if it does, else what is best."""
    best = best_models(evidence)
    simple = _simple(evidence)
    if simple is None or not simple_model_wins(evidence):
        return Lead(best)
    return Lead([simple.short, *best], simple.question, simple.rest)


def findings(evidence: Evidence) -> list[Answer]:
    """The questions of the study and their answers, without the one that already leads."""
    leading = lead(evidence).question
    connected = answers_on_codes(evidence.connected, evidence.study) if evidence.connected else []
    answers = [*connected, *answered(evidence.study, evidence.answers), *_of_notes(evidence)]
    return [a for a in answers if a.question != leading]


def _of_notes(evidence: Evidence) -> list[Answer]:
    """What it costs to read findings from notes, where that is known."""
    analysis = evidence.analysis
    if analysis is None or analysis.extraction.empty:
        return []
    rows = extraction.rows(analysis.extraction_cost, evidence.study)
    sentences = extraction.sentences(analysis.extraction, rows)
    return [Answer(extraction.NAME, extraction.QUESTION, sentences, rows)]


def simple_model_wins(evidence: Evidence) -> bool:
    """Whether the network is significantly worse than a simple model in any mean comparison."""
    simple = _simple(evidence)
    return simple is not None and any(row["verdict"] == WORSE for row in simple.rows)


def _simple(evidence: Evidence) -> Answer | None:
    asked = [answer for answer in evidence.answers if answer["name"] == "simple"]
    return next(iter(answered(evidence.study, asked)), None)


def best_models(evidence: Evidence) -> list[str]:
    """Which models had the highest AUROC, with intervals, direction by direction or in sum."""
    bests = _bests(evidence)
    if bests.empty:
        return [
            "No model could be ranked: every target has too few test encounters "
            f"{'of a class' if evidence.many_classes else 'with or without the outcome'} for a "
            "conclusion."
        ]
    if len(bests) > 2:
        groups = bests["group"].value_counts()
        shares = [
            f"{words} in {groups[group]}"
            for group, words in (
                ("pretrained", "a pretrained embedding"),
                ("control", "a control without meaning"),
                ("simple model", "a simple model"),
                ("combination", "a combination of all models"),
            )
            if group in groups
        ]
        low, high = bests["estimate"].min(), bests["estimate"].max()
        left_out = len(directions(evidence.study, evidence.estimates)) - len(bests)
        others = f" ({left_out} more have too few test encounters)" if left_out else ""
        return [
            f"Found in hindsight, and so optimistic: over {len(bests)} directions{others} the "
            f"highest AUROC of a transferred model lies between {low:.3f} and {high:.3f}; it "
            f"belongs to {listing(shares)} of them."
        ]
    return [
        *(_best_sentence(evidence, best) for best in records(bests)),
        "These are the highest of many, found in hindsight and so optimistic; what validation "
        f"would have chosen is told below. Brackets hold {level(evidence.study)} intervals.",
    ]


def _best_sentence(evidence: Evidence, best: dict[str, Any]) -> str:
    cells = _eligible(evidence, best["from"], best["target"])
    others = []
    transferred = cells[cells["source"] != ""]
    for group, words in (("simple model", "simple model"), ("control", "control without meaning")):
        rivals = transferred[transferred["group"] == group]
        if group != best["group"] and not rivals.empty:
            others.append(f"the best {words} {_bounds(highest(rivals))}")
    alone, unlabelled = _without_source(cells, evidence.study)
    if not alone.empty:
        others.append(f"the best model of {best['target']} alone {_bounds(highest(alone))}")
    if not unlabelled.empty:
        others.append(f"the best model without any label {_bounds(highest(unlabelled))}")
    against = f"; {listing(others)}" if others else ""
    return (
        f"{direction_label(best['from'], best['target'])}: "
        f"{model_words(best, evidence.study)} has the highest AUROC of the transferred models, "
        f"{_bounds(best)}{against}."
    )


def _without_source(cells: pd.DataFrame, study: Study) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The cells that learned from target labels alone, and those that used no label anywhere."""
    alone = cells[cells["source"] == ""]
    labelled = alone["strategy"].map(lambda name: study.strategy(name).uses_labels).astype(bool)
    return alone[labelled], alone[~labelled]


def _bounds(cell: Any) -> str:
    return interval(cell["estimate"], cell["lower"], cell["upper"])


def glance(evidence: Evidence) -> Table:
    """One row a direction: the best model of any kind, the best simple one, the best local one."""
    study = evidence.study
    rows: list[dict[str, Any]] = []
    for source, target in directions(study, evidence.estimates):
        cells = _eligible(evidence, source, target)
        transferred = cells[cells["source"] != ""]
        alone, unlabelled = _without_source(cells, study)
        row: dict[str, Any] = {"source": source, "target": target}
        for name, chosen in (
            ("best", transferred),
            ("best_simple", transferred[transferred["group"] == "simple model"]),
            ("best_control", transferred[transferred["group"] == "control"]),
            ("best_target_only", alone),
            ("best_without_labels", unlabelled),
        ):
            if chosen.empty:
                continue
            top = highest(chosen)
            row |= {
                name: top["estimate"],
                f"{name}_lower": top["lower"],
                f"{name}_upper": top["upper"],
                f"{name}_model": model_words(top, study),
            }
        rows.append(row)
    raw = pd.DataFrame(rows)
    pairs = [direction_label(*pair) for pair in raw[["source", "target"]].to_numpy()]
    columns = [Column("Direction", "name", pairs)]
    for name, words in (
        ("best", "Highest AUROC of a transferred model"),
        ("best_simple", "Best transferred simple model"),
        ("best_control", "Best transferred control without meaning"),
        ("best_target_only", "Best with target data only"),
        ("best_without_labels", "Best without any label"),
    ):
        if name in raw:
            best = raw[[f"{name}_model", name, f"{name}_lower", f"{name}_upper"]].to_numpy()
            texts = [
                f"{interval(*bounds)}, {model}" if isinstance(model, str) else _missing(source)
                for source, (model, *bounds) in zip(raw["source"], best, strict=True)
            ]
            columns.append(Column(words, "text", texts))
    return Table(
        "glance",
        "findings",
        "At a glance",
        "The highest AUROC of each direction, found in hindsight and therefore optimistic, beside "
        "the best simple model, the best control whose vectors carry no meaning and the best model "
        "that saw no other site. Whether two of them differ is a question for "
        f"the paired comparisons.{MACRO if evidence.many_classes else ''}",
        raw,
        columns,
    )


def _missing(source: str) -> str:
    """In place of a best model; all sites together have combinations alone."""
    return "–" if source == ALL_SITES else "too few encounters"


def model_words(cell: dict[str, Any], study: Study) -> str:
    """A cell without its sites: ``minilm, full, 50 labels``."""
    model = model_label(study, str(cell["embedding"]), str(cell["classifier"]))
    size = f", {size_label(str(cell['size']))}" if cell["size"] != "0" else ""
    return f"{model}, {cell['strategy']}{size}"


def _bests(evidence: Evidence) -> pd.DataFrame:
    """The transferred cell with the highest AUROC of every direction, flagged cells left out."""
    rows: list[dict[str, Any]] = []
    for source, target in directions(evidence.study, evidence.estimates):
        cells = _eligible(evidence, source, target)
        cells = cells[cells["source"] != ""]
        if not cells.empty:
            rows.append({**highest(cells), "from": source})
    return pd.DataFrame(rows)


def _eligible(evidence: Evidence, source: str, target: str) -> pd.DataFrame:
    estimates = evidence.estimates
    auroc = estimates[
        (estimates["metric"] == "auroc") & (estimates["flag"] == "") & estimates["estimate"].notna()
    ]
    return arrange(in_direction(auroc, source, target), evidence.study)
