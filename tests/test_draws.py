"""Random numbers that depend on a replicate's key alone."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from engine_data import keys
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from torch import Tensor

from concept_transfer.cohorts.budget import replicate_key, subset_order
from concept_transfer.training.draws import (
    CONVOLUTION,
    LINEAR,
    hashes,
    initial_weights,
    keep_masks,
    order,
    uniforms,
)

MANY = keys(*range(4000))
TINY = 1e-6  # p-value below which a fixed, deterministic draw counts as wrong


def test_the_hash_is_splitmix64() -> None:
    """Against plain Python integers: finaliser of start + counter * golden ratio."""
    mask, golden = (1 << 64) - 1, 0x9E3779B97F4A7C15

    def mix(x: int) -> int:
        x = ((x ^ x >> 30) * 0xBF58476D1CE4E5B9) & mask
        x = ((x ^ x >> 27) * 0x94D049BB133111EB) & mask
        return x ^ x >> 31

    for key in (0, -5, 1 << 62):
        start = mix((key + 3 * golden) & mask)
        expected = [mix((start + i * golden) & mask) for i in range(4)]
        found = hashes(torch.tensor([key]), 2, torch.arange(4))[0]
        assert [value & mask for value in found.tolist()] == expected


@pytest.mark.parametrize("axis", [0, 1])
def test_uniform_along_replicates_and_along_counters(axis: int) -> None:
    draws = uniforms(MANY, LINEAR, (4000,))
    for line in draws.movedim(axis, 0)[[0, 1, 500]].numpy():
        assert stats.kstest(line, "uniform").pvalue > TINY
    assert float(draws.min()) >= 0
    assert float(draws.max()) < 1


def test_replicates_and_purposes_are_uncorrelated() -> None:
    draws = uniforms(MANY[:50], LINEAR, (4000,)).numpy()
    other = uniforms(MANY[:50], CONVOLUTION, (4000,)).numpy()
    within = np.corrcoef(draws)[np.triu_indices(50, 1)]
    between = np.corrcoef(draws, other)[:50, 50:].ravel()
    for correlations in (within, between):
        assert np.abs(correlations).max() < 6 / 4000**0.5
        assert correlations.std() == pytest.approx(4000**-0.5, rel=0.15)


def test_initial_weights_stay_within_one_over_the_root_of_the_inputs() -> None:
    weights = initial_weights(MANY[:20], 64, 25)
    for value, inputs in (
        (weights.convolution, 64),
        (weights.convolution_bias, 64),
        (weights.linear, 25),
        (weights.linear_bias, 25),
    ):
        assert float(value.abs().max()) <= inputs**-0.5
        scaled = (value.flatten().double() * inputs**0.5 + 1) / 2
        assert stats.kstest(scaled.numpy(), "uniform").pvalue > TINY


def test_initial_weights_of_two_classes_are_drawn_as_they_always_were() -> None:
    """The first draws of replicate 0, and uniform numbers of the same purposes by hand."""
    weights = initial_weights(keys(0, 5), 3, 4)
    for value, purpose, shape in (
        (weights.linear, LINEAR, (4, 2)),
        (weights.convolution, CONVOLUTION, (3, 4)),
    ):
        expected = (uniforms(keys(0, 5), purpose, shape) * 2 - 1) * shape[0] ** -0.5
        assert torch.equal(value, expected.float())
    three = initial_weights(keys(0, 5), 3, 4, 3)
    assert (three.linear.shape, three.linear_bias.shape) == ((2, 4, 3), (2, 3))
    assert torch.equal(three.convolution, weights.convolution)


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 400), st.integers(0, 50), st.data())
def test_an_order_is_a_permutation_and_may_be_read_in_parts(
    length: int, number: int, data: st.DataObject
) -> None:
    cut = data.draw(st.integers(0, length))
    whole = order(MANY[:3], number, length, 0, length)
    assert torch.equal(whole.sort(1).values, torch.arange(length).expand(3, -1))
    parts = [order(MANY[:3], number, length, *ends) for ends in ((0, cut), (cut, length))]
    assert torch.equal(torch.cat(parts, 1), whole)
    assert torch.equal(order(MANY[2:3], number, length, 0, length), whole[2:3])


@pytest.mark.parametrize("length", [2, 3, 4])
def test_all_permutations_are_equally_likely(length: int) -> None:
    places = order(MANY, 1, length, 0, length)
    code = (places * length ** torch.arange(length)).sum(1)
    _, counts = code.unique(return_counts=True)
    assert len(counts) == {2: 2, 3: 6, 4: 24}[length]
    assert stats.chisquare(counts.numpy()).pvalue > TINY


@pytest.mark.parametrize("length", [5, 12, 37])
def test_every_row_is_equally_likely_at_every_place(length: int) -> None:
    places = order(MANY, 0, length, 0, length)
    for place in (0, length // 2, length - 1):
        counts = torch.bincount(places[:, place], minlength=length)
        assert stats.chisquare(counts.numpy()).pvalue > TINY
    pairs = torch.bincount(places[:, 0] * length + places[:, 1], minlength=length**2)
    possible = pairs.view(length, length)[~torch.eye(length, dtype=torch.bool)]
    assert int(pairs.sum()) == int(possible.sum())
    if length < 20:
        assert stats.chisquare(possible.numpy()).pvalue > TINY


def test_passes_have_orders_of_their_own() -> None:
    places = torch.stack([order(MANY[:200], number, 50, 0, 50) for number in range(2)])
    agreement = (places[0] == places[1]).double().mean()
    assert float(agreement) == pytest.approx(1 / 50, abs=0.006)


@pytest.mark.parametrize("rate", [0.1, 0.5, 0.9])
def test_dropout_keeps_the_share_it_should(rate: float) -> None:
    kept = keep_masks(MANY[:20], 0, 4, 32, 101, rate).double()
    assert kept.shape == (4, 20, 32, 101)
    count = kept.numel()
    assert stats.binomtest(int(kept.sum()), count, 1 - rate).pvalue > TINY
    for axis in range(4):
        own = kept.movedim(axis, 0).flatten(1)
        counts = own.sum(1).numpy()
        spread = (own.shape[1] * rate * (1 - rate)) ** 0.5
        assert np.abs(counts - own.shape[1] * (1 - rate)).max() < 6 * spread


def test_dropout_depends_on_step_and_replicate_alone() -> None:
    def masks(which: Tensor, first: int, last: int) -> Tensor:
        return keep_masks(which, first, last, 3, 7, 0.5)

    together = masks(MANY[:5], 10, 14)
    assert torch.equal(masks(MANY[3:4], 12, 13)[0, 0], together[2, 3])
    assert not torch.equal(together[0, 3], together[1, 3])
    assert not torch.equal(together[0, 3], together[0, 4])


def test_replicate_keys_differ() -> None:
    found = {replicate_key(seed, replicate) for seed in range(30) for replicate in range(200)}
    assert len(found) == 6000


def test_subset_orders_are_uniform_and_ignore_the_rest_of_the_pool() -> None:
    pool = np.arange(12)
    firsts = [subset_order(key, "site", pool)[0] for key in MANY.tolist()]
    assert stats.chisquare(np.bincount(firsts, minlength=12)).pvalue > TINY
    whole = subset_order(7, "site", pool)
    part = subset_order(7, "site", pool[pool % 2 == 0])
    assert part.tolist() == [row for row in whole.tolist() if row % 2 == 0]
    assert whole.tolist() != subset_order(7, "other", pool).tolist()
