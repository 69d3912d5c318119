"""What is taken over an encounter's findings of a projected token table: maximum, sum or mean."""

from __future__ import annotations

import warnings

import torch
from torch import Tensor

from concept_transfer.models.dataset import Findings

POOLINGS = ("max", "sum", "mean", "max_sum")  # of values after ReLU; max_sum adds both
NOTHING = -3.0e38  # maximum over no findings: ReLU(NOTHING + bias) is 0
INDEX_BITS = (1 << 29) - 1  # mantissa bits of a float64 that a float32 leaves at zero

with warnings.catch_warnings():  # torch says once that these tensors are in beta
    warnings.simplefilter("ignore")
    torch.sparse_csr_tensor([0], torch.empty(0, dtype=torch.int64), torch.empty(0), (0, 1))


def pool(table: Tensor, findings: Findings) -> Tensor:
    """Largest table value per filter over each encounter's tokens.

    table: [rows, filters]. Returns [encounters, filters]; NOTHING for an empty encounter.
    """
    pooled = _fused(table, findings, "amax") if table.is_cpu else _gathered_pool(table, findings)
    if findings.empty is not None:
        pooled.masked_fill_(findings.empty[:, None], NOTHING)
    return pooled


def pooled_features(tables: Tensor, bias: Tensor, findings: Findings, pooling: str) -> Tensor:
    """Features after ReLU of R * n encounters in R stacked tables, [R, n, filters].

    tables: [R, rows, filters], laid one below the other; bias: [R, filters].
    """
    shape = (len(tables), -1, tables.shape[2])
    parts = []
    if pooling in ("max", "max_sum"):
        largest = pool(tables.flatten(0, 1), findings).view(shape)
        parts.append(largest.add_(bias[:, None]).relu_())
    if pooling != "max":
        active = (tables + bias[:, None]).relu_().flatten(0, 1)
        parts.append(total(active, findings, pooling == "mean").view(shape))
    return parts[0] if len(parts) == 1 else parts[1].add_(parts[0])


def total(table: Tensor, findings: Findings, mean: bool = False) -> Tensor:
    """Sum or mean of table values [rows, filters] over each encounter's tokens, 0 where it holds
    none, [encounters, filters]."""
    if table.is_cpu:
        return _fused(table, findings, "mean" if mean else "sum")
    gathered = table.index_select(0, findings.tokens)
    added = torch.segment_reduce(gathered, "sum", lengths=findings.lengths().long(), unsafe=True)
    return added / findings.lengths().clamp(min=1)[:, None] if mean else added


def at_summands(at_total: Tensor, findings: Findings, rows: int, mean: bool = False) -> Tensor:
    """The gradient at a table of so many rows, given that at its `total`."""
    lengths = findings.lengths()
    if mean:
        at_total = at_total / lengths.clamp(min=1)[:, None]
    at_table = at_total.new_zeros(rows, at_total.shape[1])
    owner = torch.arange(len(at_total), device=at_total.device).repeat_interleave(lengths)
    return at_table.index_add_(0, findings.tokens, at_total[owner])


def pool_with_winners(tables: Tensor, findings: Findings) -> tuple[Tensor, Tensor]:
    """`pool` over R stacked tables, and where in its own table each maximum stands.

    tables: [R, rows, filters], laid one below the other; R * n encounters. Returns the maxima
    [R, n, filters] and their places int64 [R, n, filters] among the rows * filters numbers of
    the replicate's table.

    In float32 the place is carried in the 29 low bits that a float32 leaves unused in a float64:
    one vectorised maximum gives value and winner, exactly. Ties go to any of the tied rows; an
    empty encounter's winner is meaningless, and so is one whose values are not finite.
    """
    replicates, rows, filters = tables.shape
    if tables.dtype != torch.float32 or rows * filters > INDEX_BITS:
        return _searched_winners(tables, findings)
    packed = tables.double()
    places = torch.arange(rows * filters, device=tables.device).view(rows, filters)
    packed.view(torch.int64).bitwise_or_(places)
    best = pool(packed.view(-1, filters), findings).view(torch.int64)
    winners = best.bitwise_and_(INDEX_BITS).clamp_(max=rows * filters - 1).view(replicates, -1)
    pooled = tables.view(replicates, -1).gather(1, winners)
    shape = (replicates, -1, filters)
    if findings.empty is not None:
        pooled.view(-1, filters).masked_fill_(findings.empty[:, None], NOTHING)
    return pooled.view(shape), winners.view(shape)


def _fused(table: Tensor, findings: Findings, reduction: str) -> Tensor:
    """A matrix of ones times the table, by sums or what stands for them: nothing is stored."""
    ones = table.new_ones(1).expand(len(findings.tokens)).contiguous()
    size = (len(findings.offsets) - 1, len(table))
    held = torch.sparse_csr_tensor(
        findings.offsets, findings.tokens, ones, size, check_invariants=False
    )
    pooled: Tensor = torch.sparse.mm(held, table, reduction)
    return pooled


def _gathered_pool(table: Tensor, findings: Findings) -> Tensor:
    """The same on devices without the fused kernel."""
    gathered = table.index_select(0, findings.tokens)
    return torch.segment_reduce(gathered, "max", lengths=findings.lengths().long(), unsafe=True)


def _searched_winners(tables: Tensor, findings: Findings) -> tuple[Tensor, Tensor]:
    """For other types and sizes: the last of the tokens whose value is the maximum."""
    replicates, rows, filters = tables.shape
    table = tables.view(-1, filters)
    pooled = pool(table, findings)
    tokens = findings.tokens.long()
    owner = torch.arange(len(pooled), device=tokens.device).repeat_interleave(findings.lengths())
    attained = torch.where(table[tokens] == pooled[owner], tokens[:, None] % rows, 0)
    winners = torch.zeros_like(pooled, dtype=torch.int64)
    winners.scatter_reduce_(0, owner[:, None].expand_as(attained), attained, "amax")
    winners = winners * filters + torch.arange(filters, device=tokens.device)
    shape = (replicates, -1, filters)
    return pooled.view(shape), winners.view(shape)
