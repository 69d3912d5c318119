"""A bundle's card in words."""

from __future__ import annotations

from collections.abc import Iterator

from concept_transfer.learners import LEARNERS
from concept_transfer.models.bundle import Bundle, ModelCard
from concept_transfer.progress import span
from concept_transfer.reporting.words import count, listing
from concept_transfer.serving.calibration import usable_recalibrations


def card_text(bundle: Bundle) -> str:
    """A line a fact: what the models say, whose they are, what they read, how well they did."""
    facts = [("bundle", str(bundle.folder)), *_models(bundle.card), *_input(bundle)]
    facts += _worth(bundle.card)
    return "\n".join(f"{head:<14}{text}" for head, text in facts)


def _models(card: ModelCard) -> Iterator[tuple[str, str]]:
    kind = card.learner["kind"]
    title = LEARNERS[kind].title if kind in LEARNERS else kind
    yield "outcome", f"{card.label} (classes: {listing(card.classes)})"
    replicates = count(len(card.replicates), "replicate")
    yield "models", f"{title}, {replicates} of study '{card.study}', version {card.version}"
    of = "" if card.encounters is None else f", which has {count(card.encounters, 'encounter')}"
    yield (
        "trained at",
        card.site + of + (f"; started from {card.source}'s model" if card.source else ""),
    )
    if card.strategy is None:
        yield "strategy", "none: the models that this site hands on"
    else:
        yield "strategy", f"{card.strategy['name']}, target size {card.target_size}"


def _input(bundle: Bundle) -> Iterator[tuple[str, str]]:
    vocabulary, task = bundle.vocabulary, bundle.card.task
    tokens = (
        f"{count(len(vocabulary.concept_states), 'concept')}, {count(len(vocabulary), 'state')}"
    )
    yield "reads", f"{tokens}; embedding: {bundle.card.embedding}"
    if hidden := [*task.get("exclude_categories", []), *task.get("exclude_concepts", [])]:
        yield "never sees", listing(hidden)
    if task.get("not_recorded") == "absent":
        yield "not recorded", "counts as absent"


def _worth(card: ModelCard) -> Iterator[tuple[str, str]]:
    performance = card.performance
    if performance and performance["auroc"] is not None:
        yield "AUROC", f"{performance['auroc']:.3f}, {performance['tested']}"
    if changes := usable_recalibrations(card):
        slopes = [change.slope for change in changes]
        yield "calibrated", f"recalibration slope {span(slopes, '.2f')}, one a replicate"
    for key, text in (card.use or {}).items():
        if not text:
            continue
        yield key.replace("_", " "), listing(text) if isinstance(text, list) else str(text)
