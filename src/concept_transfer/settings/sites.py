"""Sites, the task, and how encounters are divided, as the config states them."""

from __future__ import annotations

import datetime
from typing import Annotated, Literal

from pydantic import Field, model_validator

from concept_transfer.registry import OneOf
from concept_transfer.settings.section import Distinct, Section
from concept_transfer.sites.adapters import ADAPTERS


class Task(Section):
    """What is predicted, and from which concepts."""

    label: str = Field(description="Name of the outcome, used in titles and by some adapters.")
    classes: Annotated[Distinct[str], Field(min_length=2, max_length=100)] | None = Field(
        default=None,
        description="Names of the classes of the label, in the order in which they are counted; "
        "null: two, without and with the outcome.",
    )
    exclude_categories: list[str] = Field(
        default=[], description="Concept categories that no model sees (for example lab result)."
    )
    exclude_concepts: list[str] = Field(
        default=[], description="Single concept ids that no model sees."
    )
    not_recorded: Literal["omit", "absent"] = Field(
        default="omit",
        description="A finding nobody wrote down contributes nothing (omit) or is read as the "
        "concept's state 'absent', as Gao et al. 2024 did.",
    )

    @property
    def class_names(self) -> tuple[str, ...]:
        """A name for each class, in order; the outcome is the second of two."""
        return tuple(self.classes or (f"no {self.label}", self.label))


class SiteSection(Section):
    """What the section of every adapter has."""

    adapter: str


Site = Annotated[SiteSection, OneOf(ADAPTERS, "adapter")]


class SplitSettings(Section):
    """How every site's encounters are divided, always by cluster (default: patient)."""

    by: Literal["given", "time", "share", "folds"] = Field(
        description="The files say (given), the last period tests (time), a random share of the "
        "clusters tests (share), or every encounter is tested once by a model that saw nothing of "
        "its cluster (folds)."
    )
    folds: int = Field(
        default=5, ge=2, le=1000, description="folds: number of cross-fitting folds."
    )
    test_share: float = Field(default=0.3, gt=0, lt=1, description="share: part held for testing.")
    test_from: datetime.date | None = Field(
        default=None, description="time: encounters from this day on test."
    )
    validation_share: float = Field(
        default=0.2, gt=0, lt=1, description="Part of the non-test clusters kept for validation."
    )

    @model_validator(mode="after")
    def _time_needs_a_day(self) -> SplitSettings:
        if self.by == "time" and self.test_from is None:
            raise ValueError("split by time needs 'test_from', the first day of the test period")
        return self
