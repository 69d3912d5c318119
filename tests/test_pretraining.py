"""Vocabularies, sequences, masks and the start from texts, against counts and plain loops."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from concept_transfer.concepts.vocabulary import Vocabulary
from concept_transfer.errors import StudyError
from concept_transfer.inputs.history import History
from concept_transfer.pretraining.batches import Asked, Sequences, batch_of
from concept_transfer.pretraining.masking import blind_loss, masked, predictable
from concept_transfer.pretraining.shuffled import shuffled
from concept_transfer.pretraining.start import projected, text_start, tokens_of
from concept_transfer.pretraining.stays import prolonged
from concept_transfer.pretraining.vocabulary import (
    CLS,
    EXACT,
    MASK,
    NOTHING,
    PREFIX,
    SPECIALS,
    UNKNOWN,
    CodeVocabulary,
    vocabulary_of,
)
from tests.history_data import chains, encoder, history

NAN = float("nan")
TWO = history(
    [
        [("S/F", 0, NAN), ("D/1", 1, 30), ("D/12", 1, 30), ("M/1", 2, 20), ("D/1", 3, 5)],
        [("D/1", 1, 9), ("D/12", 1, 9), ("D/12", 2, 2)],
    ],
    ["D/1", "D/12", "M/1", "S/F"],
)
CODES = st.text("ab1", max_size=4)


def sequences_of(data: History, vocabulary: CodeVocabulary, **chosen: object) -> Sequences:
    return Sequences.of(data, vocabulary, encoder(**chosen))


# Vocabulary


def test_a_code_is_known_if_enough_patients_have_it() -> None:
    for least, names, background in (
        (1, ("S/F", "D/1", "D/12", "M/1"), 1),
        (2, ("D/1", "D/12"), 0),
    ):
        found = vocabulary_of([TWO], [np.arange(2)], encoder(min_count=least))
        assert (found.names, found.background) == (names, background)
        assert found.first_event == SPECIALS + background
        assert len(found) == SPECIALS + len(names)


def test_rows_that_are_not_given_and_codes_that_are_not_read_are_unknown() -> None:
    assert vocabulary_of([TWO], [np.array([1])], encoder()).names == ("D/1", "D/12")
    found = vocabulary_of([TWO], [np.arange(2)], encoder(codes=["M/*", "D/1"], background=False))
    assert found.names == ("D/1", "M/1")


def test_patients_of_several_sites_count_together() -> None:
    other = history([[("M/1", 1, 3.0), ("M/1", 2, 1.0)]], ["M/1"])
    rows = [np.arange(2), np.arange(1)]
    assert vocabulary_of([TWO, other], rows, encoder(min_count=2)).names == ("D/1", "D/12", "M/1")


def test_a_person_at_two_sites_counts_once() -> None:
    other = history([[("M/1", 1, 3.0), ("D/12", 2, 1.0)]], ["D/12", "M/1"])
    rows, least = [np.arange(2), np.arange(1)], encoder(min_count=2)
    persons = [np.array([7, 8]), np.array([7])]
    assert vocabulary_of([TWO, other], rows, least, persons).names == ("D/1", "D/12")
    persons = [np.array([7, 8]), np.array([9])]
    assert vocabulary_of([TWO, other], rows, least, persons).names == ("D/1", "D/12", "M/1")
    assert vocabulary_of([TWO], [np.array([1])], encoder(min_count=1), persons[:1]).names == (
        "D/1",
        "D/12",
    )


@pytest.mark.parametrize("chosen", [{"min_count": 3}, {"codes": ["X/*"]}])
def test_an_empty_vocabulary_is_refused(chosen: dict[str, object]) -> None:
    with pytest.raises(StudyError, match="lower 'min_count', or widen 'codes'"):
        vocabulary_of([TWO], [np.arange(2)], encoder(**chosen))


@given(st.sets(CODES.filter(bool), min_size=1), st.lists(CODES, min_size=1))
def test_codes_are_read_as_their_longest_known_prefix(known: set[str], names: list[str]) -> None:
    vocabulary = CodeVocabulary(tuple(sorted(known)))
    coding = vocabulary.coding(names, ["*"])
    for name, number, found in zip(names, coding.ids, coding.found, strict=True):
        best = ""
        for other in vocabulary.names:
            if name[: len(other)] == other and len(other) > len(best):
                best = other
        assert found == (EXACT if best == name and best else PREFIX if best else NOTHING)
        assert number == (SPECIALS + vocabulary.names.index(best) if best else UNKNOWN)


# Sequences


def plain(data: History, vocabulary: CodeVocabulary, row: int, **chosen: object) -> list[list]:
    """Code, segment, age and time of every token of a row, one after the other."""
    wanted = encoder(**chosen)
    coding = vocabulary.coding(data.names, wanted.codes)
    start, stop = data.codes.offsets[row : row + 2]
    background, events = [], []
    for place in range(start, stop):
        code = data.codes.values[place]
        if data.visits[place] == 0:
            background += [[coding.ids[code], 0, NAN, NAN]] if wanted.background else []
        elif coding.reads[code]:
            time = data.index_days[row] - data.days[place]
            events.append([coding.ids[code], data.visits[place], data.ages[place], time])
    room = max(wanted.max_length - 1 - len(background), 0)
    events = events[max(len(events) - room, 0) :]
    newest = max((event[1] for event in events), default=0)
    for event in events:
        event[1] = newest - event[1] + 1
    return [[CLS, 0, NAN, NAN], *background, *events]


@given(
    st.integers(0, 1000),
    st.integers(8, 30),
    st.booleans(),
    st.sampled_from([["*"], ["D/0*", "S/F"], ["D/03", "D/1*"]]),
)
@settings(max_examples=30, deadline=None)
def test_sequences_are_those_of_a_plain_loop(
    seed: int, longest: int, background: bool, codes: list[str]
) -> None:
    chosen = {"max_length": longest, "background": background, "codes": codes}
    data = chains(6, seed)
    vocabulary = CodeVocabulary(("S/F", "S/M", *data.names[:9]), 2)
    sequences = sequences_of(data, vocabulary, **chosen)
    rows = np.array([4, 0, 5])
    batch = sequences.batch(rows)
    for place, row in enumerate(rows):
        expected = plain(data, vocabulary, row, **chosen)
        length = int(batch.lengths[place])
        assert length == len(expected) == sequences.lengths[row] <= longest
        whole = plain(data, vocabulary, row, **chosen | {"max_length": 10**6})
        assert sequences.cut[row] == len(whole) - len(expected)
        for column, field in enumerate(("codes", "segments", "ages", "times")):
            found = getattr(batch, field)[place, :length].numpy()
            np.testing.assert_allclose(found, [token[column] for token in expected], rtol=1e-6)


def test_truncation_keeps_background_and_the_newest() -> None:
    row = [("S/F", 0, NAN), *((f"D/{k}", k, 100.0 - k) for k in range(1, 21))]
    data = history([row], ["S/F", *(f"D/{k}" for k in range(1, 21))])
    vocabulary = vocabulary_of([data], [np.arange(1)], encoder())
    sequences = sequences_of(data, vocabulary, max_length=8)
    codes = sequences.batch(np.array([0])).codes[0].tolist()
    names = [vocabulary.names[code - SPECIALS] for code in codes[1:]]
    assert names == ["S/F", *(f"D/{k}" for k in range(15, 21))]
    assert sequences.cut.tolist() == [14]


def test_a_very_long_timeline_and_one_without_events() -> None:
    many = [("D/1", 1 + place, 100_000.0 - place) for place in range(100_000)]
    data = history([many, [("S/F", 0, NAN)], []], ["D/1", "S/F"])
    sequences = sequences_of(data, CodeVocabulary(("S/F", "D/1"), 1), max_length=512)
    assert sequences.lengths.tolist() == [512, 2, 1]
    assert sequences.cut.tolist() == [100_001 - 512, 0, 0]
    assert sequences.batch(np.arange(3)).codes.shape == (3, 512)


@pytest.mark.parametrize("asked", ["newest_visit", "next_visit"])
def test_what_is_asked_stands_last(asked: Asked) -> None:
    vocabulary = vocabulary_of([TWO], [np.arange(2)], encoder())
    sequences = sequences_of(TWO, vocabulary)
    plain_batch, batch = sequences.batch(np.arange(2)), sequences.batch(np.arange(2), asked)
    assert torch.equal(batch.lengths, plain_batch.lengths + 1)
    for row, last in enumerate(plain_batch.lengths.tolist()):
        assert torch.equal(batch.codes[row, :last], plain_batch.codes[row, :last])
        assert (batch.codes[row, last], batch.segments[row, last]) == (MASK, 1)
        before = plain_batch.segments[row, :last]
        shift = (before > 0) & (asked == "next_visit")
        assert torch.equal(batch.segments[row, :last], before + shift)
    ages, times = (
        ([50, 50], [9000, 9000])
        if asked == "next_visit"
        else (
            [50 - 5 / 365.25, 50 - 2 / 365.25],
            [8995, 8998],
        )
    )
    ends = torch.arange(2), batch.lengths - 1
    np.testing.assert_allclose(batch.ages[ends], ages, rtol=1e-6)
    np.testing.assert_allclose(batch.times[ends], times)


def test_sites_share_a_batch() -> None:
    other = history([[("M/1", 1, 3.0)]], ["M/1"])
    vocabulary = CodeVocabulary(("D/1", "D/12", "M/1"))
    first, second = sequences_of(TWO, vocabulary), sequences_of(other, vocabulary)
    both = batch_of([(first, np.array([1])), (second, np.array([0]))])
    assert both.codes[0].tolist() == first.batch(np.array([1])).codes[0].tolist()
    assert both.codes[1].tolist() == [CLS, SPECIALS + 2, 0, 0]


# Masks


@given(st.floats(0.05, 0.6), st.integers(0, 99))
@settings(max_examples=15, deadline=None)
def test_masks_have_their_rates_and_spare_the_rest(rate: float, seed: int) -> None:
    data = chains(400, seed, codes=40, faithful=0.2)
    vocabulary = CodeVocabulary(("S/F", "S/M", *data.names[:35]), 2)
    batch = sequences_of(data, vocabulary).batch(np.arange(400))
    found = masked(batch, vocabulary, rate, np.random.default_rng(seed))
    able = predictable(batch, vocabulary)
    events = (batch.segments > 0) & (batch.codes != UNKNOWN)
    assert torch.equal(able, events)
    assert not (found.chosen & ~able).any()
    assert torch.equal(found.answers, batch.codes[found.chosen])
    assert torch.equal(found.batch.codes[~found.chosen], batch.codes[~found.chosen])
    shown = found.batch.codes[found.chosen]
    assert ((shown == MASK) | (shown >= vocabulary.first_event)).all()
    chosen = len(shown)
    many = len(vocabulary) - vocabulary.first_event

    def near(count: float, share: float, of: int) -> bool:
        return abs(count - share * of) < 5 * (share * (1 - share) * of) ** 0.5 + 1

    assert near(chosen, rate, int(able.sum()))
    assert near(int((shown == MASK).sum()), 0.8, chosen)
    unlike = (shown != MASK) & (shown != found.answers)
    assert near(int(unlike.sum()), 0.1 * (1 - 1 / many), chosen)


def test_who_is_blind_to_context_loses_this_much() -> None:
    counts = np.array([50, 30, 15, 5, 0])
    shares = counts / counts.sum()
    joint = np.zeros((5, 6))  # answer, what is shown; the last one is [MASK]
    for answer in range(5):
        joint[answer, 5] += 0.8 * shares[answer]
        joint[answer, answer] += 0.1 * shares[answer]
        joint[answer, :5] += 0.1 * shares[answer] / 5
    given_shown = joint / joint.sum(0)
    expected = -(joint[joint > 0] * np.log(given_shown[joint > 0])).sum()
    assert blind_loss(counts) == pytest.approx(expected)


def test_shuffled_codes_keep_all_but_their_order() -> None:
    data = chains(50, 2)
    rows = np.arange(50) < 30
    found = shuffled(data, rows, np.random.default_rng(0))
    for field in ("visits", "days", "ages", "index_days"):
        assert getattr(found, field) is getattr(data, field)
    own, before = found.codes.values, data.codes.values
    timed, inside = data.visits > 0, np.repeat(rows, data.codes.lengths)
    assert np.array_equal(own[~timed | ~inside], before[~timed | ~inside])
    dealt = timed & inside
    assert np.array_equal(np.sort(own[dealt]), np.sort(before[dealt]))
    assert (own[dealt] != before[dealt]).mean() > 0.8


def test_prolonged_stays_are_those_of_a_plain_loop() -> None:
    rng = np.random.default_rng(3)
    rows = []
    for _ in range(40):
        days = np.sort(rng.uniform(0, 30, rng.integers(0, 9)))[::-1]
        rows.append(
            [("S/F", 0, NAN), *(("D/1", 1 + place // 3, d) for place, d in enumerate(days))]
        )
    data = history(rows, ["S/F", "D/1"])
    expected = []
    for row in rows:
        visits = {visit: [d for _, own, d in row if own == visit] for _, visit, _ in row if visit}
        expected.append(any(max(each) - min(each) > 7 for each in visits.values()))
    assert prolonged(data, np.arange(40), 7).tolist() == expected
    assert 0 < sum(expected) < 40
    assert prolonged(data, np.array([5, 2]), 7).tolist() == [expected[5], expected[2]]


# Vectors that start from texts


def texts(*concepts: str) -> Vocabulary:
    pairs = [(concept, state) for concept in concepts for state in ("present", "absent")]
    columns = [tuple(c for c, _ in pairs)] * 2 + [("finding",) * len(pairs)]
    return Vocabulary(*columns, tuple(s for _, s in pairs), tuple(f"{c} {s}" for c, s in pairs))


def test_codes_find_the_concept_that_they_begin_with() -> None:
    found = tokens_of(["D/1", "D/12", "D/123", "M/1", "D"], texts("D/1", "D/12"))
    assert found.tolist() == [0, 2, 2, -1, -1]


def test_a_projection_keeps_distances_and_has_its_spread() -> None:
    rng = np.random.default_rng(0)
    vectors = (rng.normal(size=(30, 5)) @ rng.normal(size=(5, 40)) + 3).astype(np.float32)
    found = projected(vectors, 8, 0.05)
    assert found.std() == pytest.approx(0.05, rel=1e-4)
    assert not found[:, 5:].round(6).any()

    def distances(table: np.ndarray) -> np.ndarray:
        return np.linalg.norm(table[:, None] - table[None], axis=2)

    ratio = distances(found)[np.triu_indices(30, 1)] / distances(vectors)[np.triu_indices(30, 1)]
    np.testing.assert_allclose(ratio, ratio[0], rtol=1e-3)


def test_codes_start_where_their_texts_lie() -> None:
    table = np.random.default_rng(1).normal(size=(4, 7)).astype(np.float32)
    found = text_start(["D/12", "X", "D/1", "D/129"], texts("D/1", "D/12"), table, 4, 0.05)
    expected = projected(table[[0, 2]], 4, 0.05)
    np.testing.assert_array_equal(found[[2, 0]], expected)
    np.testing.assert_array_equal(found[3], found[0])
    assert np.isnan(found[1]).all()
