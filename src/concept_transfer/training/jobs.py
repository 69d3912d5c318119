"""What the training jobs share: learners at work, and cells that are computed once."""

from __future__ import annotations

import json
import logging
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from concept_transfer import __version__
from concept_transfer.cell import NO_EMBEDDING, Cell, split_pair
from concept_transfer.cohorts.budget import draw_from
from concept_transfer.concepts.study_vocabulary import study_vocabulary
from concept_transfer.concepts.vocabulary import Vocabulary
from concept_transfer.job import made_from
from concept_transfer.learners import LEARNERS
from concept_transfer.learners.learner import Context
from concept_transfer.models.bundle import (
    CARD,
    ModelCard,
    is_current_bundle,
    read_bundle,
    read_table,
    write_bundle,
)
from concept_transfer.progress import part, span
from concept_transfer.settings.training import Training
from concept_transfer.sites.site import Site
from concept_transfer.strategies import STRATEGIES
from concept_transfer.training.block import Block
from concept_transfer.training.cells import FoldFit, HandedOn, Work, Workbench, fit_fold, run_cell
from concept_transfer.training.performance import macro_auroc
from concept_transfer.training.predictions import Predictions, is_current

if TYPE_CHECKING:
    from concept_transfer.embeddings.table import EmbeddingTable

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Setup:
    """What the jobs of a learner are told besides their sites.

    study, label, classes: names for the card of a bundle; learner: its name and settings.
    """

    study: str
    label: str
    classes: list[str]
    learner: dict[str, Any]
    block: Block
    vocabulary: Vocabulary
    table: EmbeddingTable | None
    device: str
    threads: int

    @property
    def bench(self) -> Workbench:
        """The learner, ready for the replicates of the block."""
        record = LEARNERS[self.learner["kind"]]
        device = self.device
        if record.uses_torch:
            from concept_transfer.device import usable_device

            device = usable_device(device)
        vectors = self.block.vectors(self.table, self.vocabulary) if self.table else None
        context = Context(
            tuple(self.block.keys),
            len(self.vocabulary),
            len(self.classes),
            vectors,
            device,
            self.threads,
        )
        settings = record.settings.model_validate(self.learner)
        return Workbench(record.family, settings, context, self.block.replicates)

    def card(self, handed_on: HandedOn, site: Site, training: Training, **facts: Any) -> ModelCard:
        """The card of models trained at a site; `facts` are further fields of it."""
        read = LEARNERS[self.learner["kind"]].training
        return ModelCard(
            study=self.study,
            site=site.name,
            label=self.label,
            classes=self.classes,
            seed=self.block.seed,
            replicates=handed_on.records,
            learner=self.learner,
            training=training.model_dump(mode="json", include=set(read)),
            embedding=self.table.card.name if self.table else NO_EMBEDDING,
            vocabulary_digest=self.vocabulary.digest,
            encounters=len(site.labels),
            version=__version__,
            **facts,
        )

    def write(self, folder: Path, bench: Workbench, handed_on: HandedOn, card: ModelCard) -> None:
        """Write models and card as a bundle."""
        models = handed_on.models

        def write_models(folder: Path) -> None:
            if models is not None:
                bench.everyone().write(models, folder)

        write_bundle(folder, write_models, card, self.vocabulary, self.table)


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


def read_setup(inputs: Any, params: Any, device: str, threads: int) -> Setup:
    """From a rule's inputs (``vocabulary``, ``edges``, ``embedding``) and parameters (``study``,
    ``label``, ``learner``, ``seed``, ``replicates``, ``vocabulary``)."""
    vocabulary = study_vocabulary(inputs.vocabulary, params.vocabulary, inputs.edges)
    table = read_table(Path(inputs.embedding), vocabulary) if inputs.embedding else None
    label = json.loads(params.label)
    return Setup(
        params.study,
        label["label"],
        label["classes"],
        json.loads(params.learner),
        Block(params.seed, params.replicates),
        vocabulary,
        table,
        device,
        threads,
    )


def read_site_files(files: Sequence[str]) -> Site | None:
    """The site whose arrays come first and whose split comes last; None without files."""
    return Site.read(Path(files[0]).parent, Path(files[-1])) if files else None


def read_handed_on(files: Sequence[str], setup: Setup, bench: Workbench) -> HandedOn | None:
    """The source models of a bundle; None without files. Raises StudyError if they do not fit."""
    if not files:
        return None
    bundle = read_bundle(Path(files[0]).parent, setup.vocabulary, setup.table)
    return HandedOn(bench.everyone().read(bundle.folder), bundle.card.replicates)


def tasks_of(
    names: Mapping[str, str],
    strategies: str,
    predictions: Sequence[str],
    bundles: Sequence[str],
    parameters: Sequence[object],
    inputs: Sequence[str],
) -> Iterator[Task]:
    """The cells of a job.

    names: pair, embedding and classifier; strategies: JSON, name -> ``strategy`` and ``training``
    (settings), ``code`` (its digest), ``sizes``, and the sizes ``kept`` as bundles; predictions:
    files in the order of strategies and sizes; bundles: the cards of the kept cells, in the same
    order; parameters and inputs: all that the cells depend on besides their strategy.
    """
    source, target = split_pair(names["pair"])
    files, cards = iter(predictions), iter(bundles)
    for name, settings in json.loads(strategies).items():
        own = [settings[key] for key in ("strategy", "training", "code")]
        origin = made_from([*own, *parameters], inputs)
        for size in settings["sizes"]:
            cell = Cell(source, target, names["embedding"], names["classifier"], name, size)
            bundle = Path(next(cards)).parent if size in settings["kept"] else None
            yield Task(
                cell, settings["strategy"], settings["training"], Path(next(files)), bundle, origin
            )


def run_tasks(
    tasks: Sequence[Task],
    setup: Setup,
    target: Site,
    source: Site | None = None,
    handed_on: Sequence[str] = (),
    same: Sequence[str] = (),
    same_training: Mapping[str, Any] | None = None,
) -> None:
    """Compute and write every cell whose files are not current.

    handed_on: the files of the source models; same: of the target's own, which are the models of
    `local` on all labels where that is trained with `same_training`.
    """
    bench = setup.bench
    source_models = read_handed_on(handed_on, setup, bench)
    own_models = read_handed_on(same, setup, bench)
    for task in tasks:
        what = f"{task.cell.strategy}, target size {task.cell.size}"
        if is_current(task.predictions, task.origin) and (
            task.bundle is None or is_current_bundle(task.bundle, task.origin)
        ):
            _log.info(f"{what}: kept, nothing it depends on has changed")
            _touch(task)
            continue
        begin = time.monotonic()
        work = Work(
            STRATEGIES[task.strategy["kind"]].settings.model_validate(task.strategy),
            task.cell.size,
            Training.model_validate(task.training),
            target,
            source,
            source_models,
            own_models if task.training == same_training else None,
        )
        with part(what):
            predictions, fitted = run_cell(bench, work)
            predictions.write(task.predictions, task.cell, task.origin)
            if task.bundle is not None:
                _keep(task, setup, bench, work, predictions, fitted)
        _log.info(
            f"{what}: computed, {described(predictions.records)}, {time.monotonic() - begin:.1f} s"
        )


def _keep(
    task: Task,
    setup: Setup,
    bench: Workbench,
    work: Work,
    predictions: Predictions,
    fitted: FoldFit,
) -> None:
    """Write the cell's models as a bundle; under cross-fitting, models refitted on all folds."""
    assert task.bundle is not None
    pools = work.target.split.source_parts()
    if len(work.target.split.folds) > 1:
        budget = draw_from(work.target.cohort, pools, work.size, list(bench.context.keys))
        fitted = fit_fold(bench, work, budget)
    handed_on = HandedOn(fitted.models, fitted.records(bench.replicates))
    card = setup.card(
        handed_on,
        work.target,
        work.training,
        source=task.cell.source,
        strategy={"name": task.cell.strategy, **task.strategy},
        target_size=task.cell.size,
        performance=performance(predictions),
        made_from=task.origin,
    )
    setup.write(task.bundle, bench, handed_on, card)


def performance(predictions: Predictions) -> dict[str, Any]:
    """AUROC on the target's test encounters, the mean over replicates; None where there is none."""
    split = predictions.site.split
    areas = {}
    for record in predictions.records:
        replicate = record["replicate"]
        areas[replicate] = macro_auroc(*predictions.tested(replicate))
    known = [area for area in areas.values() if area is not None]
    folds = len(split.folds)
    return {
        "auroc": float(np.mean(known)) if known else None,
        "auroc_by_replicate": areas,
        "tested": f"cross-fitted in {folds} folds" if folds > 1 else "on encounters held out",
        "encounters": int((split.fold >= 0).sum()),
    }


def _touch(task: Task) -> None:
    task.predictions.touch()
    if task.bundle is not None:
        (task.bundle / CARD).touch()


def described(records: Sequence[dict[str, Any]]) -> str:
    """What became of a cell's replicates (and folds), for the log."""
    counts = Counter(record["status"] for record in records)
    train, positives = ([record[key] for record in records] for key in ("train", "positives"))
    return (
        f"{', '.join(f'{count} {status}' for status, count in counts.items())}, with labels of "
        f"{span(train)} encounters ({span(positives)} positive)"
    )
