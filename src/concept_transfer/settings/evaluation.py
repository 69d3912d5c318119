"""Evaluation settings as the config states them."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from concept_transfer.settings.section import Name, Section


class Evaluation(Section):
    """Intervals, and what is too small to show."""

    draws: int = Field(default=1000, ge=100, le=100_000, description="Bootstrap draws of clusters.")
    confidence: float = Field(default=0.95, gt=0.5, lt=1, description="Level of the intervals.")
    min_positives: int = Field(
        default=20,
        ge=1,
        description="Cells with fewer test encounters of the rarer class stay out of headlines.",
    )
    alert_rate: float = Field(
        default=0.1, gt=0, lt=1, description="Share of encounters alerted, for the PPV."
    )
    margin: float | None = Field(
        default=None,
        gt=0,
        description="AUROC difference that counts as equivalent; null asks for differences only.",
    )
    small_cells: int = Field(
        default=11,
        ge=0,
        description="Counts of encounters below this, and what tells them, are not published.",
    )


class Meaning(Section):
    """The test of meaning: the same vectors, their concepts permuted again and again."""

    shuffles: int = Field(
        default=99,
        ge=1,
        le=100_000,
        description="Permutations of each embedding that has a shuffled control; the smallest "
        "possible p is 1 / (shuffles + 1).",
    )
    replicates: int = Field(
        default=1,
        ge=1,
        description="Replicates of every permutation, the first of the study's; the real vectors "
        "count with the same ones.",
    )
    strategies: list[Name] | None = Field(
        default=None,
        description="Strategies tested; null is the study's first of kind direct and of kind full.",
    )
    target_size: int | Literal["all"] | None = Field(
        default=None, description="Target size tested; null is the study's largest."
    )
