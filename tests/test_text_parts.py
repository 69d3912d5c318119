"""What a step of adaptation is made of: sequences, masks, spans, losses, and the schedule."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from text_data import WORDS, documents, readable_of, tokenizer

from concept_transfer.pretraining.text.contrast import nt_xent, supervised_contrast
from concept_transfer.pretraining.text.documents import Documents
from concept_transfer.pretraining.text.leak import told_by_category
from concept_transfer.pretraining.text.masking import masked
from concept_transfer.pretraining.text.schedule import batches, slanted_triangle
from concept_transfer.pretraining.text.sequences import Marks, Spans, sequences_of
from concept_transfer.pretraining.text.spans import neighbours, windows
from concept_transfer.settings.text_encoders import TextEncoder

TOKENIZER = tokenizer()
MARKS = Marks.of(TOKENIZER)


def learned(texts: list[str]) -> Documents:
    return Documents.of("encoders.m", readable_of(texts), TOKENIZER)


def spanning(**changes: object) -> TextEncoder:
    return TextEncoder.model_validate({"kind": "text", "sites": ["a"], **changes})


# Sequences


def test_sequences_are_what_the_tokenizer_makes_of_the_words() -> None:
    texts = documents(25)
    found = learned(texts)
    rng = np.random.default_rng(3)
    rows = rng.integers(25, size=9)
    starts = rng.integers(0, found.lengths[rows])
    lengths = rng.integers(1, found.lengths[rows] - starts + 1)
    sequences = sequences_of(found, Spans(rows, starts, lengths), MARKS)
    parts = [
        " ".join(texts[row].split()[start : start + length])
        for row, start, length in zip(rows, starts, lengths, strict=True)
    ]
    expected = TOKENIZER(parts, padding=True, return_tensors="pt")
    assert torch.equal(sequences.ids, expected["input_ids"])
    assert torch.equal(sequences.real, expected["attention_mask"].bool())
    assert sequences.pieces.sum() == lengths.sum()
    assert sequences.tokens == lengths.sum() + 2 * len(rows)


def test_documents_without_words_are_left_out() -> None:
    texts = documents(25)
    texts[3] = texts[7] = "  "
    found = learned(texts)
    assert len(found) == 23
    assert found.lengths[3] == len(texts[4].split())


# Masks


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10**6), rate=st.floats(0.05, 0.9))
def test_masks_follow_berts_rule(seed: int, rate: float) -> None:
    texts = [*documents(60, seed=seed, longest=120), "fevera strange cougha"]
    found = learned(texts)
    sequences = sequences_of(found, Spans(np.arange(61), np.zeros(61, int), found.lengths), MARKS)
    one = masked(sequences, MARKS, rate, np.random.default_rng(seed))
    before, after = sequences.ids, one.sequences.ids
    assert torch.equal(before[one.chosen], one.answers)
    assert torch.equal(before[~one.chosen], after[~one.chosen])
    assert not (one.chosen & ~sequences.pieces).any()
    assert not (one.answers == MARKS.unknown).any()
    seen = after[one.chosen]
    assert set(seen.tolist()) <= {MARKS.mask, *MARKS.drawable.tolist()}
    assert len(WORDS) == len(MARKS.drawable)
    pieces = int(sequences.pieces.sum()) - 1

    def near(share: float, expected: float, of: int) -> None:
        assert abs(share - expected) < 5 * (expected * (1 - expected) / of) ** 0.5 + 1 / of

    near(len(seen) / pieces, rate, pieces)
    near(float((seen == MARKS.mask).float().mean()), 0.8, len(seen))
    same = 0.1 + 0.1 / len(WORDS)
    near(float((seen == one.answers).float().mean()), same, len(seen))


# Spans


@settings(max_examples=60, deadline=None)
@given(
    lengths=st.lists(st.integers(1, 3000), min_size=1, max_size=12),
    anchors=st.integers(1, 3),
    positives=st.integers(1, 3),
    shortest=st.integers(1, 12),
    longest=st.integers(12, 300),
    limit=st.integers(4, 510),
    seed=st.integers(0, 1000),
)
def test_spans_lie_in_their_documents_and_positives_at_their_anchors(
    lengths: list[int],
    anchors: int,
    positives: int,
    shortest: int,
    longest: int,
    limit: int,
    seed: int,
) -> None:
    chosen = spanning(
        anchors=anchors, positives=positives, shortest_span=shortest, longest_span=longest
    )
    sizes, rows = np.array(lengths), np.arange(len(lengths)) + 5
    near = neighbours(rows, sizes, limit, chosen, np.random.default_rng(seed))
    assert near.anchors.rows.tolist() == np.repeat(rows, anchors).tolist()
    assert near.positives.rows.tolist() == np.repeat(rows, anchors * positives).tolist()
    for spans in (near.anchors, near.positives):
        whole = sizes[spans.rows - 5]
        assert (spans.starts >= 0).all()
        assert (spans.ends <= whole).all()
        assert (spans.lengths <= min(longest, limit)).all()
        assert (spans.lengths >= np.minimum(whole, min(shortest, limit))).all()
    starts = np.repeat(near.anchors.starts, positives)
    ends = np.repeat(near.anchors.ends, positives)
    assert (near.positives.ends >= starts).all()
    assert (near.positives.starts <= ends).all()
    long = sizes >= 2 * anchors * max(shortest, 1)
    own = near.anchors.starts.reshape(-1, anchors)[long]
    assert (own[:, 1:] >= near.anchors.ends.reshape(-1, anchors)[long][:, :-1]).all()


def test_lengths_of_spans_have_the_means_of_their_distributions() -> None:
    chosen = spanning(anchors=1, shortest_span=10, longest_span=110)
    rows = np.arange(4000)
    near = neighbours(rows, np.full(4000, 1000), 510, chosen, np.random.default_rng(1))
    assert near.anchors.lengths.mean() == pytest.approx(10 + 100 * 4 / 6, abs=1)
    assert near.positives.lengths.mean() == pytest.approx(10 + 100 * 2 / 6, abs=1)
    inside = (near.positives.starts >= np.repeat(near.anchors.starts, 2)) & (
        near.positives.ends <= np.repeat(near.anchors.ends, 2)
    )
    apart = (near.positives.starts == np.repeat(near.anchors.ends, 2)).mean()
    assert 0.1 < inside.mean() < 0.9
    assert apart > 0


def test_windows_hold_whole_documents_or_any_part_of_long_ones() -> None:
    draws = [
        windows(np.arange(3), np.array([4, 10, 11]), 10, np.random.default_rng(seed))
        for seed in range(40)
    ]
    assert {tuple(draw.lengths) for draw in draws} == {(4, 10, 10)}
    assert {tuple(draw.starts) for draw in draws} == {(0, 0, 0), (0, 0, 1)}


# Losses


def test_nt_xent_is_that_of_a_plain_loop() -> None:
    rng = np.random.default_rng(0)
    first, second = rng.normal(size=(2, 6, 5))
    both = np.concatenate([first, second])
    both /= np.linalg.norm(both, axis=1, keepdims=True)
    terms = []
    for i in range(12):
        against = [np.exp(both[i] @ both[j] / 0.05) for j in range(12) if j != i]
        terms.append(-np.log(np.exp(both[i] @ both[(i + 6) % 12] / 0.05) / sum(against)))
    found = nt_xent(torch.tensor(first), torch.tensor(second))
    assert found.item() == pytest.approx(np.mean(terms), rel=1e-5)


def test_nt_xent_is_that_of_sentence_transformers() -> None:
    """Its loss of N pairs, in which each anchor and each positive is to find its partner among all
    others of both, is the sum of two halves."""
    from sentence_transformers.sentence_transformer.losses import MultipleNegativesRankingLoss

    first, second = torch.randn(2, 7, 4, generator=torch.Generator().manual_seed(1))
    halves = []
    for one, other in ((first, second), (second, first)):
        loss = MultipleNegativesRankingLoss(
            torch.nn.Identity(),
            scale=20,
            directions=("query_to_doc", "query_to_query"),
            partition_mode="joint",
        )
        halves.append(loss.compute_loss_from_embeddings([one, other], None))
    assert nt_xent(first, second).item() == pytest.approx(
        torch.stack(halves).mean().item(), rel=1e-5
    )


def test_supervised_contrast_is_that_of_a_plain_loop() -> None:
    rng = np.random.default_rng(4)
    vectors, kinds = rng.normal(size=(9, 5)), np.array([0, 1, 0, 2, 1, 0, 2, 3, 1])
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    terms = []
    for i in range(9):
        same = [j for j in range(9) if j != i and kinds[j] == kinds[i]]
        total = sum(np.exp(unit[i] @ unit[j] / 0.1) for j in range(9) if j != i)
        if same:
            shares = [np.log(np.exp(unit[i] @ unit[j] / 0.1) / total) for j in same]
            terms.append(-np.mean(shares))
    told = torch.tensor(vectors), torch.tensor(kinds)
    assert supervised_contrast(*told).item() == pytest.approx(np.mean(terms), rel=1e-5)
    weights = rng.uniform(size=9)
    paired = [i for i in range(9) if (kinds == kinds[i]).sum() > 1]
    found = supervised_contrast(*told, weights=torch.tensor(weights))
    assert found.item() == pytest.approx(np.average(terms, weights=weights[paired]), rel=1e-5)


def test_supervised_contrast_of_two_each_of_two_documents_is_nt_xent() -> None:
    first, second = torch.randn(2, 5, 4, generator=torch.Generator().manual_seed(2))
    kinds = torch.arange(5).repeat(2)
    both = supervised_contrast(torch.cat([first, second]), kinds, 0.05)
    assert both.item() == pytest.approx(nt_xent(first, second).item(), rel=1e-5)


def test_who_is_alone_in_a_category_teaches_nothing() -> None:
    vectors = torch.randn(3, 4, requires_grad=True)
    alone = supervised_contrast(vectors, torch.arange(3))
    alone.backward()
    assert alone.item() == 0
    assert not vectors.grad.any()
    assert supervised_contrast(vectors[:0], torch.arange(0)).item() == 0


# The category and the label


def plainly_told(kinds: list[int], labels: list[int]) -> float:
    """Leave one out, guess its label by the most frequent one of the others; ties are wrong."""
    wrong = 0
    for i, kind in enumerate(kinds):
        others = [labels[j] for j in range(len(labels)) if j != i and kinds[j] == kind]
        rival = max((others.count(k) for k in set(labels) - {labels[i]}), default=0)
        wrong += others.count(labels[i]) <= rival
    blind = len(labels) - max(map(labels.count, labels))
    return 1 - wrong / blind if blind else 0.0


@settings(max_examples=80, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 3)), min_size=1, max_size=30))
def test_what_a_category_tells_is_counted_without_the_document(
    pairs: list[tuple[int, int]],
) -> None:
    kinds, labels = map(list, zip(*pairs, strict=True))
    found = told_by_category(np.array(kinds), np.array(labels))
    assert found == pytest.approx(plainly_told(kinds, labels))


# The schedule


def test_passes_hold_documents_once_in_batches_of_like_lengths() -> None:
    lengths = np.random.default_rng(0).integers(1, 400, size=1003)
    found = batches(lengths, 10, (1, 0), 4)
    assert {len(rows) for rows in found} == {10}
    assert len(set(np.concatenate(found).tolist())) == 1000
    spread = np.mean([np.ptp(lengths[rows]) for rows in found])
    assert spread < 0.3 * np.ptp(lengths)
    assert [rows.tolist() for rows in batches(lengths, 10, (1, 0), 4)] == [
        rows.tolist() for rows in found
    ]
    assert [rows.tolist() for rows in batches(lengths, 10, (1, 0), 5)] != [
        rows.tolist() for rows in found
    ]
    (few,) = batches(lengths[:7], 10, (1, 0), 0)
    assert sorted(few) == list(range(7))


def test_the_step_size_is_a_slanted_triangle() -> None:
    """As Howard and Ruder (2018) write it: cut_frac 0.1, ratio 32."""
    total, cut = 1000, 100
    for step in (0, 30, 100, 400, 999):
        p = step / cut if step < cut else 1 - (step - cut) / (cut * (1 / 0.1 - 1))
        assert slanted_triangle(step / total) == pytest.approx((1 + p * 31) / 32)
