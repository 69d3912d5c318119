"""The adapter `omop`: events of patients in the OMOP Common Data Model, 5.3 or 5.4."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, model_validator

from concept_transfer.events.omop.model import TABLES
from concept_transfer.reporting.words import listing
from concept_transfer.settings.section import Distinct
from concept_transfer.settings.sites import SiteSection
from concept_transfer.sites.adapters import Adapter
from concept_transfer.sites.omop_settings import (
    DEATH,
    ConceptId,
    ConceptSet,
    Domain,
    OmopCohort,
    Url,
    UrlFrom,
)

Unit = Annotated[str, BeforeValidator(str)]


class OmopSite(SiteSection):
    """Patients in the OMOP Common Data Model: files, a DuckDB file or a PostgreSQL database."""

    adapter: Literal["omop"]
    path: str | None = Field(
        default=None,
        description="Folder with a Parquet or CSV file a table, or a folder of parts a table; or "
        "a DuckDB file.",
    )
    database: Url | UrlFrom | None = Field(
        default=None,
        description="URL of a PostgreSQL database without a password "
        "(postgresql://reader@host/db), or {url_from: VARIABLE} for one that an environment "
        "variable holds.",
    )
    cdm_schema: str | None = Field(
        default=None,
        description="Schema of the tables in a database (else main in DuckDB, public in "
        "PostgreSQL).",
    )
    vocabulary_schema: str | None = Field(
        default=None, description="Schema of the vocabulary tables (else cdm_schema)."
    )
    vocabulary_path: str | None = Field(
        default=None, description="Folder of the vocabulary tables, where it is another."
    )
    concept_sets: dict[str, ConceptSet] = Field(description="Name -> concepts, for the cohort.")
    cohort: OmopCohort = Field(description="Who is predicted, when, and what counts as outcome.")
    care_sites: Distinct[ConceptId] = Field(
        default=[], description="Only index events of visits at these care sites; else all."
    )
    domains: Distinct[Domain] = Field(
        default=["condition", "observation", "measurement", "drug", "procedure", "person"],
        min_length=1,
        description="What findings are made of; of a person the gender.",
    )
    crosswalk: str | None = Field(
        default=None,
        description="Crosswalk from concept ids to the vocabulary; else its concepts are concept "
        "ids.",
    )
    descendants: bool = Field(
        default=False,
        description="A concept id without a meaning of its own takes that of its nearest ancestor.",
    )
    answers: dict[Annotated[int, Field(ge=1)], str] = Field(
        default={
            4188539: "present",
            45877994: "present",
            4188540: "absent",
            45878245: "absent",
        },
        description="value_as_concept_id of observations and measurements -> state.",
    )
    units: dict[int, dict[Unit, Annotated[float, Field(gt=0)]]] = Field(
        default={},
        description="Concept id -> unit (its concept id, or as the source wrote it where that is "
        "0) -> factor to the unit of the bins.",
    )
    age: str | None = Field(default=None, description="The binned concept that is the age.")
    time_zone: str | None = Field(
        default=None,
        description="The hospital's time zone (America/New_York), for times that have a zone.",
    )
    max_corrupt: float = Field(
        default=0.01,
        ge=0,
        le=1,
        description="Largest share of a table's rows that may be unusable and set aside.",
    )

    @property
    def look_back_days(self) -> float | None:
        return self.cohort.look_back_days

    @model_validator(mode="after")
    def _one_source(self) -> OmopSite:
        if (self.path is None) == (self.database is None):
            raise ValueError("give either 'path' or 'database'")
        return self

    @model_validator(mode="after")
    def _sets_exist(self) -> OmopSite:
        if DEATH in self.concept_sets:
            raise ValueError(f"concept_sets: '{DEATH}' is reserved: it stands for the table")
        asked = {"cohort.index.concept_set": self.cohort.index.concept_set}
        asked["cohort.outcome"] = None if self.cohort.outcome == DEATH else self.cohort.outcome
        for key, name in asked.items():
            if name is not None and name not in self.concept_sets:
                sets = ", ".join(sorted(self.concept_sets)) or "none"
                raise ValueError(f"{key} names '{name}'; the concept_sets are {sets}")
        return self


def _files(site: OmopSite, root: Path) -> list[str]:
    from concept_transfer.events.omop.files import table_files

    files = [site.crosswalk] if site.crosswalk else []
    for path in filter(None, (site.path, site.vocabulary_path)):
        place = root / path
        if place.is_dir():
            tables = table_files(place)
            files += [
                f"{path}/{file.relative_to(place).as_posix()}"
                for table in sorted(TABLES & tables.keys())
                for file in tables[table]
            ]
        else:
            files.append(path)
    return files


def _described(site: OmopSite) -> str:
    where = site.path or "a PostgreSQL database"
    index = site.cohort.index
    visits = listing([str(visit) for visit in index.visits])
    entered = f"visits of concept {visits}" if visits else f"events of the set {index.concept_set}"
    at = f" at care sites {listing(list(map(str, site.care_sites)))}" if site.care_sites else ""
    return f"{entered}{at} in {where} (OMOP Common Data Model), predicting {site.cohort.outcome}"


OMOP = Adapter(
    settings=OmopSite,
    check="concept_transfer.sites.omop:check_omop",
    read="concept_transfer.sites.omop:read_omop",
    columns="concept_transfer.sites.omop:columns_of",
    numbers="concept_transfer.sites.omop:read_numbers",
    histories="concept_transfer.sites.omop:read_histories",
    files=_files,
    paths=("path", "vocabulary_path", "crosswalk"),
    described=_described,
    limitation="Of an event whose time of day is not known (no datetime, or midnight) this study "
    "takes the end of its day, so that nothing dated to the day of the index counts as a finding.",
)
