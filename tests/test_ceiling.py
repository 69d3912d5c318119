"""The ceiling: the exact posterior of the network, on test encounters alone."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from concept_transfer.analysis.ceiling import site_ceiling
from concept_transfer.cohorts.encounters import Encounters
from concept_transfer.cohorts.splitting import make_split
from concept_transfer.concepts.vocabulary import Vocabulary
from concept_transfer.errors import StudyError
from concept_transfer.settings.splits import SplitSettings
from concept_transfer.settings.task import Task
from concept_transfer.sites.extract import Extract
from concept_transfer.sites.network_files import read_network
from concept_transfer.sites.networks import posterior
from concept_transfer.sites.simulated import read_simulated
from concept_transfer.sites.simulated_site import SimulatedSite

TASK = Task(label="influenza", exclude_categories=["lab result", "lab order", "impression"])


@pytest.fixture(scope="module")
def north(repository):
    site = SimulatedSite(
        adapter="simulated", network="resources/networks/north.yaml", encounters=6000, seed=3
    )
    vocabulary = Vocabulary.read(repository / "resources/concepts/influenza.tsv")
    extract = read_simulated(site, vocabulary, TASK, repository)
    return site, vocabulary, extract


def rows_of(extract, rows):
    encounters = Encounters(extract.encounters.table.take(rows))
    return Extract(encounters, {"findings": extract.inputs["findings"].select(rows)}, {})


@pytest.mark.parametrize(
    "split", [SplitSettings(by="share", test_share=0.4), SplitSettings(by="folds", folds=3)]
)
def test_it_is_the_auroc_of_the_posterior_on_the_test_encounters(north, split, repository):
    site, vocabulary, extract = north
    divided = make_split(extract.encounters, split, 1)
    network = read_network(repository / site.network)
    test = divided.fold >= 0
    chance = posterior(network, extract.inputs["findings"], vocabulary, TASK)[test, 1]
    expected = roc_auc_score(extract.encounters.labels[test], chance)
    ceiling = site_ceiling(site, extract, divided, vocabulary, TASK, repository, 0.95)
    assert ceiling["estimate"] == pytest.approx(expected, abs=1e-12)
    assert test.all() == (split.by == "folds")


def test_its_interval_is_for_the_network_not_for_the_sample(north, repository):
    """Of twenty samples of 300 encounters, most 90 % intervals hold the AUROC of all 6,000."""
    site, vocabulary, extract = north
    network = read_network(repository / site.network)
    chances = posterior(network, extract.inputs["findings"], vocabulary, TASK)
    truth = roc_auc_score(extract.encounters.labels, chances[:, 1])
    held = []
    for start in range(0, 6000, 300):
        part = rows_of(extract, np.arange(start, start + 300))
        divided = make_split(part.encounters, SplitSettings(by="folds", folds=2), 1)
        found = site_ceiling(site, part, divided, vocabulary, TASK, repository, 0.9)
        assert 0 < found["lower"] < found["estimate"] < found["upper"] < 1
        held.append(found["lower"] < truth < found["upper"])
    assert np.mean(held) >= 0.7


def test_a_fitted_model_stays_below_it(north, repository):
    site, vocabulary, extract = north
    divided = make_split(extract.encounters, SplitSettings(by="share", test_share=0.5), 1)
    ceiling = site_ceiling(site, extract, divided, vocabulary, TASK, repository, 0.95)
    findings = extract.inputs["findings"].matrix(len(vocabulary))
    test = divided.fold >= 0
    model = LogisticRegression(C=0.1, max_iter=500).fit(
        findings[~test], extract.encounters.labels[~test]
    )
    reached = roc_auc_score(
        extract.encounters.labels[test], model.decision_function(findings[test])
    )
    assert 0.6 < reached < ceiling["estimate"] < 1


def test_a_label_the_network_does_not_know_is_refused(north, repository):
    site, vocabulary, extract = north
    divided = make_split(extract.encounters, SplitSettings(by="share"), 1)
    with pytest.raises(StudyError, match=r"task\.label is 'measles'"):
        site_ceiling(site, extract, divided, vocabulary, Task(label="measles"), repository, 0.95)
