"""Matrices that change by an update of low rank alone (LoRA, Hu et al. 2022)."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize


class LowRankUpdate(nn.Module):
    """A matrix [rows, columns] plus a product of two narrow ones, at first of zeros."""

    def __init__(self, matrix: Tensor, rank: int) -> None:
        super().__init__()
        rows, columns = matrix.shape
        self.down = nn.Parameter(torch.randn(rank, columns) / columns**0.5)
        self.up = nn.Parameter(torch.zeros(rows, rank))

    def forward(self, matrix: Tensor) -> Tensor:
        return matrix + self.up @ self.down


def add_updates(layers: Iterable[nn.Module], rank: int) -> None:
    """Let all matrices of linear maps in these layers learn an update, and nothing else of them."""
    for layer in layers:
        for part in layer.modules():
            if isinstance(part, nn.Linear):
                update = LowRankUpdate(part.weight, rank)
                parametrize.register_parametrization(part, "weight", update)


def merge_updates(network: nn.Module) -> None:
    """Make matrices what their updates have made of them, under their old names."""
    for part in list(network.modules()):
        if parametrize.is_parametrized(part, "weight"):
            parametrize.remove_parametrizations(part, "weight", leave_parametrized=True)
