"""Site shift against closed forms of networks whose distributions are known."""

import numpy as np
import pandas as pd
import pytest
from analysis_data import STATES, a_network, a_vocabulary, sampled_site, site_of, true_shares
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.distance import jensenshannon
from scipy.stats import entropy
from sklearn.metrics import roc_auc_score

from concept_transfer.analysis import counts as counting
from concept_transfer.analysis.counts import bootstrap_counts
from concept_transfer.analysis.discrepancy import (
    Pooled,
    chance_spread,
    discrepancy,
    median_distance,
    pool,
    subsample,
)
from concept_transfer.analysis.divergence import (
    divergence_interval,
    jensen_shannon,
    kullback_leibler,
    smoothed,
)
from concept_transfer.analysis.findings import (
    finding_shift,
    recorded_outcomes,
)
from concept_transfer.analysis.loss import DISTANCES, rank_correlations, shift_against_loss
from concept_transfer.analysis.shift import site_shift
from concept_transfer.analysis.two_sample import classifier_auroc
from concept_transfer.evaluation.delong import clustered_auroc, placements, variance

VOCABULARY = a_vocabulary()
CONCEPT_OF = VOCABULARY.concept_numbers
CONCEPTS = list(STATES)


def js_bits(p, q):
    middle = (np.asarray(p) + np.asarray(q)) / 2
    return (entropy(p, middle, base=2) + entropy(q, middle, base=2)) / 2


@pytest.fixture(scope="module")
def counties(tmp_path_factory):
    folder = tmp_path_factory.mktemp("networks")
    return a_network(folder), a_network(folder, elsewhere=True)


# --- divergences ---------------------------------------------------------------------------


@given(
    st.lists(
        st.lists(st.tuples(st.integers(0, 50), st.integers(0, 50)), min_size=2, max_size=5),
        min_size=1,
        max_size=4,
    )
)
def test_divergences_equal_scipy_concept_by_concept(concepts):
    owner = np.repeat(np.arange(len(concepts)), [len(c) for c in concepts])
    flat = np.array([pair for concept in concepts for pair in concept], float).T
    flat[:, np.flatnonzero(np.diff(owner, prepend=-1))] += 1  # no concept without an encounter
    p, q = smoothed(flat[0], owner, 10), smoothed(flat[1], owner, 10)
    js, kl = jensen_shannon(p, q, owner), kullback_leibler(p, q, owner)
    for place in range(len(concepts)):
        own = owner == place
        assert p[own].sum() == pytest.approx(1)
        raw = flat[0, own] / flat[0, own].sum()
        np.testing.assert_allclose(p[own], (raw + 0.05) / (1 + 0.05 * own.sum()))
        expected = np.nan_to_num(jensenshannon(p[own], q[own], base=2)) ** 2
        assert js[place] == pytest.approx(expected, abs=1e-12)
        assert kl[place] == pytest.approx(entropy(p[own], q[own], base=2), abs=1e-12)
    np.testing.assert_allclose(jensen_shannon(q, p, owner), js, atol=1e-15)
    assert ((js >= -1e-15) & (js <= 1)).all()


@pytest.mark.parametrize(
    ("p", "q"),
    [
        ([0.5, 0.5], [0.5, 0.5]),
        ([0.2, 0.3, 0.5], [0.2, 0.3, 0.5]),
        ([0.5, 0.5], [0.47, 0.53]),
        ([0.2, 0.3, 0.5], [0.24, 0.3, 0.46]),
        ([0.1, 0.2, 0.7], [0.4, 0.3, 0.3]),
    ],
)
def test_intervals_of_divergences_cover_the_truth_near_and_far_from_zero(p, q):
    rng = np.random.default_rng(8)
    n, repeats, draws = 800, 500, 400
    owner = np.repeat(np.arange(repeats), len(p))
    samples = []
    for shares in (p, q):
        observed = rng.multinomial(n, shares, size=repeats)
        drawn = rng.multinomial(n - 1, observed / n, size=(draws, repeats))
        stacked = np.concatenate([observed[None], drawn]).reshape(1 + draws, -1)
        samples.append(smoothed(stacked.astype(float), owner, n))
    divergence = jensen_shannon(*samples, owner)
    estimate, lower, upper = divergence_interval(divergence[0], divergence[1:], 0.95)
    truth = js_bits(p, q)
    covered = np.mean((lower <= truth) & (truth <= upper))
    assert 0.925 <= covered <= (0.995 if truth == 0 else 0.985)
    uncorrected = divergence[0].mean() - truth
    assert abs(np.mean(estimate) - truth) < max(0.6 * uncorrected, 0.02 * truth)
    if truth > 0.05:  # the sum over many independent findings, as a pair's distance is
        sums = divergence[:, :30].sum(axis=1, keepdims=True)
        _, low, high = divergence_interval(sums[0], sums[1:], 0.95)
        assert low[0] <= 30 * truth <= high[0]


def test_an_interval_needs_draws_and_is_a_point_without_spread():
    observed = np.array([0.2, 0.0])
    estimate, lower, upper = divergence_interval(observed, np.full((50, 2), np.nan), 0.95)
    assert estimate.tolist() == observed.tolist()
    assert np.isnan([lower, upper]).all()
    _, lower, upper = divergence_interval(observed, np.tile(observed, (50, 1)), 0.95)
    assert lower.tolist() == upper.tolist() == observed.tolist()


# --- counts --------------------------------------------------------------------------------


def test_the_sample_is_counted_encounter_by_encounter(counties):
    site = sampled_site("here", counties[0], 300, 1)
    found = bootstrap_counts(site, CONCEPT_OF, 50, seed=1)
    for label in (0, 1):
        tokens, concepts = np.zeros(len(VOCABULARY)), np.zeros(len(CONCEPTS))
        rows = np.flatnonzero(site.labels == label)
        for row in rows:
            own = site.inputs["findings"][row]
            tokens[own] += 1
            concepts[list({CONCEPT_OF[token] for token in own})] += 1
        assert found.encounters[0, label] == len(rows)
        np.testing.assert_array_equal(found.tokens[0, label], tokens)
        np.testing.assert_array_equal(found.concepts[0, label], concepts)
    assert found.units == len(set(site.split.cluster))
    again = bootstrap_counts(site, CONCEPT_OF, 50, seed=1)
    np.testing.assert_array_equal(again.tokens, found.tokens)


def test_a_concept_with_two_states_counts_once():
    site = site_of("here", [[2, 3], [4], []], [0, 1, 0], ["a", "b", "c"])
    found = bootstrap_counts(site, CONCEPT_OF, 10, seed=1)
    assert found.tokens[0, 0, [2, 3]].tolist() == [1, 1]
    assert found.concepts[0, 0, CONCEPT_OF[2]] == 1
    assert found.encounters[0].tolist() == [2, 1]


def test_draws_spread_as_clusters_do_however_they_are_grouped(monkeypatch):
    """All encounters of a cluster agree, so a rate's variance is that of the clusters' mean."""
    rng = np.random.default_rng(3)
    clusters, size = 600, 4
    agrees = rng.random(clusters) < 0.4
    tokens = [[0] if agrees[c] else [] for c in np.repeat(np.arange(clusters), size)]
    labels = np.arange(len(tokens)) % 2
    site = site_of("here", tokens, labels, np.repeat(np.arange(clusters), size))
    expected = np.sqrt(agrees.var(ddof=1) / clusters)
    for most in (5000, 150):
        monkeypatch.setattr(counting, "GROUPS", most)
        found = bootstrap_counts(site, CONCEPT_OF, 1500, seed=2)
        rate = found.whole[1][1:, 0] / found.whole[0][1:]
        assert found.units == min(most, clusters)
        assert rate.std() == pytest.approx(expected, rel=0.15)


def test_one_cluster_gives_no_interval():
    site = site_of("here", [[0], [1], []], [0, 1, 0], ["a", "a", "a"])
    found = bootstrap_counts(site, CONCEPT_OF, 20, seed=1)
    assert np.isnan(found.tokens[1:]).all()
    pair, concept = finding_shift(
        found, found, recorded_outcomes(VOCABULARY, CONCEPT_OF, [found]), 0.95
    )
    assert all(np.isnan(row["lower"]) for row in [*pair, *concept])


# --- two sites whose distance is known -----------------------------------------------------


def shifted(networks, size, seed, draws=200):
    sites = [sampled_site(f"s{i}", n, size, seed + i) for i, n in enumerate(networks)]
    drawn = [bootstrap_counts(site, CONCEPT_OF, draws, seed) for site in sites]
    outcomes = recorded_outcomes(VOCABULARY, CONCEPT_OF, drawn)
    return finding_shift(*drawn, outcomes, 0.95)


def true_distances(source, target):
    shares = [true_shares(n) for n in (source, target)]
    by_label = [[true_shares(n, label) for n in (source, target)] for label in (0, 1)]

    def total(pair, of):
        return sum(of(pair[0][c], pair[1][c]) for c in CONCEPTS)

    flu = [n.joint[n.diseases.index("flu")].sum() for n in (source, target)]
    written = [{c: np.array([1 - s[c][-1], s[c][-1]]) for c in CONCEPTS} for s in shares]
    recording = [np.mean([1 - s[c][-1] for c in CONCEPTS]) for s in shares]
    with np.errstate(invalid="ignore"):
        return {
            "prevalence_difference": flu[1] - flu[0],
            "recording_difference_mean": recording[1] - recording[0],
            "js_sum": total(shares, js_bits),
            "js_recording_sum": total(written, js_bits),
            "js_negative_sum": total(by_label[0], js_bits),
            "js_positive_sum": total(by_label[1], js_bits),
            "kl_target_source_sum": total(shares, lambda p, q: entropy(q, p, base=2)),
            "kl_source_target_sum": total(shares, lambda p, q: entropy(p, q, base=2)),
        }


@pytest.mark.parametrize("elsewhere", [False, True])
def test_intervals_cover_the_closed_form_of_the_networks(counties, elsewhere):
    source, target = counties[0], counties[int(elsewhere)]
    truth = true_distances(source, target)
    repeats = 60
    covered = dict.fromkeys(truth, 0)
    estimates = {measure: [] for measure in truth}
    for repeat in range(repeats):
        pair, _ = shifted((source, target), 400, 10 * repeat)
        for row in pair:
            if (measure := row["measure"]) in truth:
                covered[measure] += row["lower"] <= truth[measure] + 1e-12
                covered[measure] -= row["upper"] < truth[measure] - 1e-12
                estimates[measure].append(row["estimate"])
    for measure, count in covered.items():
        assert count / repeats >= 0.87, measure  # 0.95 less 2.8 standard errors
        spread = np.std(estimates[measure])
        assert abs(np.mean(estimates[measure]) - truth[measure]) < spread, measure


def test_a_large_sample_finds_the_distance_of_every_finding(counties):
    pair, concept = shifted(counties, 40_000, 5, draws=100)
    found = {(row["concept"], row["measure"]): row for row in concept}
    shares = [true_shares(network) for network in counties]
    for name in CONCEPTS:
        p, q = (s[name] for s in shares)
        assert found[name, "js"]["estimate"] == pytest.approx(js_bits(p, q), abs=2e-3)
        row = found[name, "recording_difference"]
        assert row["source_value"] == pytest.approx(1 - p[-1], abs=0.015)
        assert row["estimate"] == pytest.approx(p[-1] - q[-1], abs=0.02)
        assert ((name, "present_difference") in found) == ("present" in STATES[name])
    by_measure = {row["measure"]: row["estimate"] for row in pair}
    for measure, truth in true_distances(*counties).items():
        assert by_measure[measure] == pytest.approx(truth, rel=0.06, abs=2e-3), measure
    assert by_measure["js_mean"] == pytest.approx(by_measure["js_sum"] / len(CONCEPTS))


def test_every_pair_is_there_in_both_directions(counties):
    sites = [sampled_site(name, counties[i % 2], 150, i) for i, name in enumerate("abc")]
    table = np.random.default_rng(1).normal(size=(len(VOCABULARY), 5)).astype(np.float32)
    pairs, findings = site_shift(sites, VOCABULARY, {"table": table}, 100, 0.95, 1)
    frame = pd.DataFrame(pairs).set_index(["source", "target", "measure"])
    assert frame.index.is_unique
    assert len({key[:2] for key in frame.index}) == 6
    swapped, _ = site_shift(sites[1::-1], VOCABULARY, {}, 100, 0.95, 1)
    for row in swapped:
        own = frame.loc[(row["source"], row["target"], row["measure"])]
        if row["measure"] == "classifier_auroc":
            assert own["estimate"] == pytest.approx(row["estimate"], abs=0.05)
            continue
        for column in ("estimate", "lower", "upper", "source_value", "target_value"):
            assert own[column] == pytest.approx(row[column], abs=1e-9, nan_ok=True)
    assert set(frame.loc[("a", "b", "mmd2"), ["embedding"]]) == {"table"}
    concepts = pd.DataFrame(findings)
    assert not concepts.duplicated(["source", "target", "concept", "measure"]).any()
    assert set(concepts["category"]) == {"finding", "age", "season", "temperature"}


def test_findings_that_no_site_records_are_no_part_of_the_mean():
    sites = [
        site_of(name, [[0], [1], [0], [9]] * 10, [0, 1] * 20, range(40)) for name in ("a", "b")
    ]
    drawn = [bootstrap_counts(site, CONCEPT_OF, 20, 1) for site in sites]
    assert recorded_outcomes(VOCABULARY, CONCEPT_OF, drawn).concepts == ("age", "soreness")


# --- discrepancy ---------------------------------------------------------------------------


def test_discrepancy_equals_the_plain_estimator_over_pairs_of_clusters():
    rng = np.random.default_rng(4)
    a = Pooled(rng.normal(size=(12, 3)), np.repeat(np.arange(6), 2))
    b = Pooled(rng.normal(0.5, size=(9, 3)), np.repeat(np.arange(3), 3))

    def kernel(x, y):
        return np.exp(-((x - y) ** 2).sum() / (2 * 1.7**2))

    def within(s):
        return np.mean(
            [
                kernel(x, y)
                for i, x in enumerate(s.vectors)
                for j, y in enumerate(s.vectors)
                if s.cluster[i] != s.cluster[j]
            ]
        )

    def plain(a, b):
        return (
            within(a)
            + within(b)
            - 2 * np.mean([[kernel(x, y) for y in b.vectors] for x in a.vectors])
        )

    def without(s, cluster):
        kept = s.cluster != cluster
        return Pooled(s.vectors[kept], s.cluster[kept])

    value, error = discrepancy(a, b, 1.7)
    assert value == pytest.approx(plain(a, b), abs=1e-12)
    left = [np.array([plain(without(a, c), b) for c in range(6)])]
    left += [np.array([plain(a, without(b, c)) for c in range(3)])]
    expected = sum((len(v) - 1) * v.var() for v in left)
    assert error == pytest.approx(np.sqrt(expected), abs=1e-12)


@pytest.mark.parametrize("distance", [0.0, 0.6])
def test_discrepancy_is_unbiased_and_its_interval_covers(distance):
    """Gaussian kernel and Gaussian samples have a closed form."""
    rng = np.random.default_rng(6)
    width, bandwidth, clusters = 2, 1.5, 60

    def expected_kernel(shift):
        scale = bandwidth**2 / (bandwidth**2 + 2)
        return scale ** (width / 2) * np.exp(-(shift**2) / (2 * (bandwidth**2 + 2)))

    truth = 2 * expected_kernel(0) - 2 * expected_kernel(distance)
    found = []
    for _ in range(300):
        samples = []
        for shift in (0, distance):
            shared = np.repeat(rng.normal(size=(clusters, width)), 2, axis=0) * np.sqrt(0.5)
            own = rng.normal(size=(2 * clusters, width)) * np.sqrt(0.5)
            points = shared + own
            points[:, 0] += shift
            samples.append(Pooled(points, np.repeat(np.arange(clusters), 2)))
        found.append(discrepancy(*samples, bandwidth))
    values, errors = np.array(found).T
    assert abs(values.mean() - truth) < 3 * values.std() / np.sqrt(len(values))
    covered = np.mean(np.abs(values - truth) < 2 * errors)
    assert 0.91 <= covered <= 1


def test_spread_by_chance_is_that_of_permuted_clusters():
    """Against a loop that deals the clusters and takes `discrepancy` of what each side got."""
    rng = np.random.default_rng(8)
    a = Pooled(rng.normal(size=(24, 3)), np.repeat(np.arange(12), 2))
    b = Pooled(rng.normal(1.0, size=(21, 3)), np.repeat(np.arange(7), 3))
    clusters = [s.vectors[s.cluster == c] for s in (a, b) for c in range(s.cluster[-1] + 1)]

    def dealt(numbers):
        sizes = [len(clusters[i]) for i in numbers]
        vectors = np.concatenate([clusters[i] for i in numbers])
        return Pooled(vectors, np.repeat(np.arange(len(numbers)), sizes))

    orders = [rng.permutation(19) for _ in range(1500)]
    plain = [discrepancy(dealt(order[:12]), dealt(order[12:]), 1.7)[0] for order in orders]
    found = [chance_spread(a, b, 1.7, np.random.default_rng(i)) for i in range(8)]
    assert np.mean(found) == pytest.approx(np.std(plain), rel=0.08)


def test_discrepancy_over_its_spread_compares_embeddings():
    """A space that adds nothing but noise is farther from telling the sites apart, and one of
    other scale exactly as near."""
    rng = np.random.default_rng(9)
    points = [rng.normal(shift, size=(150, 2)) for shift in (0, 0.5)]
    noise = [rng.normal(size=(150, 40)) for _ in points]

    def ratio(vectors):
        a, b = (Pooled(v, np.arange(len(v))) for v in vectors)
        bandwidth = median_distance(np.concatenate(vectors), 1)
        spread = chance_spread(a, b, bandwidth, np.random.default_rng(1))
        return discrepancy(a, b, bandwidth)[0] / spread

    assert ratio([7 * p for p in points]) == pytest.approx(ratio(points), rel=1e-9)
    blurred = [np.hstack([p, n]) for p, n in zip(points, noise, strict=True)]
    assert 0 < ratio(blurred) < ratio(points)


def test_encounters_are_the_means_of_their_tokens():
    site = site_of("here", [[0, 2], [], [5]], [0, 1, 0], ["z", "a", "z"])
    vectors = np.random.default_rng(0).normal(size=(len(VOCABULARY), 4)).astype(np.float32)
    pooled = pool(site, np.array([0, 1, 2]), vectors)
    assert pooled.cluster.tolist() == [0, 1, 1]
    np.testing.assert_allclose(pooled.vectors[0], 0)
    np.testing.assert_allclose(pooled.vectors[1], (vectors[0] + vectors[2]) / 2, atol=1e-7)
    np.testing.assert_allclose(pooled.vectors[2], vectors[5])


def test_bandwidth_and_subsample(counties):
    points = np.random.default_rng(1).normal(size=(50, 3))
    pairs = [np.linalg.norm(points[i] - points[j]) for i in range(50) for j in range(i)]
    assert median_distance(points, 1) == pytest.approx(np.median(pairs))
    site = sampled_site("here", counties[0], 200, 1)
    assert subsample(site, 1, 500).tolist() == list(range(200))
    assert len(set(subsample(site, 1, 50).tolist())) == 50


# --- classifier ----------------------------------------------------------------------------


def test_clustered_auroc_is_delongs_without_clusters():
    rng = np.random.default_rng(2)
    labels = (np.arange(200) < 120).astype(np.int8)
    scores = rng.normal(size=200).round(1) + labels
    auroc, spread = clustered_auroc(labels, scores, np.arange(200))
    assert auroc == pytest.approx(roc_auc_score(labels, scores))
    assert spread.variance == pytest.approx(variance(labels, placements(labels, scores)), rel=1e-9)


def test_clustered_auroc_grows_with_the_relation_in_a_cluster():
    rng = np.random.default_rng(2)
    labels = np.repeat([0, 1], 300).astype(np.int8)
    cluster = np.repeat(np.arange(120), 5)

    def draw():
        return 0.8 * labels + np.repeat(rng.normal(size=120), 5) + 0.3 * rng.normal(size=600)

    def estimated(scores, cluster):
        auroc, sampling = clustered_auroc(labels, scores, cluster)
        return auroc, sampling.variance

    drawn = np.array([estimated(draw(), cluster) for _ in range(300)])
    assert np.sqrt(drawn[:, 1].mean()) == pytest.approx(drawn[:, 0].std(), rel=0.12)
    naive = estimated(draw(), np.arange(600))[1]
    assert drawn[:, 1].mean() > 2.5 * naive


def test_clustered_auroc_counts_clusters_that_hold_both_classes():
    rng = np.random.default_rng(3)
    cluster = np.repeat(np.arange(150), 4)

    def draw():
        labels = (rng.random(600) < 0.4).astype(np.int8)
        scores = 0.8 * labels + np.repeat(rng.normal(size=150), 4) + 0.3 * rng.normal(size=600)
        auroc, sampling = clustered_auroc(labels, scores, cluster)
        return auroc, sampling.variance

    drawn = np.array([draw() for _ in range(400)])
    assert np.sqrt(drawn[:, 1].mean()) == pytest.approx(drawn[:, 0].std(), rel=0.1)


def test_sites_are_told_apart_as_well_as_their_distributions_allow():
    """Independent findings: logistic regression is the likelihood ratio, enumerated here."""
    rng = np.random.default_rng(7)
    rates = np.array([[0.3, 0.5, 0.2, 0.6], [0.5, 0.4, 0.3, 0.6], [0.3, 0.5, 0.2, 0.6]])
    sites = []
    for name, p in zip("abc", rates, strict=True):
        tokens = [np.flatnonzero(row).tolist() for row in rng.random((3000, 4)) < p]
        sites.append(site_of(name, tokens, np.arange(3000) % 2, range(3000)))
    worlds = np.array(np.meshgrid(*[[0, 1]] * 4)).reshape(4, -1).T
    chances = [np.where(worlds, p, 1 - p).prod(axis=1) for p in rates[:2]]
    truth = roc_auc_score(
        np.repeat([0, 1], 16), np.tile(chances[1] / chances[0], 2), sample_weight=np.ravel(chances)
    )
    rows = (np.arange(3000), np.arange(3000))
    value, error = classifier_auroc(*sites[:2], rows, 4, 1)
    assert abs(value - truth) < 4 * error
    assert 0.004 < error < 0.012
    alike, error = classifier_auroc(sites[0], sites[2], rows, 4, 1)
    assert abs(alike - 0.5) < 4 * error


# --- shift against loss --------------------------------------------------------------------


def comparisons_of(losses):
    rows = [
        {
            "family": "target data only",
            "metric": "auroc",
            "a": [{"strategy": "direct", "size": "0"}],
            "size": size,
            "source": source,
            "target": target,
            "embedding": "minilm",
            "classifier": "cnn",
            "difference": -loss if size == "all" else 9,
            "lower": -loss - 0.01,
            "upper": -loss + 0.02,
            "verdict": "worse",
        }
        for (source, target), loss in losses.items()
        for size in ("50", "all")
    ]
    others = [
        {**rows[1], "a": [{"strategy": "full", "size": "all"}]},
        {**rows[1], "a": [{"strategy": "coral", "size": "0"}]},
        {**rows[1], "metric": "brier"},
        {**rows[1], "family": "meaning"},
    ]
    return pd.DataFrame([*rows, *others])


def test_loss_stands_beside_the_distance_of_its_direction():
    pairs = [("a", "b"), ("b", "a"), ("a", "c"), ("c", "b")]
    losses = {pair: 0.1 * place for place, pair in enumerate(pairs)}
    measures = ["js_sum", "js_recording_sum", "js_positive_sum", "js_negative_sum"]
    measures += ["kl_target_source_sum", "classifier_auroc", "mmd2", "mmd2_ratio"]
    shift = pd.DataFrame(
        {
            "source": source,
            "target": target,
            "embedding": "minilm" if "mmd2" in measure else "",
            "measure": measure,
            "estimate": 5 - place if measure == "mmd2" else float(place),
        }
        for place, (source, target) in enumerate(pairs)
        for measure in measures
    )
    loss = shift_against_loss(comparisons_of(losses), shift, ["50", "all"], ["direct"])
    assert loss["loss"].tolist() == pytest.approx(list(losses.values()))
    assert loss["lower"].tolist() == pytest.approx([v - 0.02 for v in losses.values()])
    assert loss["js_sum"].tolist() == [0, 1, 2, 3]
    assert loss["mmd2"].tolist() == [5, 4, 3, 2]
    found = rank_correlations(loss).set_index("measure")["spearman"]
    assert found["js_sum"] == pytest.approx(1)
    assert found["mmd2"] == pytest.approx(-1)
    assert rank_correlations(loss[:3]).empty


# --- the authors' simulated counties -------------------------------------------------------


def test_the_published_counties_are_as_far_apart_as_they_say(shared_data, repository, tmp_path):
    """Distance 0 is nothing but chance; distance 5 is far, in findings and for a classifier."""
    import yaml

    from concept_transfer.cohorts.cohort import Cohort
    from concept_transfer.cohorts.splitting import make_split
    from concept_transfer.concepts.vocabulary import Vocabulary
    from concept_transfer.sites.reading import read_site
    from concept_transfer.sites.site import Site
    from concept_transfer.study import load_study

    config = yaml.safe_load((repository / "config/gao2024.yaml").read_text())
    study = load_study({**config, "data": str(shared_data)})
    vocabulary = Vocabulary.read(repository / study.vocabulary)
    sites = []
    for name, site in study.sites.items():
        extract = read_site(site, vocabulary, study.task, repository)
        split = make_split(extract.encounters, study.split, 1)
        sites.append(Site(Cohort(name, extract.encounters.labels, split), extract.inputs))
    concept_of = vocabulary.concept_numbers
    drawn = [bootstrap_counts(site, concept_of, 200, 1) for site in sites]
    outcomes = recorded_outcomes(vocabulary, concept_of, drawn)
    near, far = (
        {row["measure"]: row for row in finding_shift(source, drawn[2], outcomes, 0.95)[0]}
        for source in drawn[:2]
    )
    for measure in ("js_sum", "js_positive_sum", "js_negative_sum", "kl_target_source_sum"):
        assert near[measure]["lower"] == 0, measure
        assert near[measure]["upper"] < 0.02 < 0.4 < far[measure]["lower"], measure
    rows = [subsample(site, 1, 2000) for site in sites]
    alike, error = classifier_auroc(sites[0], sites[2], (rows[0], rows[2]), len(vocabulary), 1)
    assert abs(alike - 0.5) < 3 * error < 0.04
    apart, _ = classifier_auroc(sites[1], sites[2], (rows[1], rows[2]), len(vocabulary), 1)
    assert apart > 0.82


def losses_of(rng: np.random.Generator, sites: int, related: bool) -> pd.DataFrame:
    """Losses between all sites with effects of source and target; equal to the distance or not."""
    pairs = [(a, b) for a in range(sites) for b in range(sites) if a != b]

    def drawn() -> np.ndarray:
        source, target, own = rng.normal(size=sites), rng.normal(size=sites), rng.normal(size=999)
        return np.array([source[a] + target[b] + own[i] for i, (a, b) in enumerate(pairs)])

    loss = drawn()
    names = pd.DataFrame([(f"s{a}", f"s{b}") for a, b in pairs], columns=["source", "target"])
    distances = dict.fromkeys(DISTANCES, loss if related else drawn())
    return names.assign(
        embedding="e", classifier="cnn", loss=loss, mmd2=np.nan, mmd2_ratio=np.nan, **distances
    )


def test_a_correlation_is_tested_by_permuting_the_sites():
    rng = np.random.default_rng(4)
    for sites, smallest in ((4, 1 / 24), (5, 1 / 120)):
        found = rank_correlations(losses_of(rng, sites, related=True))
        assert found["spearman"].tolist() == pytest.approx([1.0] * len(found))
        assert found["p"].tolist() == pytest.approx([smallest] * len(found))
    part = losses_of(rng, 4, related=True).iloc[:-1]
    assert rank_correlations(part)["p"].isna().all()


def test_unrelated_distances_are_significant_as_often_as_stated():
    """Site effects in both would deceive a test that took directions for independent."""
    rng = np.random.default_rng(5)
    others = dict.fromkeys(list(DISTANCES)[1:], np.nan)
    drawn = [losses_of(rng, 5, related=False).assign(**others) for _ in range(300)]
    p = [rank_correlations(one)["p"].item() for one in drawn]
    assert np.mean(np.array(p) <= 0.05) <= 0.05 + 2.5 * (0.05 * 0.95 / 300) ** 0.5
