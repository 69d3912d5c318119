"""Embeddings as the config states them: a section of a provider each, and what they refer to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from concept_transfer.embeddings import catalogue
from concept_transfer.embeddings.providers import PROVIDERS, SOURCE, Control
from concept_transfer.errors import choices
from concept_transfer.registry import OneOf
from concept_transfer.settings.section import Section

MOST_GENERATIONS = 100


class EmbeddingSection(Section):
    """What the section of every provider has."""

    provider: str


Embedding = Annotated[EmbeddingSection, OneOf(PROVIDERS, "provider")]


def parents_of(embedding: EmbeddingSection) -> tuple[str, ...]:
    """Names of the embeddings that one is made from; empty where it stands alone."""
    named: list[str] = []
    for key in PROVIDERS[embedding.provider].parents:
        value = getattr(embedding, key)
        named += [value] if isinstance(value, str) else value
    return tuple(named)


def encoder_of(embedding: EmbeddingSection) -> str | None:
    """The study's language model that reads the texts of an embedding, if one of them does."""
    return PROVIDERS[embedding.provider].encoder(embedding)


def control_of(embedding: EmbeddingSection) -> Control | None:
    """Which control of its parent an embedding is, if it is one."""
    return PROVIDERS[embedding.provider].control


def controlled_by(embeddings: Mapping[str, EmbeddingSection], control: Control) -> list[str]:
    """Names of the embeddings that have a control of a kind, each once, in order."""
    controls = [entry for entry in embeddings.values() if control_of(entry) == control]
    return list(dict.fromkeys(name for entry in controls for name in parents_of(entry)))


def taught_by(name: str, embeddings: Mapping[str, EmbeddingSection]) -> frozenset[str]:
    """The sites that teach an embedding, or one that it is made from; `SOURCE` for each."""
    section = embeddings[name]
    site = PROVIDERS[section.provider].learns_from(section)
    before = (taught_by(parent, embeddings) for parent in parents_of(section))
    return frozenset(filter(None, [site])).union(*before)


def is_of_source(name: str, embeddings: Mapping[str, EmbeddingSection]) -> bool:
    """Whether an embedding has a table each site."""
    return name in embeddings and SOURCE in taught_by(name, embeddings)


def check_parents(embeddings: Mapping[str, EmbeddingSection]) -> None:
    """Every parent is defined, no parent is a control, no embedding is made from itself."""
    for name, embedding in embeddings.items():
        for parent in parents_of(embedding):
            if parent not in embeddings:
                raise ValueError(
                    f"embeddings.{name} refers to '{parent}', which is not defined; "
                    f"defined are {choices(embeddings)}"
                )
            if control_of(embeddings[parent]):
                raise ValueError(
                    f"embeddings.{name} refers to '{parent}', which is a control itself; "
                    "refer to the embedding behind it"
                )
    _check_generations({name: parents_of(entry) for name, entry in embeddings.items()})


def _check_generations(parents: dict[str, tuple[str, ...]]) -> None:
    """Take away those that stand alone, then those that need only them, until none is left."""
    waiting = dict(parents)
    for _ in range(MOST_GENERATIONS):
        ready = {name for name, of in waiting.items() if not any(p in waiting for p in of)}
        waiting = {name: of for name, of in waiting.items() if name not in ready}
    if not waiting:
        return
    name, met = next(iter(waiting)), set[str]()
    while name not in met and any(p in waiting for p in waiting[name]):
        met.add(name)
        name = next(p for p in waiting[name] if p in waiting)
    if name in met:
        raise ValueError(f"embeddings.{name} is made from itself; break the circle")
    raise ValueError(
        f"embeddings.{name} is made from another, which is made from another, more than "
        f"{MOST_GENERATIONS} times; shorten the chain"
    )


def from_catalogue(value: Any) -> Any:
    """`name:` alone, or `name: {catalogue: entry, ...}`, takes the entry's settings."""
    if not isinstance(value, dict):
        return value
    return {
        name: catalogue.fill(name, {} if entry is None else entry)
        if entry is None or (isinstance(entry, dict) and entry.get("catalogue") is not None)
        else entry
        for name, entry in value.items()
    }
