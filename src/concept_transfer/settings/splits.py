"""How encounters are divided, as the config states it."""

from __future__ import annotations

import datetime
from typing import Literal

from pydantic import Field, model_validator

from concept_transfer.settings.section import Section


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

    shared_identifiers: bool = Field(
        default=False,
        description="Whether a patient's (cluster's) identifier means the same person at all "
        "sites: then nobody who tests at one site trains at another. Not with folds, where a "
        "source trains on everybody.",
    )

    @model_validator(mode="after")
    def _time_needs_a_day(self) -> SplitSettings:
        if self.by == "time" and self.test_from is None:
            raise ValueError("split by time needs 'test_from', the first day of the test period")
        if self.shared_identifiers and self.by == "folds":
            raise ValueError(
                "shared_identifiers cannot be kept under 'folds', where a source hands on models "
                "of all its encounters; split by share, time or given"
            )
        return self
