"""Maximum over an encounter's findings of a projected token table, and who attained it."""

from __future__ import annotations

import warnings

import torch
from torch import Tensor

from concept_transfer.models.dataset import Findings

NOTHING = -3.0e38  # maximum over no findings: ReLU(NOTHING + bias) is 0
INDEX_BITS = (1 << 29) - 1  # mantissa bits of a float64 that a float32 leaves at zero

warnings.filterwarnings("ignore", message=".*Sparse CSR tensor support is in beta state")


def pool(table: Tensor, findings: Findings) -> Tensor:
    """Largest table value per filter over each encounter's tokens.

    table: [rows, filters]. Returns [encounters, filters]; NOTHING for an empty encounter.
    """
    pooled = _fused_pool(table, findings) if table.is_cpu else _gathered_pool(table, findings)
    if findings.empty is not None:
        pooled.masked_fill_(findings.empty[:, None], NOTHING)
    return pooled


def pool_with_winners(table: Tensor, findings: Findings, index: Tensor) -> tuple[Tensor, Tensor]:
    """`pool`, and the place of each maximum in the flat table, int64 [encounters, filters].

    index: int64 [rows, filters], the places 0, 1, ... of the table's own numbers.

    In float32 the place is carried in the 29 low bits that a float32 leaves unused in a float64:
    one vectorised maximum gives value and winner, exactly. Ties go to any of the tied rows; an
    empty encounter's winner is meaningless, and so is one whose values are not finite.
    """
    if table.dtype != torch.float32 or table.numel() > INDEX_BITS:
        return _searched_winners(table, findings)
    packed = table.double()
    packed.view(torch.int64).bitwise_or_(index)
    winners = pool(packed, findings).view(torch.int64).bitwise_and_(INDEX_BITS)
    winners.clamp_(max=table.numel() - 1)
    pooled = table.view(-1).index_select(0, winners.view(-1)).view_as(winners)
    if findings.empty is not None:
        pooled.masked_fill_(findings.empty[:, None], NOTHING)
    return pooled, winners


def _fused_pool(table: Tensor, findings: Findings) -> Tensor:
    """A matrix of ones times the table, with the maximum in place of the sum: nothing is stored."""
    ones = table.new_ones(1).expand(len(findings.tokens)).contiguous()
    size = (len(findings.offsets) - 1, len(table))
    held = torch.sparse_csr_tensor(
        findings.offsets, findings.tokens, ones, size, check_invariants=False
    )
    return torch.sparse.mm(held, table, "amax")


def _gathered_pool(table: Tensor, findings: Findings) -> Tensor:
    """The same on devices without the fused kernel."""
    gathered = table.index_select(0, findings.tokens)
    return torch.segment_reduce(gathered, "max", lengths=findings.lengths().long(), unsafe=True)


def _searched_winners(table: Tensor, findings: Findings) -> tuple[Tensor, Tensor]:
    """For other types and sizes: the last of the tokens whose value is the maximum."""
    pooled = pool(table, findings)
    tokens = findings.tokens.long()
    owner = torch.arange(len(pooled), device=tokens.device).repeat_interleave(findings.lengths())
    attained = torch.where(table[tokens] == pooled[owner], tokens[:, None], 0)
    rows = torch.zeros_like(pooled, dtype=torch.int64)
    rows.scatter_reduce_(0, owner[:, None].expand_as(attained), attained, "amax")
    return pooled, rows * table.shape[1] + torch.arange(table.shape[1], device=tokens.device)
