"""Who is predicted from coded events, when, and what counts as the outcome."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from concept_transfer.settings.section import Section


class Window(Section):
    """The span of time about the index from which findings are taken."""

    look_back_days: float | None = Field(
        default=None, gt=0, description="Findings of so many days before the index; null: all."
    )
    findings_after_hours: float = Field(
        default=0.0,
        ge=0,
        description="Findings until this long after the index time too, for data that know the day "
        "of an event and not the hour. Codes of the outcome are no findings then.",
    )


class Times(Window):
    """Spans of time about the index, from which findings and outcome are taken."""

    which: Literal["first", "every"] = Field(
        default="first", description="A patient's first index event, or every one."
    )
    after_hours: float = Field(
        default=0.0, ge=0, description="The index time is this long after the index event."
    )
    horizon_days: float = Field(
        gt=0, description="An outcome until this long after the index time counts."
    )
    gap_days: float = Field(
        default=0.0, ge=0, description="Who has the outcome sooner than this is left out."
    )
    washout_days: float | None = Field(
        default=None,
        ge=0,
        description="Who had the outcome within so many days before the index is left out; null: "
        "ever before, 0: nobody.",
    )
    min_history_days: float = Field(
        default=0.0, ge=0, description="Who is observed for less before the index is left out."
    )
    follow_up: Literal["required", "not required"] = Field(
        default="required",
        description="Whether patients without the outcome who are not observed until the horizon "
        "are left out; those who die are observed to the end.",
    )

    @model_validator(mode="after")
    def _time_at_risk(self) -> Times:
        if self.gap_days >= self.horizon_days:
            raise ValueError(
                f"gap_days ({self.gap_days:g}) must be less than horizon_days "
                f"({self.horizon_days:g}), or no time is left in which the outcome counts"
            )
        return self
