"""Networks: exact posteriors against enumeration of every world, samples against probabilities."""

import copy
import itertools
import re
from collections import Counter, defaultdict

import numpy as np
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chisquare, norm
from sklearn.metrics import roc_auc_score

from concept_transfer.concepts.vocabulary import Vocabulary
from concept_transfer.errors import StudyError
from concept_transfer.settings.task import Task
from concept_transfer.sites.network_files import read_network
from concept_transfer.sites.networks import posterior, sample
from concept_transfer.sites.tokens import token_rows

BASE = {
    "diseases": ["flu", "cold", "croup"],
    "age": {"concept": "age", "states": ["young", "old"]},
    "season": {"concept": "season", "states": ["winter", "summer"]},
    "signs": {
        "aches": {"young": [0.3, 0.1, 0.0], "old": [0.7, 0.2, 0.1]},
        "cough": [0.5, 0.6, 0.9],
    },
    "graded": {
        "temperature": {
            "high": [0.5, 0.1, 0.2],
            "low": {"young": [0.4, 0.2, 0.3], "old": [0.2, 0.3, 0.3]},
            "normal": {"young": [0.1, 0.7, 0.5], "old": [0.3, 0.6, 0.5]},
        }
    },
    "comorbidity_odds": {"cough": 3.0},
}
COUNTY = {
    "base": "base.yaml",
    "diseases": {"flu": 0.2, "cold": 0.5, "croup": 0.3},
    "ages": {
        "flu": {"young": 0.4, "old": 0.6},
        "cold": {"young": 0.5, "old": 0.5},
        "croup": {"young": 0.9, "old": 0.1},
    },
    "seasons": {
        "flu": {"winter": 0.8, "summer": 0.2},
        "cold": {"winter": 0.6, "summer": 0.4},
        "croup": {"winter": 0.3, "summer": 0.7},
    },
    "comorbidity": {"young": 0.1, "old": 0.4},
    "visits": [0.6, 0.3, 0.1],
    "recorded": {
        "usual": {"present": 0.9, "absent": 0.4},
        "cough": {"present": 0.8, "absent": 0.5},
        "temperature": {"high": 0.9, "low": 0.7, "normal": 0.6},
    },
    "wording": {"aches": {"aches": 0.7, "soreness": 0.3}},
}
STATES = {
    "age": ("young", "old"),
    "season": ("winter", "summer"),
    "temperature": ("high", "low", "normal"),
    "aches": ("present", "absent"),
    "soreness": ("present", "absent"),
    "cough": ("present", "absent"),
}
TOKENS = [(concept, state) for concept, states in STATES.items() for state in states]
VOCABULARY = Vocabulary(
    concepts=tuple(concept for concept, _ in TOKENS),
    names=tuple(concept for concept, _ in TOKENS),
    categories=tuple("finding" if "absent" in STATES[c] else c for c, _ in TOKENS),
    states=tuple(state for _, state in TOKENS),
    texts=tuple(f"{concept} {state}" for concept, state in TOKENS),
)


def network_of(folder, base=BASE, county=COUNTY):
    (folder / "base.yaml").write_text(yaml.safe_dump(base))
    (folder / "county.yaml").write_text(yaml.safe_dump(county))
    return read_network(folder / "county.yaml")


@pytest.fixture(scope="module")
def network(tmp_path_factory):
    return network_of(tmp_path_factory.mktemp("network"))


def enumerate_worlds():
    """Probability of every (disease, tokens written), from the numbers above, world by world."""
    worlds = defaultdict(float)
    for number, disease in enumerate(BASE["diseases"]):
        for age, comorbid, season in itertools.product(
            STATES["age"], (False, True), STATES["season"]
        ):
            ill = COUNTY["comorbidity"][age]
            cause = COUNTY["diseases"][disease] * COUNTY["ages"][disease][age]
            cause *= (ill if comorbid else 1 - ill) * COUNTY["seasons"][disease][season]
            aches = BASE["signs"]["aches"][age][number]
            odds = BASE["signs"]["cough"][number] / (1 - BASE["signs"]["cough"][number])
            odds *= BASE["comorbidity_odds"]["cough"] if comorbid else 1
            cough = odds / (1 + odds)
            grades = BASE["graded"]["temperature"]
            high, low, normal = (
                grades[state] if isinstance(grades[state], list) else grades[state][age]
                for state in STATES["temperature"]
            )
            signs = [
                (("aches", 0.7), ("soreness", 0.3), [("present", aches), ("absent", 1 - aches)]),
                (("cough", 1.0), [("present", cough), ("absent", 1 - cough)]),
                (
                    ("temperature", 1.0),
                    [("high", high[number]), ("low", low[number]), ("normal", normal[number])],
                ),
            ]
            choices = []
            for *words, states in signs:
                habit = COUNTY["recorded"].get(words[0][0], COUNTY["recorded"]["usual"])
                options = []
                for state, chance in states:
                    options.append((None, chance * (1 - habit[state])))
                    for word, share in words:
                        options.append(((word, state), chance * habit[state] * share))
                choices.append(options)
            for written in itertools.product(*choices):
                tokens = {("age", age), ("season", season)} | {t for t, _ in written if t}
                worlds[disease, frozenset(tokens)] += cause * np.prod([p for _, p in written])
    return worlds


WORLDS = enumerate_worlds()


def findings_of(token_sets, task):
    row = np.repeat(np.arange(len(token_sets)), [len(tokens) for tokens in token_sets])
    token = np.array([VOCABULARY.index[t] for tokens in token_sets for t in tokens], np.int32)
    return token_rows(row, token, len(token_sets), VOCABULARY, task)


@pytest.mark.parametrize("label", BASE["diseases"])
@pytest.mark.parametrize(
    "limits",
    [
        {},
        {"exclude_categories": ["age", "season"]},
        {"exclude_concepts": ["soreness", "temperature"]},
        {"not_recorded": "absent"},
        {"not_recorded": "absent", "exclude_concepts": ["aches"], "exclude_categories": ["age"]},
    ],
    ids=["all", "categories", "concepts", "absent", "absent and hidden"],
)
def test_posterior_is_exact_given_what_the_task_shows(network, label, limits):
    task = Task(label=label, **limits)
    token_sets = sorted({tokens for _, tokens in WORLDS}, key=sorted)
    findings = findings_of(token_sets, task)
    seen = [tuple(tokens) for tokens in findings]
    view = dict(zip(token_sets, seen, strict=True))
    total, positive = Counter(), Counter()
    for (disease, tokens), probability in WORLDS.items():
        total[view[tokens]] += probability
        positive[view[tokens]] += probability * (disease == label)
    expected = np.array([positive[tokens] / total[tokens] for tokens in seen])
    found = posterior(network, findings, VOCABULARY, task)[:, 1]
    np.testing.assert_allclose(found, expected, atol=1e-12)


def test_the_posterior_ranks_as_the_truth_does(network):
    worlds = [world for world, probability in WORLDS.items() if probability > 0]
    label = np.array([disease == "flu" for disease, _ in worlds], np.int8)
    task = Task(label="flu")
    findings = findings_of([tokens for _, tokens in worlds], task)
    truth = defaultdict(float)
    for (_, tokens), probability in WORLDS.items():
        truth[tokens] += probability
    score = [WORLDS["flu", tokens] / truth[tokens] for _, tokens in worlds]
    chance = posterior(network, findings, VOCABULARY, task)[:, 1]
    assert roc_auc_score(label, np.round(chance, 12)) == pytest.approx(
        roc_auc_score(label, np.round(score, 12)), abs=1e-9
    )


def independent(network, drawn):
    """(disease, tokens) of the first encounter of every patient."""
    first = np.unique(drawn.patient, return_index=True)[1]
    for row in first:
        written = zip(network.findings, drawn.written[row], strict=True)
        tokens = frozenset(f.tokens[w] for f, w in written if w < len(f.tokens))
        yield network.diseases[drawn.disease[row]], tokens


def test_samples_follow_the_joint_distribution(network):
    found = Counter(independent(network, sample(network, 60_000, seed=5)))
    assert set(found) <= {world for world, probability in WORLDS.items() if probability > 0}
    total = sum(found.values())
    common = [world for world, probability in WORLDS.items() if probability * total >= 5]
    counts = [found[world] for world in common]
    expected = [WORLDS[world] * total for world in common]
    counts, expected = [*counts, total - sum(counts)], [*expected, total - sum(expected)]
    assert len(common) > 200
    assert chisquare(counts, expected).pvalue > 1e-3


def test_all_encounters_have_the_same_marginals_whoever_comes_often(network):
    drawn = sample(network, 60_000, seed=6)
    share = np.bincount(drawn.disease) / len(drawn.disease)
    np.testing.assert_allclose(share, [0.2, 0.5, 0.3], atol=0.01)
    season = np.mean(drawn.season[drawn.disease == 2])
    assert season == pytest.approx(0.7, abs=0.02)


def test_patients_come_as_often_as_stated_and_keep_their_age(network):
    drawn = sample(network, 60_000, seed=7)
    assert (np.diff(drawn.patient) >= 0).all()
    visits = np.bincount(np.bincount(drawn.patient)[:-1], minlength=4)[1:]
    assert chisquare(visits, np.array(COUNTY["visits"]) * visits.sum()).pvalue > 1e-3
    age = drawn.written[:, 0]
    same = drawn.patient[1:] == drawn.patient[:-1]
    assert (age[1:][same] == age[:-1][same]).all()
    illness = drawn.disease[1:][same] == drawn.disease[:-1][same]
    assert illness.mean() < 0.6


def test_findings_of_a_patient_are_related_through_comorbidity(network):
    drawn = sample(network, 200_000, seed=8)
    pairs = np.flatnonzero((drawn.patient[1:] == drawn.patient[:-1]) & (drawn.written[1:, 0] == 1))
    column = [finding.tokens[0][0] for finding in network.findings].index("cough")
    cough = (drawn.written[:, column] == 0).astype(float)
    assert np.corrcoef(cough[pairs], cough[pairs + 1])[0, 1] > 3 / np.sqrt(len(pairs))


def test_a_seed_fixes_the_sample(network):
    first, again, other = (sample(network, 500, seed) for seed in (1, 1, 2))
    for field in ("patient", "disease", "season", "written"):
        assert (getattr(first, field) == getattr(again, field)).all()
    assert (first.written != other.written).any()


@given(rows=st.lists(st.integers(0, len(WORLDS) - 1), min_size=1, max_size=60))
@settings(max_examples=30, deadline=None)
def test_posterior_of_an_encounter_does_not_depend_on_its_company(network, rows):
    worlds = [tokens for _, tokens in WORLDS]
    task = Task(label="flu")
    together = posterior(
        network, findings_of([worlds[row] for row in rows], task), VOCABULARY, task
    )[:, 1]
    alone = [
        posterior(network, findings_of([worlds[row]], task), VOCABULARY, task)[0, 1] for row in rows
    ]
    np.testing.assert_allclose(together, alone, rtol=1e-12)


def test_posterior_of_many_encounters_is_that_of_few(network):
    token_sets = sorted({tokens for _, tokens in WORLDS}, key=sorted)
    task = Task(label="flu")
    few = posterior(network, findings_of(token_sets, task), VOCABULARY, task)[:, 1]
    times = 110_000 // len(token_sets) + 1
    many = posterior(network, findings_of(token_sets * times, task), VOCABULARY, task)[:, 1]
    np.testing.assert_allclose(many, np.tile(few, times), rtol=1e-12)


@pytest.mark.parametrize("name", ["north", "south"])
def test_shipped_networks_are_written_in_the_words_of_the_vocabulary(repository, name):
    vocabulary = Vocabulary.read(repository / "resources/concepts/influenza.tsv")
    names = dict(zip(vocabulary.concepts, vocabulary.names, strict=True))
    folder = repository / "resources/networks"
    network = read_network(folder / f"{name}.yaml")
    assert {token for finding in network.findings for token in finding.tokens} <= set(
        vocabulary.index
    )
    for file in ("respiratory.yaml", f"{name}.yaml"):
        for line in (folder / file).read_text().splitlines():
            concepts = list(dict.fromkeys(re.findall(r"\b(?:O?C\d{7}|AC\d{6})\b", line)))
            if concepts:
                assert line.split("#")[1].strip() == ", ".join(names[c] for c in concepts)


@pytest.mark.parametrize("name", ["north", "south"])
def test_shipped_posteriors_are_calibrated(repository, name):
    from concept_transfer.sites.simulated import read_simulated
    from concept_transfer.sites.simulated_site import SimulatedSite

    vocabulary = Vocabulary.read(repository / "resources/concepts/influenza.tsv")
    path = f"resources/networks/{name}.yaml"
    site = SimulatedSite(adapter="simulated", network=path, encounters=40_000, seed=11)
    task = Task(label="influenza", exclude_categories=["lab order", "lab result"])
    extract = read_simulated(site, vocabulary, task, repository)
    findings = extract.inputs["findings"]
    probability = posterior(read_network(repository / path), findings, vocabulary, task)[:, 1]
    for group in np.array_split(np.argsort(probability), 10):
        p = probability[group]
        z = (extract.encounters.labels[group] - p).sum() / np.sqrt((p * (1 - p)).sum())
        assert 2 * norm.sf(abs(z)) > 1e-4


def changed(content, keys, value):
    content = copy.deepcopy(content)
    inner = content
    for key in keys[:-1]:
        inner = inner[key]
    if value is None:
        del inner[keys[-1]]
    else:
        inner[keys[-1]] = value
    return content


@pytest.mark.parametrize(
    ("file", "keys", "value", "message"),
    [
        ("county", ["diseases", "flu"], 0.3, "county.yaml: diseases sums to 1.1"),
        ("county", ["diseases", "gout"], 0.0, "diseases has the unknown entry 'gout'"),
        ("county", ["ages", "flu"], None, "ages lacks flu"),
        ("county", ["ages", "flu", "old"], 0.5, "ages.flu sums to 0.9"),
        ("county", ["seasons", "cold", "spring"], 0.1, "seasons.cold has the unknown entry"),
        ("county", ["comorbidity", "old"], None, "comorbidity lacks old"),
        ("county", ["visits"], [0.5, 0.4], "visits sums to 0.9"),
        ("county", ["recorded", "cuogh"], {}, "recorded has the unknown entry 'cuogh'"),
        ("county", ["recorded", "usual", "absent"], None, "recorded.usual lacks absent"),
        ("county", ["recorded", "temperature"], None, "recorded.temperature lacks high, low"),
        ("county", ["recorded", "cough", "absent"], 1.5, "recorded.cough.absent: Input should"),
        ("county", ["wording", "aches", "pain"], 0.2, "wording.aches sums to 1.2"),
        ("county", ["wording", "aches"], {"cough": 1.0}, "cough is written for aches and for"),
        ("county", ["wording", "ache"], {"cough": 1.0}, "wording has the unknown entry 'ache'"),
        ("county", ["colour"], "red", "colour: Extra inputs are not permitted"),
        ("county", ["base"], "elsewhere.yaml", "elsewhere.yaml does not exist"),
        ("base", ["signs", "cough"], [0.5, 0.6], "base.yaml: signs.cough has 2 probabilities"),
        ("base", ["signs", "cough"], 0.5, "signs.cough.all ages: Input should be a valid list"),
        ("base", ["signs", "aches", "old"], [0, 0, 2], "signs.aches.by age.old.2: Input should"),
        ("base", ["signs", "aches", "old"], None, "signs.aches lacks old"),
        ("base", ["graded", "temperature", "high"], [0.6, 0.1, 0.2], "sum to 1.1 for flu, young"),
        ("base", ["comorbidity_odds", "aches"], -1, "comorbidity_odds.aches: Input should"),
        ("base", ["comorbidity_odds", "gout"], 2, "comorbidity_odds has the unknown entry 'gout'"),
    ],
)
def test_a_wrong_network_is_refused_by_name(tmp_path, file, keys, value, message):
    contents = {"base": BASE, "county": COUNTY}
    contents[file] = changed(contents[file], keys, value)
    with pytest.raises(StudyError, match=re.escape(message)):
        network_of(tmp_path, **contents)


def test_a_missing_or_broken_file_is_named(tmp_path):
    with pytest.raises(StudyError, match=r"none\.yaml does not exist"):
        read_network(tmp_path / "none.yaml")
    (tmp_path / "bad.yaml").write_text("base: [")
    with pytest.raises(StudyError, match=r"bad\.yaml is no YAML file"):
        read_network(tmp_path / "bad.yaml")


def test_an_unknown_label_lists_the_diseases(network):
    task = Task(label="plague")
    with pytest.raises(StudyError, match=r"'plague'.*choose from cold, croup, flu"):
        posterior(network, findings_of([frozenset()], task), VOCABULARY, task)
