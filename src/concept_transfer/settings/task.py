"""What a study predicts, as the config states it."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from concept_transfer.settings.section import Distinct, Section

TOKENS_OF_TASK = ("exclude_categories", "exclude_concepts", "not_recorded")


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
    outcome_codes: Distinct[Annotated[str, Field(min_length=1)]] = Field(
        default=[],
        description="Codes that say the outcome in patients' histories; a * at the end is for all "
        "codes that begin so. Learners that read the probability of a code need them.",
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

    @property
    def many_classes(self) -> bool:
        """Whether the outcome has more than two classes."""
        return len(self.class_names) > 2
