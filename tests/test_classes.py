"""Labels of more than two classes, from a site's raw data to its split and check."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from analysis_data import site_of
from sklearn.metrics import roc_auc_score

from concept_transfer.analysis.ceiling import site_ceiling
from concept_transfer.cohorts.budget import Budget, allow_choice, count_classes
from concept_transfer.cohorts.cohort import Cohort
from concept_transfer.cohorts.encounters import Encounters, encounter_table
from concept_transfer.cohorts.splitting import make_split
from concept_transfer.concepts.vocabulary import Vocabulary
from concept_transfer.errors import StudyError
from concept_transfer.settings.splits import SplitSettings
from concept_transfer.settings.task import Task
from concept_transfer.sites.network_files import read_network
from concept_transfer.sites.networks import class_of_diseases, posterior
from concept_transfer.sites.nhamcs import check_nhamcs
from concept_transfer.sites.nhamcs_site import NhamcsSite
from concept_transfer.sites.profile import site_profile
from concept_transfer.sites.reading import read_site
from concept_transfer.sites.simulated import read_simulated
from concept_transfer.sites.simulated_site import SimulatedSite
from concept_transfer.sites.tabular_site import TabularSite
from concept_transfer.study import load_study

VOCABULARY = Vocabulary(("C1",), ("cough",), ("finding",), ("present",), ("cough",))
TASK = Task(label="infection", classes=["I", "R", "M"])
DISEASES = ["influenza", "rsv", "parainfluenza", "metapneumovirus"]


def a_table(folder: Path, diagnoses: list[str], **label: Any) -> TabularSite:
    rows = "".join(f"{diagnosis},1\n" for diagnosis in diagnoses)
    (folder / "t.csv").write_text("diagnosis,C1\n" + rows)
    spelled = {"column": "diagnosis", "classes": {"M": ["m", "mpv"], "I": ["i"], "R": ["r"]}}
    return TabularSite.model_validate(
        {"adapter": "tabular", "path": "t.csv", "label": {**spelled, **label}}
    )


def test_spellings_become_the_numbers_of_the_task(tmp_path: Path) -> None:
    site = a_table(tmp_path, ["R", "i", "MPV", "x", "m", "r"], drop=["x"])
    extract = read_site(site, VOCABULARY, TASK, tmp_path)
    assert extract.encounters.labels.tolist() == [1, 0, 2, 2, 1]
    assert extract.report["classes"] == {"I": 1, "R": 2, "M": 2}
    turned = Task(label="infection", classes=["M", "I", "R"])
    labels = read_site(site, VOCABULARY, turned, tmp_path).encounters.labels
    assert labels.tolist() == [2, 1, 0, 0, 2]


@pytest.mark.parametrize(
    ("label", "task", "said"),
    [
        ({}, Task(label="flu"), r"label.classes has I, M, R, .*classes of the task .*flu, no flu"),
        ({}, Task(label="y", classes=["I", "R"]), r"label.classes has I, M, R, but .* are I, R"),
        (
            {"classes": {}, "positive": ["i"], "negative": ["r"]},
            TASK,
            r"two classes apart, but task.classes has 3; .*each of I, R, M",
        ),
        (
            {"classes": {"I": ["i"], "R": ["I"], "M": ["m"]}},
            TASK,
            r"label: 'I' spells both 'I' and 'R'",
        ),
    ],
)
def test_classes_of_site_and_task_must_agree(
    tmp_path: Path, label: dict[str, Any], task: Task, said: str
) -> None:
    with pytest.raises(StudyError, match=said):
        read_site(a_table(tmp_path, ["i", "r"], **label), VOCABULARY, task, tmp_path)


@pytest.mark.parametrize(
    ("label", "said"),
    [
        ({"positive": ["i"]}, "give the spellings of 'positive' and 'negative', or 'classes'"),
        ({"classes": {}}, "give the spellings of 'positive' and 'negative', or 'classes'"),
        ({"classes": {"drop": ["i"], "R": ["r"]}}, "'drop' cannot name a class"),
        ({"classes": {"I": [], "R": ["r"]}}, "classes.I: should have at least 1 entry"),
    ],
)
def test_a_label_says_one_way_how_it_is_spelled(label: dict[str, Any], said: str) -> None:
    site = {"adapter": "tabular", "path": "t.csv"}
    site["label"] = {"column": "d", "classes": {"I": ["i"], "R": ["r"]}, **label}
    config = {
        "study": "s",
        "vocabulary": "v.tsv",
        "task": {"label": "y", "classes": ["I", "R"]},
        "sites": {"north": site, "south": site},
        "split": {"by": "share"},
        "embeddings": {"one_hot": {"provider": "one_hot"}},
    }
    with pytest.raises(StudyError, match=rf"sites\.north\.label.*{said}"):
        load_study(config)


def test_a_site_needs_two_classes_and_may_lack_a_third(tmp_path: Path) -> None:
    two = read_site(a_table(tmp_path, ["r", "m", "m"]), VOCABULARY, TASK, tmp_path)
    assert two.report["classes"] == {"I": 0, "R": 1, "M": 2}
    two.validate("north", VOCABULARY)
    said = r"of 3 encounters, all are of the class 'R'; .*two classes or more, of I, R, M"
    with pytest.raises(StudyError, match=said):
        read_site(a_table(tmp_path, ["r", "r", "r"]), VOCABULARY, TASK, tmp_path)


def test_the_check_counts_every_class(tmp_path: Path) -> None:
    diagnoses = ["i"] * 10 + ["r"] * 20 + ["m"] * 30
    extract = read_site(a_table(tmp_path, diagnoses), VOCABULARY, TASK, tmp_path)
    split = make_split(extract.encounters, SplitSettings(by="share", test_share=0.5), 1)
    rows = {row["part"]: row for row in site_profile(extract, split, VOCABULARY, TASK)}
    counted = {part: [row[f"with {k}"] for k in "IRM"] for part, row in rows.items()}
    assert counted == {
        "all": [10, 20, 30],
        "training": [4, 8, 12],
        "validation": [1, 2, 3],
        "test": [5, 10, 15],
    }
    assert "positives" not in rows["all"]


def test_shares_and_folds_are_met_in_every_class() -> None:
    rng = np.random.default_rng(0)
    labels = rng.choice(5, p=[0.5, 0.3, 0.1, 0.06, 0.04], size=4000).astype(np.int8)
    ids = [str(i) for i in range(4000)]
    site = Encounters(encounter_table(ids, [str(i // 2) for i in range(4000)], labels))
    split = make_split(site, SplitSettings(by="folds", folds=4), 1)
    for number, count in Counter(labels.tolist()).items():
        for fold in split.folds:
            validation, test = (
                np.count_nonzero(labels[rows] == number) for rows in split.parts(fold)[1:]
            )
            assert abs(test - count / 4) <= 2
            assert abs(validation - (count - test) / 5) <= 0.03 * count + 2


def test_budgets_count_every_class_of_the_cohort() -> None:
    labels = np.repeat([0, 1, 3], [40, 30, 9])
    cohort = site_of("north", [[] for _ in labels], labels, range(len(labels))).cohort
    rows = np.stack([np.arange(60), np.arange(19, 79)])
    assert count_classes(cohort, rows, 4).tolist() == [[40, 20, 0, 0], [21, 30, 0, 9]]
    shared = np.broadcast_to(np.arange(79), (2, 79))
    assert count_classes(cohort, shared, 4).tolist() == [[40, 30, 0, 9]] * 2
    more = site_of("north", [[] for _ in range(80)], [*labels, 3], range(80)).cohort
    whole = np.broadcast_to(np.arange(80), (2, 80))

    def allowed(cohort: Cohort, rows: np.ndarray) -> list[bool]:
        return allow_choice(cohort, Budget(rows[:, :-1], rows[:, -1:])).tolist()

    assert allowed(cohort, shared) == [False, False]  # nine of the last class
    assert allowed(more, whole) == [True, True]  # nobody has class 2
    assert allowed(more, rows) == [False, False]


def county(repository: Path) -> tuple[SimulatedSite, Vocabulary]:
    network = "resources/networks/north.yaml"
    site = SimulatedSite(adapter="simulated", network=network, encounters=3000)
    return site, Vocabulary.read(repository / "resources/concepts/influenza.tsv")


HIDDEN = ["lab order", "lab result", "impression"]
INFECTIONS = Task(label="infection", classes=DISEASES, exclude_categories=HIDDEN)


def test_four_infections_are_sampled_and_told_apart(repository: Path) -> None:
    site, vocabulary = county(repository)
    extract = read_simulated(site, vocabulary, INFECTIONS, repository)
    alone = {
        name: read_simulated(site, vocabulary, Task(label=name), repository).encounters.labels
        for name in DISEASES
    }
    labels = extract.encounters.labels
    assert all((labels == k).tolist() == alone[n].tolist() for k, n in enumerate(DISEASES))
    network = read_network(repository / site.network)
    chances = posterior(network, extract.inputs["findings"], vocabulary, INFECTIONS)
    assert chances.sum(axis=1) == pytest.approx(np.ones(3000))
    for number, name in enumerate(DISEASES):
        task = Task(label=name, exclude_categories=HIDDEN)
        one = posterior(network, extract.inputs["findings"], vocabulary, task)[:, 1]
        assert chances[:, number] == pytest.approx(one)
    split = make_split(extract.encounters, SplitSettings(by="share", test_share=0.5), 1)
    test = split.fold >= 0
    ceiling = site_ceiling(site, extract, split, vocabulary, INFECTIONS, repository, 0.95)
    expected = roc_auc_score(labels[test], chances[test], multi_class="ovr", average="macro")
    assert ceiling["estimate"] == pytest.approx(expected)
    assert expected - 0.05 < ceiling["lower"] < expected < ceiling["upper"] < expected + 0.05


@pytest.mark.parametrize(
    ("classes", "expected"),
    [
        (None, [0, 1, 0, 0]),
        (["another", "rsv", "influenza"], [2, 1, 0, 0]),
        (["rsv", "influenza", "metapneumovirus", "parainfluenza"], [1, 0, 3, 2]),
        (["rsv", "influenza"], "leaves out metapneumovirus, parainfluenza"),
        (["another", *DISEASES], "'another', which is no disease .* every disease has its own"),
        (["another", "measles"], "task.classes names 'measles', which is no disease"),
    ],
)
def test_classes_are_diseases_or_all_others(
    repository: Path, classes: list[str] | None, expected: list[int] | str
) -> None:
    network = read_network(repository / "resources/networks/north.yaml")
    task = Task(label="rsv", classes=classes)
    if isinstance(expected, str):
        with pytest.raises(StudyError, match=expected):
            class_of_diseases(network, task)
    else:
        assert class_of_diseases(network, task).tolist() == expected


def test_nhamcs_tells_two_classes_apart(tmp_path: Path) -> None:
    site = NhamcsSite(adapter="nhamcs", path=".", years=[2019], region="South")
    task = Task(label="influenza", classes=["none", "A", "B"])
    with pytest.raises(StudyError, match=r"task\.classes has 3 names.*two classes"):
        check_nhamcs(site, VOCABULARY, task, tmp_path)
