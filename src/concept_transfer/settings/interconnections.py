"""Which codes belong together, as the config asks it."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, model_validator

from concept_transfer.interconnections.methods import METHODS
from concept_transfer.interconnections.methods.method import MethodSettings
from concept_transfer.registry import OneOf, named
from concept_transfer.settings.section import Distinct, Name, Section


class CodeNodes(Section):
    """What a node of the graphs is."""

    read: Literal["codes", "history", "findings"] = Field(
        default="codes",
        description="`codes`: those that the sites' adapter gives apart from findings (diagnoses "
        "of NHAMCS); `history`: of patients' events; `findings`: concepts that are present.",
    )
    only: Distinct[Annotated[str, Field(min_length=1)]] = Field(
        default=["*"],
        description="Codes that count; a * at the end is for all codes that begin so.",
    )
    characters: int | None = Field(
        default=None,
        ge=1,
        description="Codes are cut to so many characters after the last '/'; null leaves them.",
    )
    min_patients: int = Field(
        default=30, ge=1, description="Patients of all sites that a code needs."
    )
    prefix: str = Field(
        default="", description="What stands before the ontology's codes in those of the sites."
    )
    ontology: str | None = Field(
        default="resources/ontologies/icd10cm.tsv",
        description="TSV with columns code, parent, name: what codes are called, and what they "
        "are a kind of; null: the vocabulary's names and categories.",
    )


class Edges(Section):
    """What counts as a true edge among patients that no method has learned from."""

    fdr: float = Field(
        default=0.05,
        gt=0,
        lt=1,
        description="False discovery rate of edges (one-sided exact test, Benjamini-Hochberg).",
    )
    odds_ratio: float = Field(
        default=2.0,
        ge=1,
        description="The second truth: adjusted odds ratios whose interval lies above this.",
    )
    common: float = Field(
        default=5.0, gt=0, description="Pairs that chance would bring together so often are common."
    )


class Interconnections(Section):
    """Which codes belong together, by several methods, judged on patients that none has seen."""

    codes: CodeNodes = Field(default=CodeNodes(), description="What a node is.")
    unit: Literal["visit", "patient"] = Field(
        default="visit",
        description="Together within an encounter, or within all that is known of a patient.",
    )
    ages: Distinct[float] = Field(
        default=[5, 18, 45, 65, 75],
        description="Years at which age groups begin, by which associations are adjusted.",
    )
    methods: Annotated[
        dict[Name, Annotated[MethodSettings, OneOf(METHODS, "kind")]],
        BeforeValidator(named(METHODS, "kind", "method")),
    ] = Field(
        default=["shrunken", "fisher", "pmi", "jaccard", "phi", "cooccurrence", "marginals"],
        validate_default=True,
        min_length=1,
        description="A list of methods by name, or method name -> its settings.",
    )
    sex: Distinct[Annotated[str, Field(min_length=1)]] = Field(
        default=["GENDER//*"], description="Codes of histories that tell a patient's sex."
    )
    edges: Edges = Field(default=Edges(), description="What counts as a true edge.")
    density: float | None = Field(
        default=None,
        gt=0,
        lt=1,
        description="Share of all pairs that every method's graph has; null: that of the true "
        "edges it is compared with.",
    )
    draws: int = Field(default=200, ge=20, description="Bootstrap draws of judging clusters.")
    permutations: int = Field(
        default=199, ge=19, description="Permutations of codes behind a correlation's p-value."
    )

    @model_validator(mode="after")
    def _sound(self) -> Interconnections:
        if sorted(self.ages) != self.ages:
            raise ValueError(f"ages are {self.ages}; give them in ascending order")
        if self.unit == "patient" and self.codes.read != "history":
            raise ValueError(
                "unit: patient needs codes.read: history, which knows whose a visit was"
            )
        return self
