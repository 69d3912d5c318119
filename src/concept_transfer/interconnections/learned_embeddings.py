"""The providers `cooccurrence` and `spectral`: vectors of which findings come together."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field

from concept_transfer.embeddings.providers import SOURCE, Provider
from concept_transfer.errors import choices
from concept_transfer.interconnections.methods import METHODS
from concept_transfer.interconnections.methods.method import Method, MethodSettings
from concept_transfer.settings.embeddings import EmbeddingSection
from concept_transfer.settings.scale import SCALE, Scale
from concept_transfer.settings.section import Name


class LearnedEmbedding(EmbeddingSection):
    """What vectors have that are learned from encounters, without their labels."""

    of: Name = Field(
        description=f"Site whose encounters teach the vectors, of those that never test; "
        f"`{SOURCE}`: a table each site, and models use that of the source they come from (of the "
        "target itself where a strategy has no source)."
    )
    width: int = Field(default=64, ge=1, description="Numbers a vector.")
    min_encounters: int = Field(
        default=11, ge=1, description="Findings that come together less often count as never."
    )
    scale: Scale = Field(default="raw", description=SCALE)


class CooccurrenceEmbedding(LearnedEmbedding):
    """Factors of shifted positive pointwise mutual information of findings (Levy and Goldberg
    2014)."""

    provider: Literal["cooccurrence"]
    shift: float = Field(default=0.0, ge=0, description="Taken off mutual information (log k).")


def _check_method(name: str) -> str:
    able = [kind for kind, method in METHODS.items() if _can(method)]
    if name not in able:
        raise ValueError(
            f"'{name}' is no method that scores pairs by patients alone, in either order alike; "
            f"choose from {choices(able)}"
        )
    return name


def _can(method: Method) -> bool:
    return bool(method.scores and method.learns and not method.directed)


class SpectralEmbedding(LearnedEmbedding):
    """Eigenvectors of a graph of findings, by any method of interconnections that learns from
    patients (Laplacian spectral embedding; Rohe, Chatterjee and Yu 2011)."""

    provider: Literal["spectral"]
    method: Annotated[str, AfterValidator(_check_method)] = Field(
        default="shrunken",
        description="Kind of a method of interconnections, with its defaults, that scores pairs "
        "of findings by patients alone.",
    )
    density: float = Field(
        default=0.05, gt=0, lt=1, description="Share of all pairs, the highest, that are edges."
    )


def settings_of(method: str) -> MethodSettings:
    """The defaults of a kind of method."""
    return METHODS[method].settings.model_validate({"kind": method})


def _whose(section: LearnedEmbedding) -> str:
    return "the source" if section.of == SOURCE else section.of


def _factors(section: Any) -> str:
    shift = f" less {section.shift:g}" if section.shift else ""
    return (
        f"{section.width} factors of positive mutual information{shift} of findings that come "
        f"together in {section.min_encounters} encounters or more of {_whose(section)} that never "
        "test"
    )


def _eigenvectors(section: Any) -> str:
    told = METHODS[section.method].methods(settings_of(section.method))
    return (
        f"{section.width} eigenvectors of the graph of the {100 * section.density:g} % of pairs of "
        f"findings that {told} puts first, among encounters of {_whose(section)} that never test"
    )


def learns_from(section: LearnedEmbedding) -> str:
    return section.of


COOCCURRENCE = Provider(
    settings=CooccurrenceEmbedding,
    embed="concept_transfer.interconnections.learned_tables:cooccurring",
    described=_factors,
    learns_from=learns_from,
)
SPECTRAL = Provider(
    settings=SpectralEmbedding,
    embed="concept_transfer.interconnections.learned_tables:spectral",
    described=_eigenvectors,
    learns_from=learns_from,
)
