"""Losses that draw vectors together which belong together, and push others apart."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

NEIGHBOURS, CATEGORIES = 0.05, 0.1  # temperatures of DeCLUTR, and of Taylor et al. 2024


def nt_xent(first: Tensor, second: Tensor, temperature: float = NEIGHBOURS) -> Tensor:
    """Normalised temperature-scaled cross-entropy (Chen et al. 2020) of N pairs, [N, width] each:
    the mean over 2 N vectors, each to find its partner among all others by cosine similarity."""
    vectors = functional.normalize(torch.cat([first, second]).float(), dim=1)
    similarity = _others(vectors @ vectors.T / temperature)
    partners = torch.arange(len(vectors), device=vectors.device).roll(len(first))
    return functional.cross_entropy(similarity, partners)


def supervised_contrast(
    vectors: Tensor,
    categories: Tensor,
    temperature: float = CATEGORIES,
    weights: Tensor | None = None,
) -> Tensor:
    """Supervised contrastive loss (Khosla et al. 2020, the sum outside the logarithm) of vectors
    [N, width] of categories [N], int64: the mean over those with another one of their category, of
    weights [N] if they have some, 0 where there is none."""
    vectors = functional.normalize(vectors.float(), dim=1)
    shares = functional.log_softmax(_others(vectors @ vectors.T / temperature), dim=1)
    same = categories[:, None] == categories
    same.fill_diagonal_(False)
    count = same.sum(dim=1)
    found = shares.masked_fill(~same, 0).sum(dim=1) / count.clamp(min=1)
    heard = (count > 0).float() if weights is None else weights * (count > 0)
    return -(found * heard).sum() / heard.sum().clamp(min=torch.finfo(heard.dtype).tiny)


def _others(similarity: Tensor) -> Tensor:
    """Without the similarity of each to itself."""
    itself = torch.eye(len(similarity), dtype=torch.bool, device=similarity.device)
    return similarity.masked_fill(itself, -torch.inf)
