"""The cells of a training job, each computed once."""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from concept_transfer.cell import Cell, split_pair
from concept_transfer.job import made_from
from concept_transfer.models.bundle import CARD, is_current_bundle
from concept_transfer.progress import part, span
from concept_transfer.settings.training import Training
from concept_transfer.strategies import STRATEGIES
from concept_transfer.training.cells import run_cell
from concept_transfer.training.kept import keep_models
from concept_transfer.training.predictions import is_current
from concept_transfer.training.setup import Material, Setup
from concept_transfer.training.work import Work, Workbench

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Task:
    """One cell that a job computes, and its files.

    strategy, training: settings; bundle: where its fitted models are kept, or None.
    """

    cell: Cell
    strategy: dict[str, Any]
    training: dict[str, Any]
    predictions: Path
    bundle: Path | None
    origin: str


def tasks_of(
    pair: str,
    embedding: str,
    classifier: str,
    strategies: Mapping[str, Mapping[str, Any]],
    predictions: Iterable[str],
    cards: Iterable[str],
    parameters: Sequence[object],
    inputs: Sequence[str],
) -> Iterator[Task]:
    """The cells of a classifier in a job.

    strategies: name -> ``strategy`` and ``training`` (settings), ``code`` (its digest), ``sizes``,
    and the sizes ``kept`` as bundles; predictions, cards: the job's files, which end on
    ``<classifier>/<strategy>/<size>/block<k>.parquet`` and ``.../block<k>/card.json``; parameters
    and inputs: all that the cells depend on besides their strategy.
    """
    source, target = split_pair(pair)
    files = {path.parts[-4:-1]: path for path in map(Path, predictions)}
    bundles = {path.parts[-5:-2]: path.parent for path in map(Path, cards)}
    for name, settings in strategies.items():
        of_strategy = [settings[key] for key in ("strategy", "training", "code")]
        origin = made_from([*of_strategy, *parameters], inputs)
        for size in settings["sizes"]:
            cell = Cell(source, target, embedding, classifier, name, size)
            key = (classifier, name, size)
            bundle = bundles[key] if size in settings["kept"] else None
            yield Task(cell, settings["strategy"], settings["training"], files[key], bundle, origin)


def run_tasks(
    tasks: Sequence[Task],
    setup: Setup,
    bench: Workbench,
    material: Material,
    same_training: Mapping[str, Any],
) -> None:
    """Compute and write every cell whose files are not current.

    same_training: the settings with which the `same` models were trained.
    """
    for task in tasks:
        cell = task.cell
        what = f"{cell.classifier}, {cell.strategy}, target size {cell.size}"
        if is_current(task.predictions, task.origin) and (
            task.bundle is None or is_current_bundle(task.bundle, task.origin)
        ):
            _log.info(f"{what}: kept, nothing it depends on has changed")
            _touch(task)
            continue
        begin = time.monotonic()
        work = Work(
            STRATEGIES[task.strategy["kind"]].settings.model_validate(task.strategy),
            cell.size,
            Training.model_validate(task.training),
            material.target,
            material.source,
            material.handed_on,
            material.same if task.training == same_training else None,
        )
        with part(what):
            predictions, fitted = run_cell(bench, work)
            predictions.write(task.predictions, cell, task.origin)
            if task.bundle is not None:
                keep_models(
                    task.bundle,
                    setup,
                    bench,
                    work,
                    fitted,
                    predictions,
                    source=cell.source,
                    strategy={"name": cell.strategy, **task.strategy},
                    made_from=task.origin,
                )
        said = described(predictions.records, len(setup.classes))
        _log.info(f"{what}: computed, {said}, {time.monotonic() - begin:.1f} s")


def _touch(task: Task) -> None:
    task.predictions.touch()
    if task.bundle is not None:
        (task.bundle / CARD).touch()


def described(records: Sequence[dict[str, Any]], classes: int) -> str:
    """What became of a cell's replicates (and folds), for the log."""
    counts = Counter(record["status"] for record in records)
    train, positives = ([record[key] for record in records] for key in ("train", "positives"))
    words = "positive" if classes == 2 else "of the rarest class"
    chosen: dict[str, list[float]] = {}
    for record in records:
        for name, value in record.get("settings", {}).items():
            chosen.setdefault(name, []).append(value)
    return (
        f"{', '.join(f'{count} {status}' for status, count in counts.items())}, with labels of "
        f"{span(train)} encounters ({span(positives)} {words})"
        + "".join(f", {name} {span(values, 'g')}" for name, values in chosen.items())
    )
