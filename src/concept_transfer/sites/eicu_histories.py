"""Histories of intensive-care stays: what was recorded at a stay, and at a patient's earlier ones.

eICU has no dates. Minutes are since admission to the unit, which is so many minutes after admission
to hospital; of several admissions to hospital the year of discharge alone is known. Each is put
into its year, those of one year at equal distances.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from duckdb import DuckDBPyConnection

from concept_transfer.cohorts.encounters import Encounters
from concept_transfer.errors import StudyError
from concept_transfer.events.database import database
from concept_transfer.events.histories import check_any, cohort_histories, patient_histories
from concept_transfer.paths import resolve
from concept_transfer.settings.task import Task
from concept_transfer.sites.eicu import TELLING
from concept_transfer.sites.eicu_site import EicuSite, table_file
from concept_transfer.sites.eicu_stays import (
    MINUTES,
    SEX,
    ages_of,
    at_site,
    numbers_of,
    read_stays,
    refuse,
)
from concept_transfer.sites.eicu_tables import STAY, query_rows
from concept_transfer.sites.histories import Histories

if TYPE_CHECKING:
    import pandas as pd

DAYS_A_YEAR = 365.25
EVENTS = """
    CREATE OR REPLACE TEMP VIEW timed AS
    SELECT s.*, s.begins + to_microseconds((r.minutes * 60e6)::BIGINT) AS time, r.code,
        s.stay || ' ' || floor(r.minutes / 1440)::BIGINT AS visit
    FROM records r JOIN stays s USING (stay)
    """
OF_ENCOUNTERS = """
    CREATE OR REPLACE TEMP TABLE events AS
    SELECT e.stay AS patient, t.time, t.code, t.visit
    FROM stays e JOIN timed t ON t.person = e.person AND t.begins <= e.begins
        AND (t.hospital_stay = e.hospital_stay OR t.year < e.year)
    WHERE e.row IS NOT NULL AND {kept}
    UNION ALL SELECT stay, NULL, '{sex}|' || sex, NULL FROM stays WHERE sex != '';
    CREATE OR REPLACE TEMP TABLE births AS
    SELECT stay AS patient, born AS time FROM stays WHERE born IS NOT NULL;
    CREATE OR REPLACE TEMP TABLE cohort AS
    SELECT row::INTEGER AS row, stay AS patient, TIMESTAMP '-infinity' AS since,
        begins + to_microseconds({index}) AS time FROM stays WHERE row IS NOT NULL
    """
OF_PATIENTS = """
    CREATE OR REPLACE TEMP TABLE events AS
    SELECT person AS patient, time, code, visit FROM timed
    UNION ALL SELECT person, NULL, '{sex}|' || max(sex), NULL FROM stays WHERE sex != ''
        GROUP BY person;
    CREATE OR REPLACE TEMP TABLE births AS
    SELECT person AS patient, min(born) AS time FROM stays WHERE born IS NOT NULL GROUP BY person
    """


def read_histories(site: EicuSite, encounters: Encounters, task: Task, root: Path) -> Histories:
    """Histories of the encounters that `read_eicu` made, and whole records of all patients of the
    site.

    A history holds what the site's tables recorded before the index time at the stay, at earlier
    stays of the same admission to hospital, and at admissions that ended in an earlier year; codes
    that tell the outcome are no part of it, as of findings. A visit is a day of a stay, counted
    from admission to the unit. Raises StudyError.
    """
    folder = resolve(site.path, root)
    stays = _placed(site, folder, encounters)
    with database() as db:
        db.register("given_stays", stays)
        db.execute("CREATE TEMP TABLE stays AS SELECT * FROM given_stays")
        db.execute("CREATE TEMP TABLE records (stay VARCHAR, minutes DOUBLE, code VARCHAR)")
        for table in site.tables:
            _load(db, folder, table)
        db.execute(EVENTS)
        kept, index = _told(task), round(site.after_hours * MINUTES * 60e6)
        db.execute(OF_ENCOUNTERS.format(kept=kept, index=index, sex=SEX))
        cohort = cohort_histories(db)
        check_any(cohort)
        db.execute(OF_PATIENTS.format(sex=SEX))
        return Histories(cohort, *patient_histories(db))


def _placed(site: EicuSite, folder: Path, encounters: Encounters) -> pd.DataFrame:
    """The site's stays in time: `row` (the encounter, or none), `stay`, `person`, `hospital_stay`,
    `year`, `begins`, `born` and `sex`."""
    import pandas as pd

    path = table_file(folder, "patient")
    stays = read_stays(folder)
    year, after = (
        numbers_of(stays[column]) for column in ("hospitaldischargeyear", "hospitaladmitoffset")
    )
    refuse(path, "hospitaldischargeyear", np.isnan(year), "is no year; histories need one")
    refuse(path, "hospitaladmitoffset", np.isnan(after), "is no number of minutes")
    placed = pd.DataFrame(
        {
            "stay": stays[STAY],
            "person": stays["uniquepid"],
            "hospital_stay": stays["patienthealthsystemstayid"],
            "year": year.astype(int),
            "sex": stays["gender"].str.lower(),
        }
    )[at_site(site, stays, folder)]
    admissions = placed.drop_duplicates(["person", "hospital_stay"])
    in_year = admissions.groupby(["person", "year"])["stay"]
    share = (in_year.cumcount() / in_year.transform("size")).rename("share")
    keys = ["person", "hospital_stay"]
    shares = placed.merge(admissions[keys].assign(share=share), on=keys, how="left")["share"]
    first = pd.to_datetime(placed["year"].astype(str) + "-01-01").astype("datetime64[us]")
    own = placed.index
    minutes = shares.to_numpy() * DAYS_A_YEAR * 24 * MINUTES - after[own]
    placed["begins"] = first + pd.to_timedelta(minutes, unit="min").astype("timedelta64[us]")
    years = pd.to_timedelta(ages_of(stays)[own] * DAYS_A_YEAR, unit="D")
    placed["born"] = placed["begins"] - years.astype("timedelta64[us]")
    rows = pd.Series(np.arange(len(encounters.table)), encounters.table["encounter"].to_pylist())
    placed["row"] = placed["stay"].map(rows).astype("Int64")
    if placed["row"].notna().sum() != len(rows):
        raise StudyError(
            f"{path} lacks some of the {len(rows):,} stays of encounters.parquet; delete the "
            "site's folder in encounters/, and let the workflow write it again"
        )
    return placed


def _load(db: DuckDBPyConnection, folder: Path, table: str) -> None:
    """Add to ``records`` what a table holds of the site's stays."""
    found = query_rows(
        db,
        folder,
        table,
        """
        SELECT stay, minutes, code, min(number) FILTER (minutes IS NULL) AS wrong
        FROM rows SEMI JOIN stays USING (stay) GROUP BY stay, minutes, code
        """,
    )
    db.register("found", found)
    db.execute("INSERT INTO records SELECT stay, minutes, code FROM found")
    db.unregister("found")


def _told(task: Task) -> str:
    """SQL of codes that do not tell the outcome."""
    if task.label not in TELLING:
        return "true"
    return (
        "(starts_with(t.code, 'past history|') OR "
        f"NOT regexp_matches(t.code, '{TELLING[task.label]}', 'i'))"
    )
