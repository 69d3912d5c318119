"""Sites that are given as bundles: which models they have for a study, and whether these fit."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from concept_transfer.concepts.vocabulary import Vocabulary
from concept_transfer.errors import StudyError, choices
from concept_transfer.learners import LEARNERS
from concept_transfer.models.bundle import CARD, VOCABULARY, ModelCard, read_bundle, read_card
from concept_transfer.pretraining.encoder import CARD as ENCODER
from concept_transfer.settings.task import Task
from concept_transfer.sites.adapters import Offer

OF_SENDER = {"sites", "unlabelled", "copies", "vectors"}  # names of a study, not of the encoder

if TYPE_CHECKING:
    from concept_transfer.sites.bundle_site import BundleSite
    from concept_transfer.study import Study


def bundles_in(folder: Path) -> list[Path]:
    """The folder itself if it is a bundle, or all bundles below it; StudyError for none."""
    found = sorted(path.parent for path in folder.rglob(CARD))
    if not found:
        raise StudyError(
            f"{folder} holds no model bundle; give a folder that 'snakemake export_bundle' wrote: "
            f"a {CARD} lies in it, or in folders below it"
        )
    return found


def check_bundles(site: BundleSite, vocabulary: Vocabulary, task: Task, root: Path) -> None:
    """Refuse bundles that were changed, know other tokens, or predict other classes."""
    for folder in bundles_in(root / site.path):
        card = read_bundle(folder, vocabulary).card
        if tuple(card.classes) != task.class_names:
            raise StudyError(
                f"{folder} predicts the classes {', '.join(card.classes)}, but those of this study "
                f"are {', '.join(task.class_names)}: a model has the classes that it learned, in "
                "their order; set task.label and task.classes to them"
            )


def offer(site: BundleSite, study: Study, root: Path) -> Offer:
    """What the bundles have for a study.

    A model serves a classifier of equal settings and an embedding of its name. Raises StudyError
    where none does, or where one has fewer replicates than the study.
    """
    folders = bundles_in(root / site.path)
    cards = [read_card(folder) for folder in folders]
    there = [
        (embedding, name)
        for name, settings in study.classifiers.items()
        for embedding in dict.fromkeys(card.embedding for card in cards)
        if any(_is_of(card, embedding, settings) for card in cards)
        and embedding in study.representations(name)
    ]
    wanted = there if site.models is None else site.models
    for model in wanted:
        if model not in there:
            raise StudyError(
                f"models: {site.path} has none of the embedding '{model[0]}' and the classifier "
                f"'{model[1]}'; it has {_shown(cards)}"
            )
    if not wanted:
        raise StudyError(
            f"{site.path} holds no model of this study's classifiers and embeddings; it has "
            f"{_shown(cards)}. Define them under these names and with these settings "
            "(provider: bundle reads the vectors)"
        )
    size = study.block_size
    blocks = [range(i, min(i + size, study.replicates)) for i in range(0, study.replicates, size)]
    for embedding, name in wanted:
        for block in blocks:
            bundle_of(folders, embedding, study.classifiers[name], block)
    for embedding in dict.fromkeys(embedding for embedding, _ in wanted):
        if embedding in study.encoders:
            _check_encoder(folders, embedding, study)
    words = Path(site.path) / folders[0].relative_to(root / site.path) / VOCABULARY
    return Offer(tuple(wanted), words.as_posix())


def bundle_of(
    folders: Sequence[Path], embedding: str, settings: Any, replicates: Sequence[int]
) -> Path:
    """The bundle that has these replicates of the models of an embedding and a learner."""
    known: list[int] = []
    for folder in folders:
        card = read_card(folder)
        if _is_of(card, embedding, settings):
            own = [record["replicate"] for record in card.replicates]
            if set(replicates) <= set(own):
                return folder
            known += own
    raise StudyError(
        f"no bundle of {settings.kind} with the embedding '{embedding}' has the replicates "
        f"{replicates[0]} to {replicates[-1]} together; there are {sorted(known)}. Set "
        "'replicates' and 'block_size' to what the bundle has"
    )


def _is_of(card: ModelCard, embedding: str, settings: Any) -> bool:
    """Whether models are of an embedding, and of a learner with just these settings."""
    if card.embedding != embedding or card.learner["kind"] != settings.kind:
        return False
    return bool(LEARNERS[settings.kind].settings.model_validate(card.learner) == settings)


def _shown(cards: Sequence[ModelCard]) -> str:
    described = [f"{card.learner} with the embedding '{card.embedding}'" for card in cards]
    return "; ".join(dict.fromkeys(described))


def _check_encoder(folders: Sequence[Path], name: str, study: Study) -> None:
    """Refuse an encoder that the study describes otherwise than those of the models are."""
    if not study.is_received(name):
        raise StudyError(
            f"the models of the encoder '{name}' bring it with them, but the study pre-trains one "
            f"of this name on {choices(study.encoders[name].sites)}: name the site of these models "
            f"alone in encoders.{name}.sites, or give the study's own encoder another name"
        )
    said = study.encoders[name].model_dump(mode="json", exclude=OF_SENDER)
    for folder in folders:
        if read_card(folder).embedding != name:
            continue
        with (folder / ENCODER).open(encoding="utf-8") as file:
            for encoder in json.load(file)["encoders"]:
                for key, here in said.items():
                    if (there := encoder["settings"].get(key)) != here:
                        raise StudyError(
                            f"{folder}: the encoder '{name}' was made with {key}: {there}, but the "
                            f"study says {here}; write encoders.{name} as it is in {ENCODER}"
                        )
