"""Simulated sites: canonical encounters of a network, and counties worth transferring between."""

from pathlib import Path

import numpy as np
import pytest
import yaml
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from concept_transfer.concepts.vocabulary import Vocabulary
from concept_transfer.errors import StudyError
from concept_transfer.settings.task import Task
from concept_transfer.sites.extract import Extract
from concept_transfer.sites.network_files import read_network
from concept_transfer.sites.networks import posterior
from concept_transfer.sites.simulated import check_simulated, read_simulated
from concept_transfer.sites.simulated_site import SimulatedSite
from concept_transfer.study import load_study

REPOSITORY = Path(__file__).resolve().parents[1]
VOCABULARY = Vocabulary.read(REPOSITORY / "resources/concepts/influenza.tsv")
TASK = Task(label="influenza", exclude_categories=["impression", "lab order", "lab result"])
SEASON_OF_MONTH = ["winter"] * 2 + ["spring"] * 3 + ["summer"] * 3 + ["autumn"] * 3 + ["winter"]


def site(name="north", encounters=3000, seed=1):
    network = f"resources/networks/{name}.yaml"
    return SimulatedSite(adapter="simulated", network=network, encounters=encounters, seed=seed)


def read(name="north", encounters=3000, seed=1, task=TASK):
    return read_simulated(site(name, encounters, seed), VOCABULARY, task, REPOSITORY)


def tokens_of(extract):
    return list(extract.inputs["findings"])


def state_of(extract, concept):
    """State of a concept that every encounter has."""
    ids = [VOCABULARY.token(concept, state) for state in VOCABULARY.concept_states[concept]]
    return [VOCABULARY.states[t] for t in extract.inputs["findings"].values if t in ids]


@pytest.fixture(scope="module")
def north():
    return read()


def test_an_extract_survives_the_contract_and_the_disk(north, tmp_path):
    north.write(tmp_path / "north", VOCABULARY)
    again = Extract.read(tmp_path / "north", VOCABULARY)
    assert again.encounters.table.equals(north.encounters.table)
    assert again.inputs["findings"].equals(north.inputs["findings"])
    assert again.report == north.report


def test_dates_lie_in_the_season_that_was_written(north):
    days = north.encounters.table.column("time").to_pylist()
    assert [SEASON_OF_MONTH[day.month - 1] for day in days] == state_of(north, "season")
    assert days == sorted(days)
    assert str(days[0]) < "2021-08"
    assert str(days[-1]) > "2025-05"


def test_patients_are_clusters_of_one_age_with_encounters_in_several_years(north):
    table = north.encounters.table.to_pandas().assign(age=state_of(north, "agegroup"))
    assert (table["patient"] == table["cluster"]).all()
    patients = table.groupby("patient")
    assert (patients["age"].nunique() == 1).all()
    visits = patients.size()
    assert 0.1 < (visits > 1).mean() < 0.4
    years = table["time"].map(lambda day: day.year)
    assert years.groupby(table["patient"]).nunique().max() > 1
    assert table.loc[table["time"].map(str) >= "2024-07-01", "label"].sum() > 50


def test_label_is_the_disease(north):
    influenza = north
    rsv = read(task=Task(label="rsv", exclude_categories=TASK.exclude_categories))
    assert (influenza.inputs["findings"].values == rsv.inputs["findings"].values).all()
    assert not (influenza.encounters.labels & rsv.encounters.labels).any()
    assert influenza.encounters.labels.mean() == pytest.approx(0.15, abs=0.03)
    assert rsv.encounters.labels.mean() == pytest.approx(0.33, abs=0.04)


def test_excluded_categories_are_not_in_the_tokens(north):
    everything = read(task=Task(label="influenza"))
    hidden = np.isin(VOCABULARY.categories, TASK.exclude_categories)
    assert hidden[everything.inputs["findings"].values].any()
    for all_tokens, tokens in zip(tokens_of(everything), tokens_of(north), strict=True):
        assert (all_tokens[~hidden[all_tokens]] == tokens).all()


def test_unrecorded_findings_can_be_read_as_absent(north):
    filled = read(task=Task(**{**TASK.model_dump(), "not_recorded": "absent"}))
    absent = np.array(VOCABULARY.states) == "absent"
    for with_absent, tokens in zip(tokens_of(filled), tokens_of(north), strict=True):
        added = np.setdiff1d(with_absent, tokens)
        assert absent[added].all()
        assert np.isin(tokens, with_absent).all()


def test_report_counts_what_was_not_recorded():
    extract = read(task=Task(label="influenza"))
    assert extract.report["encounters"] == extract.report["rows_read"] == 3000
    assert extract.report["positives"] == extract.encounters.labels.sum()
    concept = np.array(VOCABULARY.concepts)[extract.inputs["findings"].values]
    for name, silent in extract.report["not_recorded"].items():
        assert silent == 3000 - (concept == name).sum()
    assert "agegroup" not in extract.report["not_recorded"]


def test_reading_twice_gives_the_same_and_another_seed_does_not(north):
    again = read()
    assert again.encounters.table.equals(north.encounters.table)
    assert (again.inputs["findings"].values == north.inputs["findings"].values).all()
    other = read(seed=2)
    assert not other.encounters.table.equals(north.encounters.table)


def test_more_encounters_than_fit_in_one_part_are_joined_in_order():
    extract = read(encounters=210_000)
    extract.validate("north", VOCABULARY)
    days = extract.encounters.table.column("time").to_pylist()
    assert [SEASON_OF_MONTH[day.month - 1] for day in days] == state_of(extract, "season")


def test_an_unknown_label_lists_the_diseases():
    with pytest.raises(StudyError, match=r"'measles'.*influenza, metapneumovirus"):
        read(task=Task(label="measles"))


def test_check_names_what_the_vocabulary_lacks(tmp_path):
    check_simulated(site(), VOCABULARY, Task(label="influenza"), REPOSITORY)
    columns = ("concepts", "names", "categories", "states", "texts")
    kept = [i for i, concept in enumerate(VOCABULARY.concepts) if concept != "C0003862"]
    smaller = Vocabulary(*(tuple(getattr(VOCABULARY, c)[i] for i in kept) for c in columns))
    with pytest.raises(StudyError, match=r"north\.yaml: the vocabulary has no concept 'C0003862'"):
        check_simulated(site(), smaller, Task(label="influenza"), REPOSITORY)


def test_check_refuses_seasons_without_months(tmp_path):
    folder = REPOSITORY / "resources/networks"
    for name in ("respiratory.yaml", "north.yaml"):
        text = (folder / name).read_text().replace("autumn", "monsoon")
        (tmp_path / name).write_text(text)
    monsoon = SimulatedSite(adapter="simulated", network="north.yaml")
    with pytest.raises(StudyError, match="season 'monsoon' has no months"):
        check_simulated(monsoon, VOCABULARY, Task(label="influenza"), tmp_path)


def test_demo_counties_lose_in_transfer_what_words_carry():
    """One-hot logistic regression: good at home, clearly worse abroad, below the ceiling."""
    task = load_study(yaml.safe_load((REPOSITORY / "config/config.yaml").read_text())).task
    train, test, home, ceiling = {}, {}, {}, {}
    for name in ("north", "south"):
        train[name] = read(name, 6000, task=task)
        test[name] = read(name, 15_000, seed=2, task=task)
        network = read_network(REPOSITORY / f"resources/networks/{name}.yaml")
        chances = posterior(network, test[name].inputs["findings"], VOCABULARY, task)
        ceiling[name] = roc_auc_score(test[name].encounters.labels, chances[:, 1])
        home[name] = transferred(train[name], test[name])
        assert 0.88 < home[name] < 0.93
        assert 0.01 < ceiling[name] - home[name] < 0.04
    for source, target in (("north", "south"), ("south", "north")):
        assert 0.03 < home[target] - transferred(train[source], test[target]) < 0.08


def transferred(source, target):
    model = LogisticRegression(C=1.0, max_iter=1000).fit(findings(source), source.encounters.labels)
    return roc_auc_score(target.encounters.labels, model.decision_function(findings(target)))


def findings(extract):
    return extract.inputs["findings"].matrix(len(VOCABULARY))
