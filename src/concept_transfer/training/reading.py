"""The learner of a bundle, ready to read its models and to predict with them."""

from __future__ import annotations

from concept_transfer.learners import LEARNERS
from concept_transfer.learners.learner import Context, Family
from concept_transfer.models.bundle import Bundle
from concept_transfer.training.block import Block


def family_of(bundle: Bundle, device: str = "cpu", threads: int = 1) -> Family:
    """`family_of(bundle).read(bundle.folder)` are the models of all the bundle's replicates."""
    card, table = bundle.card, bundle.table
    block = Block(card.seed, [record["replicate"] for record in card.replicates])
    context = Context(
        tuple(block.keys),
        len(bundle.vocabulary),
        len(card.classes),
        block.vectors(table, bundle.vocabulary) if table else None,
        device,
        threads,
    )
    record = LEARNERS[card.learner["kind"]]
    return record.family(record.settings.model_validate(card.learner), context)
