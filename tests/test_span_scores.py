"""Scores of spans beside seqeval and nervaluate, intervals and tests beside plain loops."""

from __future__ import annotations

from itertools import pairwise, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nervaluate import Evaluator
from seqeval.metrics.v1 import precision_recall_fscore_support
from seqeval.scheme import IOB2

from concept_transfer.extraction.comparing import drawn, interval, randomisation_p
from concept_transfer.extraction.scores import MODES, counts, measures, of_units
from concept_transfer.extraction.spans import Span, labels_of

TYPES = ["A", "B"]
LENGTH = 8


@st.composite
def sentence(draw: st.DrawFn) -> list[Span]:
    cuts = sorted(draw(st.sets(st.integers(0, LENGTH))))
    spans = [Span(*cut, draw(st.sampled_from(TYPES))) for cut in pairwise(cuts)]
    return [span for span in spans if draw(st.booleans())]


CORPORA = st.lists(st.tuples(sentence(), sentence()), min_size=1, max_size=6)


def scored(pairs: list[tuple[list[Span], list[Span]]]) -> np.ndarray:
    """[modes, types + 1, measures], where nothing is nothing rather than unknown."""
    marked, found = zip(*pairs, strict=True)
    return np.nan_to_num(measures(counts(marked, found, TYPES).sum(0)))


@settings(max_examples=60, deadline=None)
@given(CORPORA)
def test_strict_scores_are_those_of_seqeval(pairs: list[tuple[list[Span], list[Span]]]) -> None:
    truth, guess = (
        [labels_of(spans, LENGTH) for spans in side] for side in zip(*pairs, strict=True)
    )
    known = [t for t in TYPES if any(t == s.label for pair in pairs for side in pair for s in side)]
    if not known:
        return
    rest = {"scheme": IOB2, "zero_division": 0}
    expected = precision_recall_fscore_support(truth, guess, average="micro", **rest)
    strict = scored(pairs)[MODES.index("strict")]
    np.testing.assert_allclose(strict[-1], expected[:3])
    by_type = np.array(precision_recall_fscore_support(truth, guess, average=None, **rest)[:3]).T
    np.testing.assert_allclose(strict[[TYPES.index(t) for t in known]], by_type)


@settings(max_examples=60, deadline=None)
@given(CORPORA)
def test_strict_and_boundary_scores_are_those_of_nervaluate(
    pairs: list[tuple[list[Span], list[Span]]],
) -> None:
    truth, guess = (
        [labels_of(spans, LENGTH) for spans in side] for side in zip(*pairs, strict=True)
    )
    results = Evaluator(truth, guess, tags=TYPES, loader="list").evaluate()["overall"]
    for mode, name in (("strict", "strict"), ("boundary", "exact")):
        expected = [results[name].precision, results[name].recall, results[name].f1]
        np.testing.assert_allclose(scored(pairs)[MODES.index(mode), -1], expected, atol=1e-12)


@st.composite
def sides(draw: st.DrawFn) -> tuple[list[Span], list[Span]]:
    """Spans marked and found of a sentence, at most one of either between two cuts, so that none
    touches two of the other side."""
    cuts = sorted(draw(st.sets(st.integers(0, LENGTH), min_size=2)))
    chosen: tuple[list[Span], list[Span]] = ([], [])
    for first, last in pairwise(cuts):
        for side in chosen:
            if draw(st.integers(0, 3)):
                start = draw(st.integers(first, last - 1))
                end = draw(st.integers(start + 1, last))
                side.append(Span(start, end, draw(st.sampled_from(TYPES))))
    return chosen


@settings(max_examples=100, deadline=None)
@given(st.lists(sides(), min_size=1, max_size=6))
def test_lenient_scores_are_those_of_nervaluate_where_none_touches_two(
    pairs: list[tuple[list[Span], list[Span]]],
) -> None:
    """Of each type and of all; nervaluate pairs spans one to one, which then both do."""
    truth, guess = (
        [labels_of(spans, LENGTH) for spans in side] for side in zip(*pairs, strict=True)
    )
    results = Evaluator(truth, guess, tags=TYPES, loader="list").evaluate()
    of = {**results["entities"], "all": results["overall"]}
    for scores, name in zip(scored(pairs)[MODES.index("lenient")], [*TYPES, "all"], strict=True):
        one = of[name]["ent_type"] if name in of else None
        expected = [one.precision, one.recall, one.f1] if one else [0, 0, 0]
        np.testing.assert_allclose(scores, expected, atol=1e-12)


def test_lenient_scores_are_those_counted_by_hand() -> None:
    marked = [[Span(0, 3, "A"), Span(4, 6, "B")], [Span(2, 4, "A")], []]
    found = [[Span(1, 2, "A"), Span(4, 7, "A")], [Span(2, 4, "A")], [Span(0, 1, "B")]]
    sides = ([labels_of(spans, LENGTH) for spans in side] for side in (marked, found))
    results = Evaluator(*sides, tags=TYPES, loader="list").evaluate()["overall"]["ent_type"]
    lenient = scored(list(zip(marked, found, strict=True)))[MODES.index("lenient"), -1]
    np.testing.assert_allclose(lenient, [results.precision, results.recall, results.f1])
    np.testing.assert_allclose(lenient, [2 / 4, 2 / 3, 4 / 7])  # by hand


def test_a_span_that_touches_two_is_one_found_and_two_recalled() -> None:
    pairs = [([Span(0, 2, "A"), Span(3, 4, "A")], [Span(1, 4, "A")])]
    np.testing.assert_allclose(scored(pairs)[MODES.index("lenient"), -1], [1, 1, 1])
    assert scored(pairs)[MODES.index("strict"), -1].tolist() == [0, 0, 0]


def test_what_is_not_there_has_no_score() -> None:
    nothing, one = [[]], [[Span(0, 1, "A")]]
    assert np.isnan(measures(counts(nothing, nothing, TYPES).sum(0))).all()
    precision, recall, f1 = measures(counts(one, nothing, TYPES).sum(0))[0, -1]
    assert np.isnan(precision)
    assert (recall, f1) == (0, 0)


def some_counts(seed: int, replicates: int, units: int, rate: float) -> np.ndarray:
    """Counts of made-up units in which a mention is found with a probability."""
    random = np.random.default_rng(seed)
    result = np.zeros((replicates, units, len(MODES), 1, 4), np.int64)
    marked = random.integers(1, 4, units)
    for replicate in range(replicates):
        right = random.binomial(marked, rate)
        found = right + random.binomial(1, 0.3, units)
        result[replicate, :, :, 0] = np.stack([right, found, right, marked], -1)[:, None]
    return result


def test_draws_are_those_of_units_taken_anew() -> None:
    each = some_counts(0, 2, 30, 0.7)
    found = drawn(each, 250, seed=5)
    random = np.random.default_rng(5)
    weights = np.concatenate([random.multinomial(30, [1 / 30] * 30, n) for n in (200, 50)])
    for draw in (0, 199, 200, 249):
        rows = np.repeat(np.arange(30), weights[draw])
        expected = np.mean([measures(one[rows].sum(0)) for one in each], axis=0)
        np.testing.assert_allclose(found[draw], expected)
    lower, upper = interval(found, 0.9)
    np.testing.assert_allclose(lower, np.quantile(found, 0.05, axis=0))
    np.testing.assert_allclose(upper, np.quantile(found, 0.95, axis=0))


def test_exchanging_at_random_comes_close_to_all_exchanges() -> None:
    """Of eight units all 256 exchanges can be tried."""
    one, other = some_counts(1, 1, 8, 0.9), some_counts(2, 3, 8, 0.5)
    other[..., 3] = one[..., 3]  # they were marked once

    def f1(counts: np.ndarray) -> float:
        return float(np.mean([measures(c.sum(0))[0, -1, 2] for c in counts]))

    seen = abs(f1(one) - f1(other))
    both = np.broadcast_arrays(one, other)
    beyond = 0
    for swaps in product([False, True], repeat=8):
        where = np.array(swaps)[None, :, None, None, None]
        first, second = np.where(where, both[1], both[0]), np.where(where, both[0], both[1])
        beyond += abs(f1(first) - f1(second)) >= seen - 1e-12
    p = randomisation_p(one, other, 20_000, seed=3)[0, -1, 2]
    assert p == pytest.approx(beyond / 256, abs=0.015)
    assert randomisation_p(one, one, 100, seed=3).min() == 1


def test_units_sum_up_their_sentences() -> None:
    counted = np.arange(4)[:, None, None, None] * np.ones((4, 3, 2, 4), np.int64)
    assert of_units(counted, [0, 1, 0, 1])[:, 0, 0, 0].tolist() == [2, 4]
