"""Nobody trains and tests, whatever a site's data are: every adapter that knows patients, each made
to read two sites of one hospital group that share some of theirs."""

from __future__ import annotations

import datetime
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from omop_tables import write
from synthea_meds import write_labels, write_meds
from test_eicu import TABLES
from test_omop import ER, FLU, concept_tables, condition, period, person, visit
from test_omop import at as hour_of

from concept_transfer.cohorts.splitting import make_split, make_splits
from concept_transfer.concepts.vocabulary import Vocabulary
from concept_transfer.errors import StudyError
from concept_transfer.settings.sites import SiteSection
from concept_transfer.settings.splits import SplitSettings
from concept_transfer.settings.task import Task
from concept_transfer.sites.adapters import ADAPTERS
from concept_transfer.sites.reading import read_site

Visit = tuple[int, str, int, bool]  # patient, site, day, outcome
Built = Mapping[str, dict[str, Any]]  # site -> its section
SITES = ("north", "south")
COUGH = "21"
FORMS: dict[str, Callable[[list[Visit], Path], Built]] = {}


def form(build: Callable[[list[Visit], Path], Built]) -> Callable[[list[Visit], Path], Built]:
    FORMS[build.__name__] = build
    return build


def tables(visits: list[Visit], folder: Path, wide: bool) -> Built:
    sections = {}
    for site in SITES:
        own = [(p, d, y) for p, s, d, y in visits if s == site]
        frame = pd.DataFrame(
            {
                "visit": [f"{p}-{d}" for p, d, _ in own],
                "person": [f"p{p}" for p, _, _ in own],
                "date": [str(datetime.date(2020, 1, 1) + datetime.timedelta(d)) for _, d, _ in own],
                "flu": [int(y) for *_, y in own],
            }
        )
        if wide:
            frame[COUGH] = "yes"
        else:
            frame[["visit"]].assign(code=COUGH).to_csv(folder / f"{site}-long.csv", index=False)
        frame.to_csv(folder / f"{site}.csv", index=False)
        sections[site] = {
            "adapter": "tabular",
            "path": str(folder / f"{site}.csv"),
            "encounter": "visit",
            "patient": "person",
            "time": "date",
            "label": {"column": "flu", "positive": ["1"], "negative": ["0"]},
        }
        if not wide:
            files = [str(folder / f"{site}-long.csv")]
            sections[site]["long"] = {"files": files, "encounter": "visit", "concept": "code"}
    return sections


@form
def wide_tables(visits: list[Visit], folder: Path) -> Built:
    return tables(visits, folder, True)


@form
def long_tables(visits: list[Visit], folder: Path) -> Built:
    return tables(visits, folder, False)


@form
def meds(visits: list[Visit], folder: Path) -> Built:
    people = {p for p, *_ in visits}
    events = [(p, hour_of(-9), COUGH, None, None) for p in people]
    write_meds(folder / "meds", [*events, *((p, hour_of(900), "END", None, None) for p in people)])
    sections = {}
    for site in SITES:
        path = folder / f"{site}.parquet"
        write_labels(path, [(p, hour_of(d), y) for p, s, d, y in visits if s == site])
        sections[site] = {"adapter": "meds", "path": str(folder / "meds"), "labels": str(path)}
    return sections


@form
def omop(visits: list[Visit], folder: Path) -> Built:
    people = {p for p, *_ in visits}
    numbered = {p: i + 1 for i, p in enumerate(sorted(people))}
    rows = {
        **concept_tables(),
        "cdm_source": [{"cdm_source_name": "own", "cdm_version": "5.4"}],
        "person": [person(n) for n in numbered.values()],
        "observation_period": [period(n, -10, 900) for n in numbered.values()],
        "death": [],
        "visit_occurrence": [
            visit(numbered[p], d, 10, ER, 1 + SITES.index(s)) for p, s, d, _ in visits
        ],
        "condition_occurrence": [
            *(condition(n, -5, int(COUGH), 1) for n in numbered.values()),
            *(condition(numbered[p], d, FLU, 12) for p, _, d, y in visits if y),
        ],
    }
    write(rows, folder / "cdm", "parquet")
    cohort = {
        "index": {"visits": [ER]},
        "outcome": "flu",
        "which": "every",
        "washout_days": 0,
        "horizon_days": 0.5,
    }
    sets = {"flu": {"concepts": [FLU]}}
    section = {"adapter": "omop", "path": str(folder / "cdm"), "concept_sets": sets}
    section |= {"cohort": cohort, "domains": ["condition"]}
    return {s: section | {"care_sites": [1 + i]} for i, s in enumerate(SITES)}


@form
def eicu(visits: list[Visit], folder: Path) -> Built:
    stays = [
        (
            *(100 + i, f"p{p}", "Male", "50", 1 + SITES.index(s), 2015),
            *("Expired" if y else "Alive", 9e3, i, 0),
        )
        for i, (p, s, _, y) in enumerate(visits)
    ]
    made = {
        **TABLES,
        "patient": pd.DataFrame(stays, columns=TABLES["patient"].columns),
        "hospital": pd.DataFrame({"hospitalid": [1, 2], "region": ["Midwest", "South"]}),
        "diagnosis": pd.DataFrame(
            [(stay[0], 5, "cough") for stay in stays], columns=TABLES["diagnosis"].columns
        ),
    }
    (folder / "eicu").mkdir()
    for name, table in made.items():
        table.to_csv(folder / "eicu" / f"{name}.csv", index=False)
    return {
        site: {"adapter": "eicu", "path": str(folder / "eicu"), "region": region}
        for site, region in zip(SITES, ("Midwest", "South"), strict=True)
    }


def vocabulary() -> Vocabulary:
    rows = [
        (COUGH, "cough", "finding", "present", "cough", ""),
        ("diagnosis|cough", "cough", "finding", "present", "cough", ""),
    ]
    return Vocabulary(*map(tuple, zip(*rows, strict=True)))


def visits_of(seed: int) -> list[Visit]:
    """One visit a patient and day, at either site; half have the outcome."""
    rng = np.random.default_rng(seed)
    count = rng.integers(120, 160)
    patients, days = rng.integers(1, 61, count).tolist(), rng.integers(1, 201, count).tolist()
    south, outcomes = rng.integers(2, size=count).tolist(), (rng.random(count) < 0.5).tolist()
    found = {
        (p, day): (SITES[at], y)
        for p, day, at, y in zip(patients, days, south, outcomes, strict=True)
    }
    return [(p, site, day, y) for (p, day), (site, y) in sorted(found.items())]


@pytest.mark.parametrize("build", FORMS.values(), ids=FORMS)
@settings(max_examples=6, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(0, 3))
def test_nobody_trains_and_tests(build: Any, drawn: int, seed: int) -> None:
    visits = visits_of(drawn)
    with tempfile.TemporaryDirectory() as folder:
        sections = build(visits, Path(folder))
        sites = {}
        for name, section in sections.items():
            record = ADAPTERS[section["adapter"]]
            site: SiteSection = record.settings.model_validate(section)
            label = "mortality" if record is ADAPTERS["eicu"] else "influenza"
            read = read_site(site, vocabulary(), Task(label=label), Path(folder))
            sites[name] = read.encounters
    for name, encounters in sites.items():
        own = [(p, y) for p, s, _, y in visits if s == name]
        assert len(encounters) == len(own)
        assert encounters.labels.sum() == sum(y for _, y in own)
        patients = encounters.table["patient"].to_pylist()
        assert len(set(patients)) == len({p for p, _ in own})
        assert patients == encounters.table["cluster"].to_pylist()
    config = SplitSettings(by="share", shared_identifiers=True)
    try:
        splits = make_splits(sites, config, seed)
        alone = make_split(sites["north"], SplitSettings(by="folds", folds=3), seed)
    except StudyError:
        assume(False)
    trained, tested = set[str](), set[str]()
    for split in splits.values():
        trained |= set(split.cluster[np.concatenate(split.source_parts())])
        tested |= set(split.cluster[split.parts(0)[2]])
    assert tested
    assert not trained & tested
    for fold in alone.folds:
        train, validation, test = (set(alone.cluster[rows]) for rows in alone.parts(fold))
        assert not (train | validation) & test
