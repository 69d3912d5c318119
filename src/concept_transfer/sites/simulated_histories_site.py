"""The adapter `simulated_histories`: patients with chronic conditions, simulated for years."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field, model_validator

from concept_transfer.reporting.words import listing
from concept_transfer.settings.sites import SiteSection
from concept_transfer.sites.adapters import Adapter
from concept_transfer.sites.meds_site import CodeCohort
from concept_transfer.yaml_files import read_yaml


class SimulatedHistoriesSite(SiteSection):
    """Patients whose chronic conditions lead to each other, in a dataset of the Medical Event Data
    Standard that is made anew whenever it is read."""

    adapter: Literal["simulated_histories"]
    model: str = Field(description="YAML file of the site (see resources/histories).")
    patients: int = Field(default=6000, ge=1, description="How many patients to simulate.")
    seed: int = Field(default=1, ge=0, description="Seed of the simulation.")
    cohort: CodeCohort = Field(description="The cohort by codes, as at a `meds` site.")
    age: str | None = Field(
        default=None, description="The binned concept that holds the years since MEDS_BIRTH."
    )

    @property
    def look_back_days(self) -> float | None:
        return self.cohort.look_back_days

    @model_validator(mode="after")
    def _risk_is_known(self) -> SimulatedHistoriesSite:
        if self.cohort.washout_days is not None or self.cohort.gap_days:
            raise ValueError(
                "the true risk is known of patients who never had the outcome, from the index time "
                "on; leave out cohort.washout_days and cohort.gap_days"
            )
        return self


def _files(site: SimulatedHistoriesSite, root: Path) -> list[str]:
    base = read_yaml(root / site.model)["base"]
    return [site.model, str(Path(site.model).parent / base)]


def _described(site: SimulatedHistoriesSite) -> str:
    cohort = site.cohort
    return (
        f"{site.patients:,} patients simulated by {site.model} (seed {site.seed}), those with the "
        f"event {listing(cohort.index)}, predicting {listing(cohort.outcome)} within "
        f"{cohort.horizon_days:g} days"
    )


HISTORIES = Adapter(
    settings=SimulatedHistoriesSite,
    check="concept_transfer.sites.simulated_histories:check_histories",
    read="concept_transfer.sites.simulated_histories:read_histories",
    posterior="concept_transfer.sites.simulated_histories:true_risk",
    histories="concept_transfer.sites.simulated_histories:read_timelines",
    links="concept_transfer.sites.simulated_histories:planted_links",
    files=_files,
    paths=("model",),
    described=_described,
    limitation="Patients were simulated. Differences between methods show what can happen, not "
    "what will happen with real patients.",
)
