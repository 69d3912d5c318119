"""How good each learner is with so many labels, by the model that validation chooses of it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from concept_transfer.cell import Cell
from concept_transfer.comparison.advice import offered
from concept_transfer.comparison.comparisons import seen_before
from concept_transfer.comparison.schema import LABELLED
from concept_transfer.evaluation.metrics import TESTED
from concept_transfer.evaluation.results import CellResult, Results
from concept_transfer.study import Study


def learner_rows(study: Study, results: Results) -> list[dict[str, Any]]:
    """One row a source, target, target size ("0" first) and learner: the model that stands for it.

    Learners are the classifiers, and every strategy that combines them. Of a classifier's models
    that use labels of this size, mean validation AUROC chooses (`seen_before`), so test encounters
    choose nothing; of those that use none, the AUROC at their source. Models without label and
    source have been seen nowhere: they have rows of their own, and the first of the config stands
    for each strategy. ``chosen_of``: among how many models was chosen.
    """
    rows: list[dict[str, Any]] = []
    for source, target in study.directions():
        for size in ("0", *map(str, study.target_sizes)):
            able = [
                cell for cell in offered(study, results, source, target, size) if cell.size == size
            ]
            place = {"source": source, "target": target, "size": size}
            rows += [
                place | _row(results[cell], number)
                for group in _groups(study, able)
                for cell, number in _standing(group, results)
            ]
    return rows


def _groups(study: Study, cells: Sequence[Cell]) -> Iterator[list[Cell]]:
    """The cells of each learner, in the order of the config."""
    for name in study.classifiers:
        own = [cell for cell in cells if cell.classifier == name]
        yield [cell for cell in own if cell.source or cell.size != "0"]
        unseen = [cell for cell in own if not cell.source and cell.size == "0"]
        for strategy in dict.fromkeys(cell.strategy for cell in unseen):
            yield [cell for cell in unseen if cell.strategy == strategy][:1]
    for name in study.combining_strategies():
        yield [cell for cell in cells if cell.strategy == name]


def _standing(cells: Sequence[Cell], results: Results) -> Iterator[tuple[Cell, int]]:
    """The cell of a group that could be chosen, if there is one, and among how many."""
    if len(cells) == 1:
        yield cells[0], 1
        return
    known = {cell: value for cell in cells if math.isfinite(value := seen_before(results[cell]))}
    if known:
        yield max(known, key=lambda cell: known[cell]), len(known)


def _row(result: CellResult, number: int) -> dict[str, Any]:
    estimate: Mapping[str, Any] = result.estimates[TESTED]
    return {
        **{name: getattr(result.cell, name) for name in LABELLED},
        "auroc": result.estimate(),
        "auroc_lower": float(estimate["lower"]),
        "auroc_upper": float(estimate["upper"]),
        "chosen_of": number,
        "flag": estimate["flag"],
    }
