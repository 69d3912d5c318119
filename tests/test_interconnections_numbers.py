"""Counts, tests, ratios and rankings of pairs of codes, against other libraries and plain loops."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from connected_data import AGES, patients, sets_of
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from sklearn.metrics import average_precision_score, roc_auc_score
from statsmodels.stats.contingency_tables import StratifiedTable
from statsmodels.stats.multitest import multipletests

from concept_transfer.interconnections.agreement import agreement
from concept_transfer.interconnections.code_sets import CodeSets, code_sets, joined
from concept_transfer.interconnections.counts import (
    Margins,
    all_pairs,
    counts_by,
    expected_within,
    orders,
    pair_counts,
    patients_together,
)
from concept_transfer.interconnections.factors import ppmi_vectors
from concept_transfer.interconnections.graphs import consensus, described
from concept_transfer.interconnections.judging import Ranking, judged
from concept_transfer.interconnections.matrices import cosines, from_pairs, of_pairs
from concept_transfer.interconnections.resampling import interval, resampled
from concept_transfer.interconnections.shrinkage import (
    GRID,
    evidence_to_come,
    shrunken_log_ratios,
)
from concept_transfer.interconnections.statistics import (
    discoveries,
    log_p_together,
    pooled_odds_ratios,
    surely,
    threshold,
)

tables = st.lists(st.integers(0, 60), min_size=4, max_size=4).filter(lambda cells: sum(cells) > 0)
code_rows = st.lists(st.sets(st.integers(0, 5)), max_size=12)


def margins(a: float, b: float, c: float, d: float) -> Margins:
    return Margins(np.array([a]), np.array([a + b]), np.array([a + c]), a + b + c + d)


@given(tables)
@settings(max_examples=150, deadline=None)
def test_the_exact_test_is_fishers(cells: list[int]) -> None:
    a, b, c, d = map(float, cells)
    table = margins(a, b, c, d)
    expected = stats.fisher_exact([[a, b], [c, d]], alternative="greater").pvalue
    assert np.exp(log_p_together(table))[0] == pytest.approx(expected, rel=1e-8)
    point = stats.hypergeom.pmf(a, a + b + c + d, a + b, a + c)
    mid = np.exp(log_p_together(table, mid=True))[0]
    assert mid == pytest.approx(expected - point / 2, rel=1e-7, abs=1e-12)


def test_the_exact_test_goes_on_where_p_is_no_float() -> None:
    table = Margins(np.array([900.0]), np.array([1000.0]), np.array([1000.0]), 1e6)
    log_p = log_p_together(table)[0]
    assert log_p < -2000
    logs = stats.hypergeom.logpmf(np.arange(900, 1001), 10**6, 1000, 1000)
    assert log_p == pytest.approx(np.logaddexp.reduce(logs), rel=1e-9)


@given(st.lists(st.floats(1e-9, 1), min_size=1, max_size=40), st.floats(0.01, 0.3))
@settings(max_examples=60, deadline=None)
def test_discoveries_are_those_of_benjamini_and_hochberg(p: list[float], fdr: float) -> None:
    expected = multipletests(p, alpha=fdr, method="fdr_bh")[0]
    assert discoveries(np.log(p), fdr).tolist() == expected.tolist()


def test_nothing_is_discovered_where_nothing_is_there() -> None:
    assert threshold(np.log([0.5, 0.9]), 0.05) == -np.inf


def test_odds_ratios_are_those_of_mantel_and_haenszel() -> None:
    rng = np.random.default_rng(1)
    strata = rng.integers(1, 30, (5, 20, 4)).astype(float)  # strata, pairs, cells a b c d
    strata[..., 3] = 200 - strata[..., :3].sum(axis=2)  # as many patients for all pairs
    a, b, c, _ = np.moveaxis(strata, 2, 0)
    found = pooled_odds_ratios(Margins(a[s], a[s] + b[s], a[s] + c[s], 200.0) for s in range(5))
    lower, upper = found.bounds(0.9)
    for pair in range(20):
        truth = StratifiedTable([strata[s, pair].reshape(2, 2) for s in range(5)])
        assert found.log[pair] == pytest.approx(truth.logodds_pooled)
        assert found.error[pair] == pytest.approx(truth.logodds_pooled_se)
        assert (lower[pair], upper[pair]) == pytest.approx(truth.oddsratio_pooled_confint(0.1))


@given(code_rows)
@settings(max_examples=60, deadline=None)
def test_counts_are_those_of_a_loop(rows: list[set[int]]) -> None:
    counts = pair_counts(sets_of(rows, 6), 6)
    for one in range(6):
        for other in range(6):
            assert counts.together[one, other] == sum({one, other} <= row for row in rows)
    assert counts.rows == len(rows)
    assert pair_counts(sets_of(rows[::-1], 6), 6).together.tolist() == counts.together.tolist()


def test_counts_in_parts_and_groups_add_up(monkeypatch: pytest.MonkeyPatch) -> None:
    sets = patients(300, 2)
    whole = pair_counts(sets.codes, 24)
    monkeypatch.setattr("concept_transfer.interconnections.counts.ROWS_AT_ONCE", 37)
    assert (pair_counts(sets.codes, 24).together == whole.together).all()
    groups = counts_by(sets, sets.strata(("age", "sex")))
    assert len(groups) == 4
    assert (sum(group.together for group in groups) == whole.together).all()
    by_hand = sum(np.outer(group.having, group.having) / group.rows for group in groups)
    np.testing.assert_allclose(expected_within(groups), by_hand)
    adults = [row for row in range(300) if sets.age[row] == AGES[1]]
    assert (
        np.flatnonzero(sets.strata(("age",)) == sets.strata(("age",))[adults[0]]).tolist() == adults
    )


@given(rows=code_rows.filter(bool), whose=st.lists(st.integers(0, 4), min_size=12, max_size=12))
@settings(deadline=None)
def test_patients_are_counted_once_however_many_visits_they_have(
    rows: list[set[int]], whose: list[int]
) -> None:
    triples = [(row, code) for row, codes in enumerate(rows) for code in [*sorted(codes), 9]]
    owners, codes = np.array(triples).T
    patient, empty = np.array(whose[: len(rows)]), [""] * len(rows)
    days = np.zeros(len(owners), np.float32)
    sets = code_sets(owners, codes.astype(str), days, empty, empty, empty, patient)
    numbers = [int(name) for name in sets.names]
    held = [{*row, 9} for row in rows]
    expected = [
        [
            len({who for who, row in zip(patient, held, strict=True) if {one, other} <= row})
            for other in numbers
        ]
        for one in numbers
    ]
    for at_once in (1, 40, 4_000_000):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("concept_transfer.interconnections.counts.PAIRS_AT_ONCE", at_once)
            assert patients_together(sets).tolist() == expected
    assert sets.patients_with().tolist() == np.diagonal(expected).tolist()


def test_orders_are_those_of_a_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("concept_transfer.interconnections.counts.PAIRS_AT_ONCE", 50)
    sets = patients(120, 3, codes=8)
    expected = np.zeros((8, 8), int)
    for row in range(len(sets)):
        codes = sets.codes[row]
        days = sets.days[sets.codes.offsets[row] : sets.codes.offsets[row + 1]]
        for one, first in zip(codes, days, strict=True):
            for other, second in zip(codes, days, strict=True):
                expected[one, other] += first < second
    assert (orders(sets) == expected).all()


def test_codes_of_a_row_count_once_with_their_first_day() -> None:
    sets = code_sets(
        np.array([1, 0, 1, 1]),
        np.array(["b", "a", "b", "a"]),
        np.array([5, 1, 2, np.nan], np.float32),
        ["p", "q"],
        ["", ""],
        ["", ""],
    )
    assert [row.tolist() for row in sets.codes] == [[0], [0, 1]]
    np.testing.assert_array_equal(sets.days, np.array([1, np.nan, 2], np.float32))
    one = sets.renamed(np.array([0, 0]), ["ab"])
    assert [row.tolist() for row in one.codes] == [[0], [0]]
    np.testing.assert_array_equal(one.days, np.array([1, 2], np.float32))
    none = sets.renamed(np.array([-1, 0]), ["b"])
    assert [row.tolist() for row in none.codes] == [[], [0]]


def test_sets_survive_their_file_and_keep_clusters_apart(tmp_path) -> None:
    sets = patients(80, 4)
    path = tmp_path / "code_sets" / "here.npz"
    sets.write(path)
    again = CodeSets.read(path)
    assert again.codes.equals(sets.codes)
    assert again.names == sets.names
    assert path.stat().st_mode & 0o077 == 0
    both = joined([sets, again])
    assert len(np.unique(both.cluster)) == 2 * len(np.unique(sets.cluster))


def test_shrunken_ratios_are_those_of_plain_em() -> None:
    rng = np.random.default_rng(5)
    expected = np.exp(np.round(rng.uniform(-2, 3, 400) * 50) / 50)
    truth = rng.choice([0.0, 2.0], 400, p=[0.9, 0.1])
    observed = rng.poisson(expected * np.exp(truth)).astype(float)
    prior = np.full(len(GRID), 1 / len(GRID))
    likelihood = stats.poisson.pmf(observed[:, None], expected[:, None] * np.exp(GRID))
    for _ in range(100):
        posterior = likelihood * prior
        posterior /= posterior.sum(axis=1, keepdims=True)
        prior = posterior.mean(axis=0)
    posterior = likelihood * prior
    plain = posterior @ GRID / posterior.sum(axis=1)
    found = shrunken_log_ratios(observed, expected)
    np.testing.assert_allclose(found, plain, atol=1e-6)
    raw = np.log(np.maximum(observed, 0.5) / expected)
    assert np.mean((found - truth) ** 2) < np.mean((raw - truth) ** 2) / 3


def test_evidence_grows_with_ratio_and_count() -> None:
    log_ratio = np.array([-1.0, 0, 1, 2])
    few, many = (
        evidence_to_come(log_ratio, np.ones(4)),
        evidence_to_come(log_ratio, np.full(4, 9.0)),
    )
    assert (np.diff(few) > 0).all()
    np.testing.assert_allclose(many, 9 * few)
    counts = np.arange(400)
    chances = stats.poisson.pmf(counts, 9 * np.e)
    told = (
        chances * (stats.poisson.logpmf(counts, 9 * np.e) - stats.poisson.logpmf(counts, 9))
    ).sum()
    assert many[2] == pytest.approx(told)


@given(
    st.lists(st.integers(0, 4), min_size=20, max_size=60),
    st.integers(0, 2**20),
)
@settings(max_examples=50, deadline=None)
def test_areas_and_precision_are_those_of_scikit_learn(levels: list[int], seed: int) -> None:
    rng = np.random.default_rng(seed)
    scores = np.array(levels, float)
    edges = rng.random(len(scores)) < 0.3 + 0.1 * scores
    rows = list(judged(Ranking.of(scores), edges, {"all": np.ones(len(scores), bool)}, None))
    value = {row["measure"]: row["value"] for row in rows}
    if min(edges.sum(), (~edges).sum()) >= 5:
        assert value["auroc"] == pytest.approx(roc_auc_score(edges, scores))
        assert value["auprc"] == pytest.approx(average_precision_score(edges, scores))
    count = int(edges.sum())
    if count >= 5:
        draws = []
        for _ in range(400):
            order = np.lexsort((rng.random(len(scores)), -scores))
            draws.append(edges[order[:count]].mean())
        assert value["precision"] == pytest.approx(np.mean(draws), abs=0.06)
        assert value["recall"] == pytest.approx(value["precision"])


def test_infinite_and_missing_scores_are_first_last_and_nowhere() -> None:
    scores = np.array([np.inf, np.nan, -np.inf, 1.0, -np.inf])
    ranking = Ranking.of(scores)
    assert ranking.places.tolist() == [0, 3, 2, 4]
    rng = np.random.default_rng(0)
    assert ranking.top(2, 5, rng).tolist() == [True, False, False, True, False]
    assert ranking.top(9, 5, rng).sum() == 4
    assert ranking.top(3, 5, rng).sum() == 3
    edges = np.array([False, True, True, False, False])
    curve = ranking.curve(edges, np.ones(5, bool))
    assert curve.precision(3) == pytest.approx(0.5 / 3)
    assert curve.precision(5) == pytest.approx(1 / 5)


def test_vectors_are_those_of_a_singular_value_decomposition() -> None:
    counts = pair_counts(patients(600, 6).codes, 24)
    information = np.zeros((24, 24))
    for one, other in combinations(range(24), 2):
        both = counts.together[one, other]
        chance = counts.having[one] * counts.having[other] / counts.rows
        if both > 0:
            information[one, other] = information[other, one] = max(np.log(both / chance), 0)
    left, values, _ = np.linalg.svd(information)
    expected = cosines((left * values)[:, :6])
    np.testing.assert_allclose(cosines(ppmi_vectors(counts, 6)), expected, atol=1e-8)
    assert (ppmi_vectors(counts, 6, shift=99) == 0).all()


def test_matrices_and_pairs_are_two_forms_of_one() -> None:
    values = np.arange(6.0)
    matrix = from_pairs(values, 4)
    assert (of_pairs(matrix) == values).all()
    assert np.isnan(np.diagonal(matrix)).all()
    matrix[1, 0] = 9
    assert of_pairs(matrix)[0] == 9


def test_agreement_is_spearmans_and_tested_by_permuting_codes() -> None:
    rng = np.random.default_rng(7)
    pairs = all_pairs(20)
    hub = rng.random(20)
    scores = {
        "one": hub[pairs[0]] + hub[pairs[1]],
        "like it": hub[pairs[0]] + hub[pairs[1]] + rng.random(190),
        "other": rng.random(190),
        "constant": np.ones(190),
    }
    graphs = {name: Ranking.of(own).top(30, 190, rng) for name, own in scores.items()}
    rows = {(row["a"], row["b"]): row for row in agreement(scores, graphs, 20, 99, rng)}
    assert len(rows) == 6
    for one, other in combinations(list(scores)[:3], 2):
        expected = stats.spearmanr(scores[one], scores[other]).statistic
        assert rows[one, other]["spearman"] == pytest.approx(expected)
    assert rows["one", "like it"]["p"] == 0.01
    assert rows["one", "other"]["p"] > 0.02  # though the pairs of a hub all lie high
    assert rows["one", "constant"]["spearman"] == 0
    both = (graphs["one"] & graphs["other"]).sum()
    assert rows["one", "other"]["jaccard"] == both / (60 - both)


def test_graphs_are_described_as_by_hand() -> None:
    pairs = all_pairs(5)
    names = {pair: place for place, pair in enumerate(zip(*map(list, pairs), strict=True))}
    triangle, star = np.zeros(10, bool), np.zeros(10, bool)
    triangle[[names[0, 1], names[0, 2], names[1, 2]]] = True
    star[[names[0, 1], names[0, 3], names[0, 4]]] = True
    agreed = consensus({"triangle": triangle, "star": star, "again": star})
    assert agreed.tolist() == star.tolist()
    rows = {row["method"]: row for row in described({"t": triangle, "s": star}, pairs, 5, 1)}
    assert rows["t"]["clustering"] == pytest.approx(3 / 5)
    assert rows["s"]["clustering"] == 0
    assert (rows["t"]["linked"], rows["s"]["highest_degree"], rows["s"]["unique"]) == (3, 3, 2)


def test_resampling_covers_what_other_patients_show() -> None:
    """The interval of a fixed graph's precision holds that of most other samples."""
    codes, pairs = 24, all_pairs(24)
    rng = np.random.default_rng(8)
    graph = np.zeros(len(pairs[0]), bool)
    graph[rng.choice(len(graph), 40, replace=False)] = True
    graph |= (pairs[0] % 2 == 0) & (pairs[1] == pairs[0] + 1) & (pairs[0] < 8)

    def judge(seed: int) -> tuple[float, float, float]:
        sets = patients(1500, seed)
        log_p = log_p_together(pair_counts(sets.codes, codes).of_pairs(pairs))
        limit = np.log(0.01)
        draws = resampled(sets, {"it": graph}, pairs, limit, 40, np.random.default_rng(seed))
        assert draws.precision["it"][0] == pytest.approx((log_p <= limit)[graph].mean())
        assert draws.ratio["it"][0] == pytest.approx(
            pair_counts(sets.codes, codes).of_pairs(pairs).both[graph].sum()
            / pair_counts(sets.codes, codes).of_pairs(pairs).expected[graph].sum()
        )
        lower, upper, _ = interval(draws.ratio["it"], 0.95)
        return draws.ratio["it"][0], lower, upper

    found = [judge(seed) for seed in range(16)]
    truth = np.mean([estimate for estimate, _, _ in found])
    covered = np.mean([lower <= truth <= upper for _, lower, upper in found])
    assert covered >= 0.8


@given(st.integers(0, 10**6), st.floats(-30, -0.5))
@settings(max_examples=30, deadline=None)
def test_what_is_significant_needs_no_tail(seed: int, limit: float) -> None:
    rng = np.random.default_rng(seed)
    rows = int(rng.integers(50, 5000))
    one, other = rng.integers(1, rows, (2, 200)).astype(float)
    both = rng.hypergeometric(one.astype(int), rows - one.astype(int), other.astype(int))
    both = np.minimum(both + rng.integers(0, 30, 200), np.minimum(one, other))
    tables = Margins(both.astype(float), one, other, float(rows))
    np.testing.assert_array_equal(surely(tables, limit), log_p_together(tables) <= limit)


def test_so_many_kinds_of_pairs_are_shrunken_as_few_are() -> None:
    """More distinct counts than teach a prior: the same ratios, up to the sample's chance."""
    rng = np.random.default_rng(5)
    expected = rng.uniform(20, 400, 60_000)
    observed = rng.poisson(expected * np.exp(rng.normal(0, 0.4, 60_000))).astype(float)
    found = shrunken_log_ratios(observed, expected)
    few = shrunken_log_ratios(observed[::6], expected[::6])
    np.testing.assert_allclose(found[::6], few, atol=0.15)
    assert np.abs(found[::6] - few).mean() < 0.01
