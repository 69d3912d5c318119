"""From a bundle and encounters to a file of predictions."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from concept_transfer.inputs.history import History
from concept_transfer.inputs.rows import CompressedRows
from concept_transfer.serving.encounters import ENCOUNTER
from concept_transfer.serving.output import whole_file
from concept_transfer.serving.scoring import Scorer


def predict(
    scorer: Scorer,
    encounters: Iterable[tuple[pa.Array, CompressedRows | History]],
    out: Path,
    replicates: bool = False,
) -> None:
    """Write the predictions of all encounters: ids (strings [n]) and what was recorded of them (n
    rows), some at a time.

    Columns: ``encounter``; ``probability`` of the outcome, the mean over the replicates' models;
    ``calibrated``, the same after each model's recalibration, where the card has that of each; with
    `replicates` ``replicate_<number>``, the very numbers of the study's predictions. Of more than
    two classes each has columns of its own, ``probability_<class>``. Numbers are float32. Raises
    StudyError, and leaves no file then.
    """
    names = [name for name, _ in columns_of(scorer, scorer.nothing, replicates)]
    schema = pa.schema([(ENCOUNTER, pa.string()), *((name, pa.float32()) for name in names)])
    with whole_file(out, schema) as writer:
        for ids, recorded in encounters:
            raw = scorer.probabilities(recorded)
            columns = (column for _, column in columns_of(scorer, raw, replicates))
            writer.write_table(pa.Table.from_arrays([ids, *map(pa.array, columns)], schema=schema))


def columns_of(
    scorer: Scorer, raw: NDArray[np.float32], replicates: bool
) -> Iterator[tuple[str, NDArray[np.float32]]]:
    """Names and values [n] of the columns besides the ids; raw: [R, n, classes]."""
    yield from _of_classes(scorer, "probability", scorer.mean(raw))
    if (calibrated := scorer.calibrated(raw)) is not None:
        yield from _of_classes(scorer, "calibrated", calibrated)
    if replicates:
        for number, probability in zip(scorer.replicates, raw, strict=True):
            yield from _of_classes(scorer, f"replicate_{number}", probability)


def _of_classes(
    scorer: Scorer, name: str, probability: NDArray[np.float32]
) -> Iterator[tuple[str, NDArray[np.float32]]]:
    classes = scorer.bundle.card.classes
    if len(classes) == 2:
        yield name, probability[:, 1]
        return
    for number, class_name in enumerate(classes):
        yield f"{name}_{class_name}", probability[:, number]
