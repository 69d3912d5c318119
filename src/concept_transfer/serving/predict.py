"""From a bundle and a file of encounters to a file of predictions."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from concept_transfer.serving.coding import Coder
from concept_transfer.serving.encounters import ENCOUNTER, Layout, Tally, read_encounters
from concept_transfer.serving.output import check_output, whole_file
from concept_transfer.serving.scoring import Scorer


@dataclass(frozen=True)
class Request:
    """encounters: the file, `layout` its layout and `encounter` its column of ids (None: see
    `read_encounters`); out: the file of predictions, which is replaced with `force`; replicates:
    whether it holds those of every replicate too."""

    encounters: Path
    out: Path
    encounter: str | None = None
    layout: Layout | None = None
    replicates: bool = False
    force: bool = False


def predict(scorer: Scorer, coder: Coder, request: Request) -> Tally:
    """Write the predictions of all encounters of a file; what was read of it.

    Columns: ``encounter``; ``probability`` of the outcome, the mean over the replicates' models;
    ``calibrated``, the same after each model's recalibration, where the card has that of each;
    ``replicate_<number>``, the very numbers of the study's predictions. Of more than two classes
    each has columns of its own, ``probability_<class>``. Numbers are float32. Raises StudyError,
    and leaves no file then.
    """
    check_output(request.out, request.force, request.encounters)
    tally = Tally()
    names = [name for name, _ in columns_of(scorer, scorer.nothing, request.replicates)]
    schema = pa.schema([(ENCOUNTER, pa.string()), *((name, pa.float32()) for name in names)])
    with whole_file(request.out, schema) as writer:
        for ids, findings in read_encounters(
            request.encounters, request.encounter, coder, tally, request.layout
        ):
            raw = scorer.probabilities(findings)
            columns = (column for _, column in columns_of(scorer, raw, request.replicates))
            writer.write_table(pa.Table.from_arrays([ids, *map(pa.array, columns)], schema=schema))
    return tally


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
