"""Maximum over an encounter's findings of a projected token table, and who attained it."""

from __future__ import annotations

import torch
from torch import Tensor

PADDING = -3.0e38  # value of the padding row: never wins, and ReLU(PADDING + bias) is 0
CHUNK_BYTES = 1 << 22  # gathered rows that are reduced at once; about a core's share of cache
TOKEN_BITS = (1 << 29) - 1  # mantissa bits of a float64 that a float32 leaves at zero


def pool(table: Tensor, tokens: Tensor) -> Tensor:
    """Largest table row value per filter.

    table: [rows, filters]; tokens: int64 [findings, encounters], padded with a row that holds
    PADDING. Returns [encounters, filters].
    """
    step = _positions_at_once(table, tokens)
    pooled = _gather(table, tokens[:step]).amax(0)
    for first in range(step, len(tokens), step):
        torch.maximum(pooled, _gather(table, tokens[first : first + step]).amax(0), out=pooled)
    return pooled


def pool_with_winners(table: Tensor, tokens: Tensor) -> tuple[Tensor, Tensor]:
    """`pool`, and the table row that attained each maximum, int64 [encounters, filters].

    In float32 the row number is carried in the 29 low bits that a float32 leaves unused in a
    float64: one vectorised maximum gives value and winner, exactly, several times faster than
    a maximum with indices. Ties go to any of the tied rows.
    """
    if table.dtype == torch.float64:
        pooled, place = table[tokens].max(0)
        return pooled, tokens.t().gather(1, place)
    rows = torch.arange(len(table), device=table.device)
    packed = (table.double().view(torch.int64) | rows[:, None]).view(torch.float64)
    bits = pool(packed, tokens).view(torch.int64)
    winners = (bits & TOKEN_BITS).clamp_(max=len(table) - 1)
    return (bits & ~TOKEN_BITS).view(torch.float64).float(), winners


def _gather(table: Tensor, tokens: Tensor) -> Tensor:
    return table.index_select(0, tokens.reshape(-1)).view(*tokens.shape, table.shape[1])


def _positions_at_once(table: Tensor, tokens: Tensor) -> int:
    row_bytes = tokens.shape[1] * table.shape[1] * table.element_size()
    return max(1, min(len(tokens), CHUNK_BYTES // max(1, row_bytes)))
