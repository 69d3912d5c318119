"""The rows of a cell whose outcome has more than two classes: of all together, then of each.

Each class is told from all others as one of two classes is. Left out is what would need risks that
are recalibrated class by class, because these would no longer sum to 1, and the Brier score's
parts.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from concept_transfer.evaluation.bootstrap import CellDraws
from concept_transfer.evaluation.cell_predictions import CellPredictions
from concept_transfer.evaluation.cell_rows import (
    Measured,
    at_source,
    at_validated_threshold,
    calibration_rows,
    coverage,
    flag_of,
    rows_of_values,
)
from concept_transfer.evaluation.metrics import (
    OF_ALL,
    OF_CLASS,
    metrics_of_all,
    no_skill,
    no_skill_of_all,
)
from concept_transfer.settings.evaluation import Evaluation


def measured_classes(
    cell: CellPredictions,
    classes: Sequence[str],
    draws: CellDraws,
    placement: np.ndarray,
    settings: Evaluation,
) -> list[Measured]:
    """All classes together, then each; ``draws`` by `weighted_metrics_of_classes` and
    ``placement`` [classes, n]."""
    counts = np.bincount(cell.labels, minlength=len(classes)).tolist()
    whole = Measured(
        name="",
        labels=cell.labels,
        metrics=OF_ALL,
        draws=draws.select(slice(0, len(OF_ALL))),
        chance=no_skill_of_all(cell.labels, len(classes), cell.fold),
        positives=min(counts),
        flag=flag_of_classes(dict(zip(classes, counts, strict=True)), settings.min_positives),
        placement=placement,
    )
    return [
        whole,
        *(_of_class(cell, k, n, draws, placement[k], settings) for k, n in enumerate(classes)),
    ]


def _of_class(
    cell: CellPredictions,
    number: int,
    name: str,
    draws: CellDraws,
    placement: np.ndarray,
    settings: Evaluation,
) -> Measured:
    labels = (cell.labels == number).astype(np.int8)
    positives = int(labels.sum())
    first = len(OF_ALL) + number * len(OF_CLASS)
    return Measured(
        name=name,
        labels=labels,
        metrics=OF_CLASS,
        draws=draws.select(slice(first, first + len(OF_CLASS))),
        chance=no_skill(labels, cell.fold),
        positives=positives,
        flag=flag_of(positives, len(labels), settings.min_positives),
        placement=placement,
    )


def flag_of_classes(counts: dict[str, int], least: int) -> str:
    """What keeps a cell out of the headlines: few test encounters of a class that is there.

    A class that is not there has no part in what is measured of all together.
    """
    rarest = min((name for name, count in counts.items() if count), key=lambda name: counts[name])
    return f"few of {rarest}" if counts[rarest] < least else ""


def replicate_rows_of_classes(
    cell: CellPredictions, measured: Sequence[Measured]
) -> list[dict[str, Any]]:
    """Test metrics of all classes together and of each, the latter also at thresholds from
    validation data; of all together the metrics on validation data, and on the source's."""
    rows = []
    of_class = [cell.of_class(number) for number in range(cell.classes)]
    for column, index in enumerate(np.flatnonzero(cell.estimable).tolist()):
        validation = cell.validation[index]
        for place, each in enumerate(measured):
            values = {
                "test": dict(
                    zip(each.metrics, each.draws.observed[:, column].tolist(), strict=True)
                )
            }
            if each.name:
                one = of_class[place - 1]
                values["test"] |= at_validated_threshold(
                    one, one.probability[index], one.validation[index]
                )
            else:
                if len(validation.labels):
                    values["validation"] = metrics_of_all(
                        validation.labels, validation.probability, validation.fold
                    )
                values["test"] |= coverage(cell, index)
                values |= at_source(cell, index)
            rows += rows_of_values(cell, index, each.name, values)
    return rows


def calibration_rows_of_classes(
    cell: CellPredictions, classes: Sequence[str]
) -> Iterator[dict[str, Any]]:
    """The bins of each class's curve."""
    for number, name in enumerate(classes):
        yield from calibration_rows(cell.of_class(number), name)
