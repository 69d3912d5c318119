"""What is kept, and what is asked of the results."""

from __future__ import annotations

from typing import TYPE_CHECKING

from concept_transfer.cell import NO_EMBEDDING
from concept_transfer.errors import choices

if TYPE_CHECKING:
    from concept_transfer.study import Study


def check_keep(study: Study) -> None:
    """Raise ValueError where `keep` names what the study does not have."""
    for key, defined in (
        ("classifiers", study.classifiers),
        ("embeddings", (*study.embeddings, *study.encoders)),
        ("strategies", study.strategies),
        ("target_sizes", study.target_sizes),
    ):
        for entry in getattr(study.keep, key) or ():
            if entry not in defined:
                raise ValueError(f"keep.{key} names {entry!r}; defined are {choices(defined)}")
    for name in study.combining_strategies():
        if name in (study.keep.strategies or ()):
            raise ValueError(f"keep.strategies names '{name}', which trains no model to keep")


def check_meaning(study: Study) -> None:
    """Raise ValueError where the test of meaning names what the study does not have."""
    for name in study.meaning.strategies or ():
        if name not in study.strategies:
            raise ValueError(
                f"meaning.strategies names '{name}'; defined are {choices(study.strategies)}"
            )
        if not study.strategy(name).has_source:
            raise ValueError(
                f"meaning.strategies names '{name}', which has no source; the test of meaning "
                "is about what is carried from one site to another"
            )
        if study.strategy(name).combine:
            raise ValueError(f"meaning.strategies names '{name}', which is of no single embedding")
    size = study.meaning.target_size
    if size is not None and size not in study.target_sizes:
        raise ValueError(
            f"meaning.target_size is {size}; target_sizes are {choices(study.target_sizes)}"
        )
    if study.meaning.replicates > study.replicates and "replicates" in (
        study.meaning.model_fields_set
    ):
        raise ValueError(
            f"meaning.replicates is {study.meaning.replicates}, but the study has "
            f"{study.replicates} replicate(s)"
        )


def check_ladder(study: Study) -> None:
    """Raise ValueError where the ladder names what the study does not have."""
    defined = {name for c in study.classifiers for name in study.representations(c)}
    defined -= {NO_EMBEDDING}
    for name in study.ladder:
        if name not in defined:
            raise ValueError(
                f"ladder names '{name}'; classifiers of the study are trained with "
                f"{choices(defined) or 'no embedding'}"
            )
    if study.ladder and not study.climbing_classifiers():
        raise ValueError(
            "ladder: no classifier of the study is trained with all of "
            f"{choices(study.ladder)}; a ladder is climbed by one"
        )
