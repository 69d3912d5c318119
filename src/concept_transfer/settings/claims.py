"""Claims as the config states them, and whether they are about models of the study."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

from pydantic import Field

from concept_transfer.cell import NO_EMBEDDING
from concept_transfer.errors import choices
from concept_transfer.settings.embeddings import control_of
from concept_transfer.settings.section import Name, Section, Sizes

if TYPE_CHECKING:
    from concept_transfer.study import Study


class ClaimSide(Section):
    """One side of a claim: a classifier, what represents its input, and a strategy."""

    classifier: Name | None = Field(
        default=None,
        description="Name of a classifier of the study; null is the first that the embedding is "
        "for (or, of a strategy that combines models, all).",
    )
    embedding: Name | None = Field(
        default=None,
        description="Name of an embedding or an encoder; null where the classifier takes none.",
    )
    strategy: Name = Field(description="Name of a strategy of the study.")


class ClaimTest(Section):
    """Two sides and the conditions under which they are compared."""

    under: str = Field(description="The conditions in words, as in 'with vectors of equal length'.")
    better: ClaimSide = Field(description="What should be better if the claim is right.")
    than: ClaimSide = Field(description="What it should be better than.")
    source: Name | None = Field(default=None, description="Only transfer from this site.")
    target_sizes: Sizes | None = Field(
        default=None, min_length=1, description="Only with so many labels; null is every size."
    )
    margin: float = Field(
        default=0,
        ge=0,
        lt=1,
        description="AUROC difference by which `better` may be worse: 0 claims that it is better, "
        "more that it is no worse by so much.",
    )


class Claim(Section):
    """A statement, of a paper or of your own, that the report puts to the test."""

    text: str = Field(description="The claim as the report quotes it.")
    tests: list[ClaimTest] = Field(
        min_length=1, description="It survives if every one of these comparisons bears it out."
    )


def check_claims(study: Study) -> None:
    """Raise ValueError where a claim names what the study does not have."""
    sources = {source for source, _ in study.ordered_pairs()}
    for claim in study.claims:
        for test in claim.tests:
            try:
                _check_side(study, test.better)
                _check_side(study, test.than)
                _check_margin(study, test)
                _check_name("source", test.source, sources)
                for size in test.target_sizes or ():
                    _check_name("target size", size, study.target_sizes)
            except ValueError as error:
                raise ValueError(f"claims: '{claim.text}' {error}") from None


def _check_side(study: Study, side: ClaimSide) -> None:
    name = side.strategy
    _check_name("strategy", name, study.strategies)
    if study.strategy(name).combine:
        if side.classifier or side.embedding:
            raise ValueError(
                f"gives '{name}' a classifier or an embedding, but it combines all models"
            )
        return
    defined = {each for c in study.classifiers for each in study.representations(c)}
    defined -= {NO_EMBEDDING}
    _check_name("classifier", side.classifier, study.classifiers)
    _check_name("embedding", side.embedding, defined)
    if not (side.classifier or side.embedding):
        raise ValueError(
            f"names neither a classifier nor an embedding beside '{name}'; classifiers are "
            f"{choices(study.classifiers)}"
        )
    classifier = study.classifier_of(side)
    taken = study.representations(classifier)
    if (side.embedding or NO_EMBEDDING) not in taken:
        given = f"the embedding '{side.embedding}'" if side.embedding else "no embedding"
        raise ValueError(
            f"is about '{classifier}' with {given}; it is trained with {choices(taken)}"
        )
    if not study.strategy(name).needs <= study.abilities(classifier):
        raise ValueError(f"is about '{classifier}' with '{name}', which it cannot do")


def _check_margin(study: Study, test: ClaimTest) -> None:
    """Permutations of concepts tell whether meaning helps, not by how much."""
    control = study.embeddings.get(test.than.embedding or NO_EMBEDDING)
    if test.margin and control is not None and control_of(control) == "shuffled":
        raise ValueError(
            f"leaves a margin over '{test.than.embedding}', which is tested by permutation; take "
            "'margin' out"
        )


def _check_name(kind: str, name: int | str | None, defined: Collection[int | str]) -> None:
    if name is not None and name not in defined:
        raise ValueError(f"names the {kind} '{name}'; defined are {choices(defined) or 'none'}")
