"""Simulated histories: what was specified of the sites, the true risk, plausible timelines."""

from __future__ import annotations

import math
import random
from collections import Counter
from pathlib import Path
from typing import Any

import duckdb
import meds
import numpy as np
import pyarrow.parquet as pq
import pytest
import yaml
from scipy.stats import binom
from sklearn.metrics import roc_auc_score

from concept_transfer.analysis.ceiling import site_ceiling
from concept_transfer.cohorts.splitting import make_split
from concept_transfer.concepts.vocabulary import Vocabulary
from concept_transfer.errors import StudyError
from concept_transfer.settings.splits import SplitSettings
from concept_transfer.settings.task import Task
from concept_transfer.simulation import dataset
from concept_transfer.simulation.__main__ import main
from concept_transfer.simulation.dataset import parents_of, write_dataset
from concept_transfer.simulation.reading import read_world
from concept_transfer.simulation.risk import Hidden, outcome_risk
from concept_transfer.sites.meds import read_meds
from concept_transfer.sites.meds_site import MedsSite
from concept_transfer.sites.reading import check_site, read_site
from concept_transfer.sites.simulated_histories import true_risk
from concept_transfer.sites.simulated_histories_site import SimulatedHistoriesSite
from concept_transfer.study import load_study

REPOSITORY = Path(__file__).resolve().parents[1]
VOCABULARY = Vocabulary.read(REPOSITORY / "resources/concepts/histories.tsv")
STUDY = load_study(yaml.safe_load((REPOSITORY / "config/histories.yaml").read_text()))
TASK = STUDY.task
NO_CODE = ("MEDS_BIRTH", "MEDS_DEATH", "ENROLLMENT//END")
QUARTER = 365.25 / 4


def site(name: str, **changes: Any) -> SimulatedHistoriesSite:
    values = STUDY.sites[name].model_dump() | changes
    return SimulatedHistoriesSite.model_validate(values)


@pytest.fixture(scope="module")
def datasets(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The study's two sites as folders."""
    folders = {name: tmp_path_factory.mktemp(name) for name in STUDY.sites}
    for name, folder in folders.items():
        given = site(name)
        world = read_world(REPOSITORY / given.model)
        write_dataset(world, given.patients, given.seed, folder)
    return folders


def rows(folder: Path, query: str) -> list[tuple[Any, ...]]:
    """events is the relation of all events of a dataset."""
    view = f"WITH events AS (SELECT * FROM '{folder}/data/*.parquet') "
    return duckdb.sql(view + query).fetchall()


# --- what was specified before any model was fitted ------------------------------------------


@pytest.mark.parametrize("name", ["a", "b"])
def test_the_true_risk_has_the_auroc_that_was_specified(name: str, datasets: Any) -> None:
    given = site(name)
    written = MedsSite(adapter="meds", path=str(datasets[name]), cohort=given.cohort, age="age")
    extract = read_meds(written, VOCABULARY, TASK, REPOSITORY)
    risk = true_risk(given, extract.encounters, None, VOCABULARY, TASK, REPOSITORY)
    assert np.allclose(risk.sum(axis=1), 1)
    labels, chance = extract.encounters.labels, risk[:, 1]
    assert expected_auroc(chance) == pytest.approx(0.80, abs=0.01)
    assert roc_auc_score(labels, chance) == pytest.approx(0.80, abs=0.04)
    assert chance.mean() == pytest.approx(0.06, abs=0.01)
    for group in np.array_split(
        np.argsort(chance), 5
    ):  # calibrated, from the lowest to the highest
        low, high = binom.interval(0.999, len(group), chance[group].mean())
        assert low <= labels[group].sum() <= high
    assert extract.report["unmapped"] == {}
    dropped = {reason for reason, count in extract.report["dropped"].items() if count}
    assert dropped == {"outcome before the index", "not observed until the end of the time at risk"}


def expected_auroc(chance: np.ndarray) -> float:
    """Over labels drawn by these chances: pairs weighted by how probable they are."""
    positive, negative = chance[:, None], 1 - chance[None, :]
    right = (positive > chance[None, :]) + 0.5 * (positive == chance[None, :])
    pairs = positive * negative
    np.fill_diagonal(pairs, 0)
    return float((pairs * right).sum() / pairs.sum())


def test_sites_differ_in_codes_mix_and_density(datasets: dict[str, Path]) -> None:
    counts = {
        name: Counter(
            dict(
                rows(folder, "SELECT code, count(*) FROM events WHERE time IS NOT NULL GROUP BY 1")
            )
        )
        for name, folder in datasets.items()
    }
    ages = (
        "SELECT avg(date_diff('day', b.time, c.time)) / 365.25 FROM events b JOIN events c "
        "USING (subject_id) WHERE b.code = 'MEDS_BIRTH' AND c.code = 'VISIT//CHECK'"
    )
    for here, there in (("a", "b"), ("b", "a")):
        coded = {code: n for code, n in counts[there].items() if code not in NO_CODE}
        unknown = sum(n for code, n in coded.items() if code not in counts[here])
        assert unknown / sum(coded.values()) == pytest.approx(0.09, abs=0.01)
        assert sum(coded.values()) / 6000 == pytest.approx(95, abs=10)
    (age_a,), (age_b,) = rows(datasets["a"], ages)[0], rows(datasets["b"], ages)[0]
    assert 55 < age_a + 1.5 < age_b < 70
    assert counts["a"]["ICD10CM/J44.9"] < 0.8 * counts["b"]["ICD10CM/J44.9"]
    visits = {n: sum(k for c, k in counts[n].items() if c.startswith("VISIT//")) for n in counts}
    assert visits["b"] < 0.97 * visits["a"]


def test_the_vocabulary_has_all_codes_with_their_texts(datasets: dict[str, Path]) -> None:
    known = dict(zip(VOCABULARY.concepts, VOCABULARY.texts, strict=True))
    seen = set[str]()
    for folder in datasets.values():
        table = pq.read_table(folder / "metadata/codes.parquet").to_pylist()
        texts = {row["code"]: row["description"] for row in table}
        seen |= texts.keys()
        assert {code: known.get(code, text) for code, text in texts.items()} == texts
        assert texts.keys() - known.keys() == {"VISIT//CHECK", "ENROLLMENT//END"}
        written = {code for (code,) in rows(folder, "SELECT DISTINCT code FROM events")}
        assert texts.keys() >= written - set(NO_CODE)
    assert known.keys() - seen == {"age"}
    assert parents_of("ICD10CM/N18.30") == ["ICD10CM/N18"]
    assert parents_of("ICD10CM/I10") == []
    assert parents_of("ATC/C09AA03") == ["ATC/C09AA"]
    assert parents_of("LOINC/4548-4//high") == ["LOINC/4548-4"]


# --- the dataset -----------------------------------------------------------------------------


def test_the_dataset_is_meds(datasets: dict[str, Path]) -> None:
    for folder in datasets.values():
        for file in (folder / "data").rglob("*.parquet"):
            table = pq.read_table(file)
            meds.DataSchema.validate(table)
            columns = [table["subject_id"].to_numpy(), table["time"].to_numpy().astype(np.int64)]
            order = np.lexsort(columns[::-1])
            assert (order == np.arange(len(table))).all()
        meds.CodeMetadataSchema.validate(pq.read_table(folder / "metadata/codes.parquet"))


def test_the_seed_decides_and_patients_are_divided_among_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = read_world(REPOSITORY / "resources/histories/b.yaml")
    for name, seed in (("one", 5), ("same", 5), ("other", 6)):
        write_dataset(world, 200, seed, tmp_path / name)
    one, same, other = (
        pq.read_table(tmp_path / name / "data/0.parquet") for name in ("one", "same", "other")
    )
    assert one.equals(same)
    assert not one.equals(other)
    monkeypatch.setattr(dataset, "PATIENTS_A_FILE", 150)
    write_dataset(world, 200, 5, tmp_path / "many")
    files = sorted((tmp_path / "many/data").iterdir())
    subjects = [np.unique(pq.read_table(file)["subject_id"]).tolist() for file in files]
    assert subjects == [list(range(1, 151)), list(range(151, 201))]


def test_the_adapter_reads_what_meds_reads(tmp_path: Path) -> None:
    given = site("a", patients=1500, seed=4)
    check_site(given, VOCABULARY, TASK, REPOSITORY)
    extract = read_site(given, VOCABULARY, TASK, REPOSITORY)
    model = str(REPOSITORY / given.model)
    assert main([model, "--patients", "1500", "--seed", "4", "--out", str(tmp_path / "site")]) == 0
    written = MedsSite(adapter="meds", path="site", cohort=given.cohort, age="age")
    same = read_site(written, VOCABULARY, TASK, tmp_path)
    assert extract.encounters.table.equals(same.encounters.table)
    assert extract.inputs["findings"].equals(same.inputs["findings"])
    assert extract.report == same.report

    split = make_split(extract.encounters, SplitSettings(by="share"), 1)
    ceiling = site_ceiling(given, extract, split, VOCABULARY, TASK, REPOSITORY, 0.95)
    test = split.fold >= 0
    risk = true_risk(given, extract.encounters, None, VOCABULARY, TASK, REPOSITORY)[test, 1]
    expected = roc_auc_score(extract.encounters.labels[test], risk)
    assert ceiling["estimate"] == pytest.approx(expected, abs=0.01)  # other futures are drawn


def test_timelines_can_be(datasets: dict[str, Path]) -> None:
    for folder in datasets.values():
        per_patient = rows(
            folder,
            """
            SELECT count(*) FILTER (code = 'MEDS_BIRTH'), count(*) FILTER (code LIKE 'GENDER//%'),
                count(*) FILTER (code = 'ENROLLMENT//END'), count(*) FILTER (code = 'VISIT//CHECK'),
                max(time) = max(time) FILTER (code = 'ENROLLMENT//END'),
                coalesce(max(time) = max(time) FILTER (code = 'MEDS_DEATH'), true),
                date_diff('year', min(time), min(time) FILTER (code <> 'MEDS_BIRTH'))
            FROM events GROUP BY subject_id
            """,
        )
        births, sexes, ends, checks, last, dead, ages = map(list, zip(*per_patient, strict=True))
        assert len(per_patient) == 6000
        assert set(births) == set(sexes) == set(ends) == {1}
        assert max(checks) == 1
        assert all(last)
        assert all(dead)
        assert min(ages) >= 34
        assert max(ages) <= 86
        for drug, disease in (("A10B", "E11"), ("C09DX04", "I50"), ("R03BB", "J44"), ("B03", "D")):
            early = rows(
                folder,
                f"""
                SELECT count(*) FROM (
                    SELECT min(time) FILTER (code LIKE 'ATC/{drug}%') AS drug,
                        min(time) FILTER (code LIKE 'ICD10CM/{disease}%') AS disease
                    FROM events GROUP BY subject_id
                ) WHERE drug < coalesce(disease, drug + INTERVAL 1 DAY)
                """,
            )
            assert early == [(0,)]
        hours = "SELECT min(hour(time)), max(hour(time)) FROM events WHERE code LIKE 'VISIT//%'"
        assert rows(folder, hours) == [(8, 16)]


# --- the true risk against a plain walk through one patient's futures ------------------------

DISEASES = {
    "check": "VISIT//CHECK",
    "leaving": 0.2,
    "conditions": {
        "pressure": {"yearly": 0.2, "decade": 1.3, "coded": 0.5, "codes": {"P": 1}, "unnoticed": 1},
        "sugar": {
            "yearly": 0.05,
            "causes": {"pressure": 2.0},
            "unnoticed": 1.5,
            "coded": 0.5,
            "codes": {"S": 1},
        },
        "attack": {"yearly": 0.05, "causes": {"pressure": 3.0}, "coded": 0.5, "codes": {"A": 1}},
        "failure": {
            "yearly": 0.03,
            "decade": 1.5,
            "female": 0.7,
            "causes": {"pressure": 1.5, "sugar": 2.0},
            "recent": {"attack": 8.0},
            "coded": 0.5,
            "codes": {"F": 0.5, "F.1": 0.5},
        },
    },
    "death": {"yearly": 0.05, "decade": 2.0, "causes": {"failure": 3.0}, "recent": {"attack": 4.0}},
    "acute": [{"code": "C", "yearly": 0.1, "only_with": "sugar"}],
    "labs": [{"code": "L", "flag": "high", "measured": 0.1, "flagged": {"usual": 0.1}}],
    "noise": {"N": 1},
    "texts": {
        **{code: code for code in "PSAFCLN"},
        **{f"VISIT//{kind}": kind for kind in ("CHECK", "OUTPATIENT", "EMERGENCY", "INPATIENT")},
        "F.1": "F",
        "GENDER//F": "female",
        "GENDER//M": "male",
        "ENROLLMENT//END": "end",
    },
}
SITE = {
    "base": "base.yaml",
    "ages": {"mean": 60, "spread": 10, "least": 40, "most": 80},
    "female": 0.5,
    "visits": {"usual": 1, "habits": 0.3, "sick": 1},
    "recorded": {"conditions": 1, "labs": 1, "drugs": 0.3, "noise": 0.2},
}


def write_site(folder: Path, site: Any = SITE, diseases: Any = DISEASES) -> Path:
    (folder / "base.yaml").write_text(yaml.safe_dump(diseases))
    (folder / "site.yaml").write_text(yaml.safe_dump(site))
    return folder / "site.yaml"


def yearly(
    entry: dict[str, Any], age: float, female: bool, onset: dict[str, float], now: int
) -> float:
    hazard = entry["yearly"] * entry.get("decade", 1) ** ((age - 50) / 10)
    hazard *= entry.get("female", 1) if female else 1
    for cause, ratio in entry.get("causes", {}).items():
        hazard *= ratio if cause in onset else 1
    for cause, ratio in entry.get("recent", {}).items():
        hazard *= ratio if cause in onset and now - onset[cause] <= 4 else 1
    return hazard


def fate(
    age: float, female: bool, onset: dict[str, float], outcome: str, days: float
) -> bool | None:
    """Whether a patient whose conditions began at these quarters gets the diagnosis while observed;
    None who leaves before that is known."""
    onset, horizon = dict(onset), days / QUARTER
    leaves = random.expovariate(DISEASES["leaving"] / 4)
    delay = 4 * DISEASES["conditions"][outcome].get("unnoticed", 0)
    told = random.expovariate(1 / delay) if outcome in onset else math.inf
    dies = math.inf
    for now in range(math.ceil(horizon)):
        new = {}
        for name, entry in DISEASES["conditions"].items():
            chance = 1 - math.exp(-yearly(entry, age + now / 4, female, onset, now) / 4)
            if name not in onset and random.random() < chance:
                new[name] = now + random.random()
        chance = 1 - math.exp(-yearly(DISEASES["death"], age + now / 4, female, onset, now) / 4)
        if random.random() < chance:
            dies = min(dies, now + random.random())
        if outcome in new:
            told = new[outcome] + (random.expovariate(1 / delay) if delay else 0)
        onset |= new
    if told <= min(horizon, dies, leaves):
        return True
    return None if leaves < min(dies, horizon) else False


@pytest.mark.parametrize(
    ("outcome", "age", "female", "onset", "days"),
    [
        ("failure", 70, True, {"pressure": -9.0, "attack": -1.5}, 365.25),
        ("failure", 55, False, {}, 900),
        ("sugar", 60, False, {"pressure": -2.0}, 700),
        ("sugar", 60, True, {"pressure": -2.0, "sugar": -3.0}, 500),  # nobody has noticed it
    ],
)
def test_the_risk_is_that_of_a_plain_walk_into_the_future(
    outcome: str, age: float, female: bool, onset: dict[str, float], days: float, tmp_path: Path
) -> None:
    world = read_world(write_site(tmp_path))
    names = [condition.name for condition in world.conditions]
    since = np.array([[-onset[name] if name in onset else -np.inf for name in names]])
    known = np.where([name == outcome for name in names], -np.inf, since)
    hidden = Hidden(np.array([age]), np.array([female]), since, known)
    number = np.array([names.index(outcome)])
    random.seed(3)
    fates = [fate(age, female, onset, outcome, days) for _ in range(6000)]
    for complete in (True, False):
        shown = [one for one in fates if one is not None or not complete]
        share = sum(one is True for one in shown) / len(shown)
        rng = np.random.default_rng(1)
        risk = outcome_risk(world, hidden, number, days, rng, complete=complete, futures=3000)[0]
        assert 0.02 < risk < 0.9
        assert risk == pytest.approx(share, abs=4 * (share * (1 - share) / len(shown)) ** 0.5)


# --- what a user may have wrong --------------------------------------------------------------


@pytest.mark.parametrize(
    ("outcome", "said"),
    [
        (["ICD10CM/I50.9"], r"some codes of the condition heart_failure and lacks ICD10CM/I50\.22"),
        (["ICD10CM/J20*"], r"ICD10CM/J20\.9 is written for no condition"),
        (["ICD10CM/I50*", "ATC/C03*"], r"ATC/C03AA03 is written for no condition"),
        (["ICD10CM/Q9*"], r"cohort\.outcome: no event has a code that is 'ICD10CM/Q9\*'"),
    ],
)
def test_an_outcome_whose_risk_nobody_knows_is_refused(outcome: list[str], said: str) -> None:
    given = site("a")
    changed = given.model_copy(
        update={"cohort": given.cohort.model_copy(update={"outcome": outcome})}
    )
    with pytest.raises(StudyError, match=said):
        check_site(changed, VOCABULARY, TASK, REPOSITORY)


def test_a_site_needs_two_classes_and_a_binned_age() -> None:
    three = Task(label="x", classes=["a", "b", "c"])
    with pytest.raises(StudyError, match="has 3 names"):
        check_site(site("a"), VOCABULARY, three, REPOSITORY)
    with pytest.raises(StudyError, match=r"the concept ICD10CM/I10 has no bins"):
        check_site(site("a", age="ICD10CM/I10"), VOCABULARY, TASK, REPOSITORY)
    cohort = site("a").cohort.model_dump() | {"washout_days": 30}
    with pytest.raises(ValueError, match="the true risk is known of patients who never had"):
        site("a", cohort=cohort)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"base": "nowhere.yaml"}, r"nowhere\.yaml does not exist"),
        (
            {"hazards": {"sugr": 2}},
            r"hazards names 'sugr', which is unknown \(nearest are sugar",
        ),
        ({"wording": {"P": {"S": 0.5}}}, r"wording\.P sums to 0\.5"),
        ({"female": 2}, r"female: .*\(got 2\)"),
        (
            {"ages": {"mean": 60, "spread": 9, "least": 50, "most": 40}},
            r"least \(50\) must be below",
        ),
    ],
)
def test_a_wrong_file_is_refused_by_key(change: dict[str, Any], said: str, tmp_path: Path) -> None:
    path = write_site(tmp_path, SITE | change)
    with pytest.raises(StudyError, match=said):
        read_world(path)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"noise": {"X": 1}}, r"texts names 'X'"),
        ({"death": {"yearly": 0.1, "causes": {"flu": 2}}}, r"death\.causes names 'flu'"),
        ({"acute": [{"code": "C", "yearly": 1, "only_with": "flu"}]}, r"acute\.C\.only_with names"),
    ],
)
def test_wrong_diseases_are_refused_by_key(change: Any, said: str, tmp_path: Path) -> None:
    path = write_site(tmp_path, diseases=DISEASES | change)
    with pytest.raises(StudyError, match=said):
        read_world(path)
