"""A bundle's card in words."""

from __future__ import annotations

from collections.abc import Iterator

from concept_transfer.learners import LEARNERS
from concept_transfer.models.bundle import Bundle
from concept_transfer.reporting.words import count, listing


def card_text(bundle: Bundle) -> str:
    """Some lines: what the models say, whose they are, what they read, and how well they did."""
    return "\n".join(f"{head:<12}{text}" for head, text in _lines(bundle))


def _lines(bundle: Bundle) -> Iterator[tuple[str, str]]:
    card, vocabulary = bundle.card, bundle.vocabulary
    yield "bundle", str(bundle.folder)
    yield "outcome", f"{card.label} (classes: {listing(card.classes)})"
    kind = card.learner["kind"]
    title = LEARNERS[kind].title if kind in LEARNERS else kind
    replicates = count(len(card.replicates), "replicate")
    yield "models", f"{title}, {replicates}, of study '{card.study}' (version {card.version})"
    yield (
        "trained at",
        f"{card.site}, of {count(card.encounters, 'encounter')}"
        + (f"; what came in: {card.source}" if card.source else ""),
    )
    if card.strategy is None:
        yield "strategy", "none: models that this site hands on"
    else:
        yield "strategy", f"{card.strategy['name']}, target size {card.target_size}"
    concepts = count(len(vocabulary.concept_states), "concept")
    yield (
        "reads",
        f"{concepts}, {count(len(vocabulary), 'token')}; embedding: {card.embedding}"
        + (f"; not recorded is {card.task['not_recorded']}" if card.task else ""),
    )
    hidden = [*card.task.get("exclude_categories", []), *card.task.get("exclude_concepts", [])]
    if hidden:
        yield "never sees", listing(hidden)
    performance = card.performance
    if performance and performance["auroc"] is not None:
        yield "AUROC", f"{performance['auroc']:.3f}, {performance['tested']}"
