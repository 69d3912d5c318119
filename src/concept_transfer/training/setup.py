"""A learner made ready for a job, what the job reads for it, and its models as a bundle."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from concept_transfer import __version__
from concept_transfer.cell import NO_EMBEDDING
from concept_transfer.concepts.study_vocabulary import study_vocabulary
from concept_transfer.concepts.vocabulary import Vocabulary
from concept_transfer.learners import LEARNERS
from concept_transfer.learners.learner import Context
from concept_transfer.models.bundle import ModelCard, read_bundle, read_table, write_bundle
from concept_transfer.settings.training import Training
from concept_transfer.sites.site import Site
from concept_transfer.training.block import Block
from concept_transfer.training.work import HandedOn, Workbench

CARD_OF_ENCODER = "encoder.json"  # in the folder of each of its copies

if TYPE_CHECKING:
    from concept_transfer.embeddings.table import EmbeddingTable


@dataclass(frozen=True)
class Setup:
    """What the jobs of a learner are told besides their sites.

    study, label, classes: names for the card of a bundle; learner: its name and settings; task:
    what decides which tokens an encounter has; encoder: folders of an encoder's copies, with
    outcome_codes, those of the task, and look_back_days, how far back the target's histories reach,
    for learners that take one; balanced, and drawn_as of the target: see `Cohort`; named: the
    representation, of an encoder that came with models and has no folder.
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
    task: dict[str, Any] = field(default_factory=dict)
    encoder: tuple[Path, ...] = ()
    outcome_codes: tuple[str, ...] = ()
    balanced: bool = False
    look_back_days: float | None = None
    named: str = NO_EMBEDDING
    drawn_as: str = ""

    @property
    def bench(self) -> Workbench:
        """The learner, ready for the replicates of the block."""
        record = LEARNERS[self.learner["kind"]]
        device = self.device
        if record.uses_torch:
            from concept_transfer.device import usable_device

            device = usable_device(device)
        vectors = self.block.vectors(self.table, self.vocabulary) if self.table else None
        copies, replicates = len(self.encoder), self.block.replicates
        context = Context(
            tuple(self.block.keys),
            len(self.vocabulary),
            len(self.classes),
            vectors,
            device,
            self.threads,
            tuple(self.encoder[r % copies] for r in replicates) if copies else (),
            self.outcome_codes,
        )
        settings = record.settings.model_validate(self.learner)
        return Workbench(record, settings, context, self.block.replicates)

    @property
    def representation(self) -> str:
        """The name of the embedding or the encoder, or "none"."""
        if self.encoder:
            return self.encoder[0].parent.name
        return self.table.card.name if self.table else self.named

    def read_site(self, files: Sequence[str], drawn_as: str = "") -> Site:
        """The site whose arrays come first and whose split comes last, with the learner's input."""
        reads = LEARNERS[self.learner["kind"]].reads
        return Site.read(Path(files[0]).parent, Path(files[-1]), (reads,), self.balanced, drawn_as)

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
            embedding=self.representation,
            vocabulary_digest=self.vocabulary.digest,
            encounters=len(site.labels),
            version=__version__,
            task=self.task,
            threads=self.threads,
            look_back_days=self.look_back_days,
            calibration=handed_on.calibration,
            **facts,
        )

    def write(self, folder: Path, bench: Workbench, handed_on: HandedOn, card: ModelCard) -> None:
        """Write models and card as a bundle."""
        models = handed_on.models

        def write_models(folder: Path) -> None:
            if models is not None:
                bench.everyone().write(models, folder)

        write_bundle(folder, write_models, card, self.vocabulary, self.table)


def read_setup(
    inputs: Any,
    params: Any,
    learner: dict[str, Any],
    device: str,
    threads: int,
    representation: str = NO_EMBEDDING,
) -> Setup:
    """A learner's, from a rule's inputs (``vocabulary``, ``edges``, ``embedding``: a table, or the
    files of an encoder's copies) and parameters (``study``, ``label``, ``seed``, ``replicates``,
    ``vocabulary``); representation: its name, as that of the embedding or the encoder."""
    vocabulary = study_vocabulary(inputs.vocabulary, params.vocabulary, inputs.edges)
    record = LEARNERS[learner["kind"]]
    table = read_table(Path(inputs.embedding), vocabulary) if record.takes_embedding else None
    files = inputs.embedding if record.takes_encoder else []
    label = json.loads(params.label)
    return Setup(
        params.study,
        label["label"],
        label["classes"],
        learner,
        Block(params.seed, params.replicates),
        vocabulary,
        table,
        device,
        threads,
        label["task"],
        tuple(path.parent for path in map(Path, files) if path.name == CARD_OF_ENCODER),
        tuple(label.get("outcome_codes", ())),
        label.get("balanced", False),
        label.get("look_back_days"),
        representation,
        label.get("drawn_as", ""),
    )


@dataclass(frozen=True)
class Material:
    """What a job trains on: sites, the models that the source hands on, and the `same` models: the
    target's own as a source, which are those of `local` on all labels."""

    target: Site
    source: Site | None = None
    handed_on: HandedOn | None = None
    same: HandedOn | None = None


def files_of(classifier: str, files: Sequence[str]) -> list[str]:
    """The files of a classifier's bundle, ``.../<classifier>/block<k>/<file>``, among others."""
    return [file for file in files if Path(file).parts[-3] == classifier]


def read_material(inputs: Any, classifier: str, setup: Setup, bench: Workbench) -> Material:
    """From a rule's inputs, lists of files named as `Material` is. Raises StudyError if models do
    not fit the study."""

    def models(files: Sequence[str]) -> HandedOn | None:
        own = files_of(classifier, files)
        if not own:
            return None
        bundle = read_bundle(Path(own[0]).parent, setup.vocabulary, setup.table)
        return HandedOn(bench.everyone().read(bundle.folder), bundle.card.replicates)

    source = setup.read_site(inputs.source) if inputs.source else None
    target = setup.read_site(inputs.target, setup.drawn_as)
    return Material(target, source, models(inputs.handed_on), models(inputs.same))
