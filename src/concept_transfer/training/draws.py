"""Random numbers that depend on the study's seed and a replicate's number alone.

Every draw is a hash of (replicate key, purpose, counter): no generator carries a state, so
replicate 7 alone gets the same initial weights, batches and dropout as replicate 7 among ten, on
every device (`budget.py` draws its target encounters likewise). The hash is the SplitMix64
finaliser (Steele, Lea, Flood 2014, doi:10.1145/2660193.2660195), evaluated on whole tensors.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from concept_transfer.models.cnn import Weights
from concept_transfer.models.pooling import POOLINGS

GOLDEN = -7046029254386353131  # 0x9E3779B97F4A7C15 as a signed 64-bit integer
MIX_1 = -4658895280553007687  # 0xBF58476D1CE4E5B9
MIX_2 = -7723592293110705685  # 0x94D049BB133111EB

ROUNDS = 6  # of two half-steps each

(
    CONVOLUTION,
    CONVOLUTION_BIAS,
    LINEAR,
    LINEAR_BIAS,
    ORDER,
    DROPOUT,
    UPDATE,
    ADVERSARY,
    ENSEMBLE,
) = range(9)


def hashes(keys: Tensor, purpose: int, counters: Tensor) -> Tensor:
    """Pseudo-random int64 numbers [replicates, *counters.shape].

    keys: int64 [replicates]; counters: int64 of any shape, shared by the replicates.
    """
    start = _start(keys, purpose).view(-1, *[1] * counters.dim())
    return _mix(start + counters * GOLDEN)


def uniforms(keys: Tensor, purpose: int, shape: tuple[int, ...]) -> Tensor:
    """float64 numbers in [0, 1), [replicates, *shape]."""
    count = torch.arange(torch.Size(shape).numel(), device=keys.device).view(shape)
    return _shift(hashes(keys, purpose, count), 11).double() * 2.0**-53


def initial_weights(
    keys: Tensor,
    width: int,
    filters: int,
    classes: int = 2,
    dtype: torch.dtype = torch.float32,
    pooling: str = "max",
) -> Weights:
    """Untrained weights, uniform within 1 / sqrt(fan-in) as torch's Conv1d and Linear draw them.

    keys: int64 [R], one a replicate.
    """

    def draw(purpose: int, shape: tuple[int, ...], fan_in: int) -> Tensor:
        bound: float = fan_in**-0.5
        return ((uniforms(keys, purpose, shape) * 2 - 1) * bound).to(dtype)

    return Weights(
        draw(CONVOLUTION, (width, filters), width),
        draw(CONVOLUTION_BIAS, (filters,), width),
        draw(LINEAR, (filters, classes), filters),
        draw(LINEAR_BIAS, (classes,), filters),
        torch.full((len(keys),), POOLINGS.index(pooling), dtype=torch.int8, device=keys.device),
    )


def low_rank_basis(keys: Tensor, width: int, rank: int, dtype: torch.dtype) -> Tensor:
    """A random matrix [R, width, rank] that keeps the norms of rows on average (Johnson,
    Lindenstrauss 1984): uniform, with variance 1 / rank."""
    drawn = uniforms(keys, UPDATE, (width, rank)) * 2 - 1
    bound: float = (3 / rank) ** 0.5
    return (drawn * bound).to(dtype)


def order(keys: Tensor, pass_number: int, length: int, first: int, last: int) -> Tensor:
    """Places first..last-1 of a fresh permutation of 0..length-1, int64 [replicates, last - first].

    A place is computed by itself, so a pass over ten million encounters stores no permutation:
    a Feistel network (Luby, Rackoff 1988, doi:10.1137/0217022) on the cells of a rectangle,
    walked until a cell within the length is met (Black, Rogaway 2002,
    doi:10.1007/3-540-45760-7_9).
    """
    return orders(keys, range(pass_number, pass_number + 1), length, first, last)[0]


def orders(keys: Tensor, passes: range, length: int, first: int, last: int) -> Tensor:
    """`order` of several passes that follow one another, [passes, replicates, last - first]."""
    width = math.isqrt(length - 1) + 1
    height = -(-length // width)
    each = 2 * ROUNDS * 2
    counters = torch.arange(passes.start * each, passes.stop * each, device=keys.device)
    drawn = hashes(keys, ORDER, counters).view(len(keys), len(passes), 2 * ROUNDS, 2)
    functions = drawn.transpose(0, 1).flatten(0, 1)
    owners = torch.arange(len(functions), device=keys.device)[:, None]
    places = torch.arange(first, last, device=keys.device).expand(len(functions), -1)
    places = _permute(places, functions[owners], width, height)
    while bool((outside := places >= length).any()):
        walking = functions[owners.expand_as(places)[outside]]
        places[outside] = _permute(places[outside], walking, width, height)
    return places.view(len(passes), len(keys), -1)


def _permute(cells: Tensor, functions: Tensor, width: int, height: int) -> Tensor:
    """Permute the cells 0..width*height-1: a row moves by a hash of its column, and so on.

    functions: [..., 2 * ROUNDS, 2], a multiplier and a shift each: multiply-shift hashing
    (Dietzfelbinger 1996, doi:10.1007/3-540-60922-9_46).
    """
    row = cells // width
    column = cells - row * width
    for number in range(2 * ROUNDS):
        multiplier, shift = functions[..., number, 0], functions[..., number, 1]
        hashed = _shift(column * multiplier + shift, 33)
        row = row + (hashed * height >> 31)
        row = row - height * (row >= height)
        row, column, height, width = column, row, width, height
    return row * width + column


def keep_masks(
    keys: Tensor, first: int, last: int, batch: int, filters: int, rate: float
) -> Tensor:
    """Dropout masks of steps first..last-1, bool [steps, replicates, batch, filters]; True keeps.

    Each hash gives four 16-bit draws, so the rate is met to within 2**-17.
    """
    size = batch * filters
    steps = torch.arange(first, last, device=keys.device)[:, None, None] << 32
    counters = steps + torch.arange((size + 3) // 4, device=keys.device)
    draws = _mix(_start(keys, DROPOUT)[:, None] + counters * GOLDEN).view(torch.int16)
    kept = draws[..., :size] >= round(rate * 65536) - 32768
    return kept.view(last - first, len(keys), batch, filters)


def _start(keys: Tensor, purpose: int) -> Tensor:
    return _mix(keys + _wrap((purpose + 1) * GOLDEN))


def _wrap(number: int) -> int:
    return (number + (1 << 63)) % (1 << 64) - (1 << 63)


def _shift(x: Tensor, bits: int) -> Tensor:
    return (x >> bits) & ((1 << (64 - bits)) - 1)


def _mix(x: Tensor) -> Tensor:
    x = (x ^ _shift(x, 30)) * MIX_1
    x = (x ^ _shift(x, 27)) * MIX_2
    return x ^ _shift(x, 31)
