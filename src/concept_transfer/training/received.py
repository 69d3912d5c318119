"""Models that came as a bundle, made those that a source of the study hands on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from concept_transfer.learners import LEARNERS
from concept_transfer.models.bundle import CARD, read_bundle, write_bundle
from concept_transfer.sites.bundles import bundle_of
from concept_transfer.training.reading import family_of
from concept_transfer.training.setup import Setup


def receive(folder: Path, setup: Setup, files: Sequence[Path]) -> None:
    """Write the bundle of a block's replicates, from those that have them among the files.

    The card stays as it came but for the replicates. Raises StudyError where a bundle was changed,
    or is of another vocabulary or other vectors than the study's.
    """
    folders = [file.parent for file in files if file.name == CARD]
    settings = LEARNERS[setup.learner["kind"]].settings.model_validate(setup.learner)
    wanted = setup.block.replicates
    bundle = read_bundle(
        bundle_of(folders, setup.representation, settings, wanted), setup.vocabulary, setup.table
    )
    card = bundle.card
    there = [record["replicate"] for record in card.replicates]
    places = [there.index(replicate) for replicate in wanted]
    family = family_of(bundle)
    models = family.read(bundle.folder).select(places)
    card = replace(
        card,
        replicates=[card.replicates[place] for place in places],
        calibration=[card.calibration[place] for place in places],
        vocabulary_digest=setup.vocabulary.digest,
        made_from="",
    )
    write_bundle(
        folder, lambda inside: family.write(models, inside), card, setup.vocabulary, setup.table
    )
