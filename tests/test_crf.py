"""The linear-chain CRF against an enumeration of all labellings, and against finite differences."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from concept_transfer.extraction.crf import (
    Chain,
    Layout,
    best_labels,
    bio_chain,
    log_likelihood,
    log_partition,
    marginals,
    score_of,
)
from concept_transfer.extraction.spans import bio_labels, spans_of


def enumerated(scores: Tensor, chain: Chain) -> dict[tuple[int, ...], float]:
    """Every labelling of one sentence -> its score, added up word after word."""
    found = {}
    for labels in product(range(scores.shape[1]), repeat=len(scores)):
        total = chain.first[labels[0]] + chain.last[labels[-1]]
        for place, label in enumerate(labels):
            total = total + scores[place, label]
            if place:
                total = total + chain.transitions[labels[place - 1], label]
        found[labels] = float(total)
    return found


def random_case(seed: int, labels: int, lengths: list[int]) -> tuple[Tensor, Chain, Layout]:
    generator = torch.Generator().manual_seed(seed)

    def draw(*shape: int) -> Tensor:
        return 2 * torch.randn(*shape, generator=generator, dtype=torch.float64)

    chain = Chain(draw(labels, labels), draw(labels), draw(labels))
    return draw(sum(lengths), labels), chain, Layout(torch.tensor(lengths))


@settings(max_examples=25, deadline=None)
@given(
    st.integers(0, 2**31),
    st.integers(1, 3),
    st.lists(st.integers(1, 5), min_size=1, max_size=4),
)
def test_the_sums_are_those_over_all_labellings(seed: int, labels: int, lengths: list[int]) -> None:
    scores, chain, layout = random_case(seed, labels, lengths)
    best, probabilities = best_labels(scores, chain, layout), marginals(scores, chain, layout)
    partition, own = log_partition(scores, chain, layout), score_of(scores, best, chain, layout)
    start = 0
    for sentence, length in enumerate(lengths):
        part = slice(start, start + length)
        found = enumerated(scores[part], chain)
        totals = np.array(list(found.values()))
        assert float(partition[sentence]) == pytest.approx(np.logaddexp.reduce(totals))
        assert found[tuple(best[part].tolist())] == pytest.approx(totals.max())
        assert float(own[sentence]) == pytest.approx(totals.max())
        weights = np.exp(totals - np.logaddexp.reduce(totals))
        shares = np.zeros((length, labels))
        for labelling, weight in zip(found, weights, strict=True):
            shares[np.arange(length), labelling] += weight
        np.testing.assert_allclose(probabilities[part], shares, atol=1e-12)
        start += length


def test_the_gradients_are_finite_differences() -> None:
    scores, chain, layout = random_case(5, 3, [1, 4, 2, 4])
    labels = torch.tensor([0, 1, 2, 2, 0, 1, 1, 0, 2, 1, 0])
    parts = [one.requires_grad_() for one in (scores, chain.transitions, chain.first, chain.last)]
    weights = torch.tensor([0.5, -1.0, 2.0, 1.0], dtype=torch.float64)

    def loss(scores: Tensor, *chain: Tensor) -> Tensor:
        return (log_likelihood(scores, labels, Chain(*chain), layout) * weights).sum()

    assert torch.autograd.gradcheck(loss, parts)


def test_marginals_are_the_gradients_of_the_log_partition() -> None:
    scores, chain, layout = random_case(7, 3, [3, 6])
    scores.requires_grad_()
    log_partition(scores, chain, layout).sum().backward()
    torch.testing.assert_close(scores.grad, marginals(scores.detach(), chain, layout))


@given(st.integers(0, 2**31))
@settings(max_examples=20, deadline=None)
def test_bio_labels_are_never_out_of_order(seed: int) -> None:
    """Even where the scores of the words prefer it."""
    names = bio_labels(["A", "B"])
    scores, _, layout = random_case(seed, len(names), [4, 9, 1])
    chain = bio_chain(names)
    found = [names[label] for label in best_labels(10 * scores, chain, layout)]
    for part in (found[:4], found[4:13], found[13:]):
        spans_of(part)
    begins = marginals(scores, chain, layout)[[0, 4, 13]]
    assert float(begins[:, [names.index("I-A"), names.index("I-B")]].max()) == 0


def test_far_apart_scores_are_no_overflow() -> None:
    scores, chain, layout = random_case(1, 3, [50, 3])
    big = marginals(300 * scores, chain, layout)
    assert torch.isfinite(big).all()
    torch.testing.assert_close(big.sum(1), torch.ones(53, dtype=torch.float64))
