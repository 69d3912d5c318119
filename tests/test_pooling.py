"""The fused maximum against torch.max, and the findings it is taken over."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch
from engine_data import dataset
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from concept_transfer.models import pooling
from concept_transfer.models.cnn import features, project
from concept_transfer.models.dataset import Dataset, Findings, concatenate
from concept_transfer.models.pooling import NOTHING, POOLINGS, pool, pool_with_winners
from concept_transfer.training.stacking import Stacker

ROWS = 6
SPECIAL = [0.0, -0.0, 1e-45, -1e-45, 1.2e-38, 3.3e38, -2.9e38, 1.0, 1.0000001, -1.0, -7.25]
NUMBERS = st.one_of(st.sampled_from(SPECIAL), st.floats(-(2.0**100), 2.0**100, width=32))
ENCOUNTERS = st.lists(st.lists(st.integers(0, ROWS - 1), max_size=7), min_size=1, max_size=9)
COMMON = settings(max_examples=60, deadline=None)


def findings_of(encounters: list[list[int]]) -> Findings:
    data = dataset(encounters, [0] * len(encounters))
    return data.findings(torch.arange(len(encounters)))


def plain_pool(table: Tensor, encounters: list[list[int]]) -> Tensor:
    nothing = torch.full_like(table[0], NOTHING)
    return torch.stack([table[held].max(0).values if held else nothing for held in encounters])


@COMMON
@given(ENCOUNTERS, st.lists(NUMBERS, min_size=2 * ROWS, max_size=2 * ROWS))
def test_the_pool_is_the_maximum(encounters: list[list[int]], numbers: list[float]) -> None:
    table = torch.tensor(numbers).view(ROWS, 2)
    findings = findings_of(encounters)
    expected = plain_pool(table, encounters)
    assert torch.equal(pool(table, findings), expected)
    gathered = pooling._gathered_pool(table, findings)
    if findings.empty is not None:
        gathered.masked_fill_(findings.empty[:, None], NOTHING)
    assert torch.equal(gathered, expected)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@COMMON
@given(ENCOUNTERS, st.lists(NUMBERS, min_size=4 * ROWS, max_size=4 * ROWS))
def test_winners_hold_the_maximum(
    dtype: torch.dtype, encounters: list[list[int]], numbers: list[float]
) -> None:
    """Each replicate's places count within its own table, and belong to the encounter."""
    tables = torch.tensor(numbers, dtype=dtype).view(2, ROWS, 2)
    second = [[token + ROWS for token in held] for held in encounters]
    pooled, winners = pool_with_winners(tables, findings_of(encounters + second))
    for table, own, places in zip(tables, pooled, winners, strict=True):
        assert torch.equal(own, plain_pool(table, encounters))
        for held, value, place in zip(encounters, own, places, strict=True):
            if held:
                assert torch.equal(table.view(-1)[place], value)
                assert set((place // 2).tolist()) <= set(held)
                assert (place % 2).tolist() == [0, 1]


def test_values_that_are_not_finite_stay_with_their_replicate() -> None:
    tables = torch.ones(3, ROWS, 2)
    tables[1] = torch.nan
    tables[2] = torch.inf
    encounters = [[0, 1], [2 + ROWS], [3 + 2 * ROWS]]
    pooled, winners = pool_with_winners(tables, findings_of(encounters))
    assert torch.equal(pooled[0], torch.ones(1, 2))
    assert bool(pooled[1].isnan().all())
    assert int(winners.max()) < ROWS * 2
    assert int(winners.min()) >= 0


@COMMON
@given(ENCOUNTERS, st.data())
def test_findings_of_any_rows(encounters: list[list[int]], data: st.DataObject) -> None:
    rows = data.draw(st.lists(st.integers(0, len(encounters) - 1), max_size=12))
    found = dataset(encounters, [0] * len(encounters)).findings(
        torch.tensor(rows, dtype=torch.int64)
    )
    bounds = found.offsets.tolist()
    held = [found.tokens[a:b].tolist() for a, b in pairwise(bounds)]
    assert held == [encounters[row] for row in rows]
    empty = [not encounters[row] for row in rows]
    assert (found.empty.tolist() if found.empty is not None else [False] * len(rows)) == empty


@pytest.mark.parametrize("matrix", [True, False])
@pytest.mark.parametrize("renumbered", [True, False])
@pytest.mark.parametrize("compact", [True, False])
@pytest.mark.parametrize("longest", [1, 6, 40])
def test_stacked_batches_hold_each_encounter_s_tokens(
    matrix: bool, renumbered: bool, compact: bool, longest: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a matrix or as compressed rows, with all tokens or the touched ones alone."""
    generator = torch.Generator().manual_seed(longest)
    lengths = torch.randint(0, longest + 1, (30,), generator=generator).tolist()
    encounters = [torch.randint(0, 20, (n,), generator=generator).tolist() for n in lengths]
    data = dataset(encounters, [0] * 30)
    if not matrix:
        monkeypatch.setattr("concept_transfer.training.stacking.MATRIX_NUMBERS", 0)
    table_rows = torch.arange(19, -1, -1, dtype=torch.int32) if renumbered else None
    stacker = Stacker(data, table_rows, 20)
    rows = torch.randint(0, 30, (3, 2, 4), generator=generator)
    for step, stacked in enumerate(stacker.stack(rows, compact)):
        size = 20 if stacked.touched is None else stacked.touched.shape[1]
        bounds = stacked.findings.offsets.tolist()
        for place, row in enumerate(rows[step].flatten().tolist()):
            tokens = stacked.findings.tokens[bounds[place] : bounds[place + 1]] - place // 4 * size
            assert compact or stacked.touched is None
            if stacked.touched is not None:
                tokens = stacked.touched[place // 4, tokens.long()]
            held = set(encounters[row])
            expected = {19 - token for token in held} if renumbered else held
            empty = stacked.findings.empty is not None and bool(stacked.findings.empty[place])
            assert empty == (not held)
            assert empty or set(tokens.tolist()) == expected


@pytest.mark.parametrize("pooling", POOLINGS)
def test_features_of_replicates(pooling: str) -> None:
    vectors, convolution, bias = torch.randn(5, 3), torch.randn(2, 3, 4), torch.randn(2, 4)
    data = dataset([[0, 4], [], [2]], [0, 0, 0])
    found = features(project(vectors, convolution), bias, data, torch.tensor([1, 0, 2]), pooling)
    how = {
        "max": lambda held: held.amax(0),
        "sum": lambda held: held.sum(0),
        "mean": lambda held: held.mean(0),
        "max_sum": lambda held: held.amax(0) + held.sum(0),
    }[pooling]
    for i in range(2):
        table = (vectors @ convolution[i] + bias[i]).relu()
        expected = torch.stack([torch.zeros(4), how(table[[0, 4]]), how(table[[2]])])
        torch.testing.assert_close(found[:, i], expected)


def test_used_tokens() -> None:
    assert dataset([[3], [], [1, 3]], [0] * 3).used_tokens(5).tolist() == [0, 1, 0, 1, 0]
    assert dataset([[], []], [0] * 2).used_tokens(3).tolist() == [1, 0, 0]


def test_concatenated_sites_keep_their_encounters() -> None:
    parts = [dataset([[0], [1, 2]], [0, 1]), dataset([[], [3]], [1, 0], torch.tensor([0.5, 0.5]))]
    both = concatenate(parts)
    assert isinstance(both, Dataset)
    assert both.offsets.tolist() == [0, 1, 3, 3, 4]
    assert both.tokens.tolist() == [0, 1, 2, 3]
    assert both.labels.tolist() == [0, 1, 1, 0]
    assert both.weights.tolist() == [1, 1, 0.5, 0.5]
