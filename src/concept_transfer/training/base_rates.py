"""Where untrained networks begin: at the shares of the classes, so that rare outcomes need not be
learned from the findings first (Lin et al. 2017, doi:10.1109/ICCV.2017.324, section 3.3)."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from concept_transfer.models.cnn import Weights
from concept_transfer.models.dataset import Dataset


def at_base_rates(weights: Weights, dataset: Dataset, rows: Tensor, trained: Tensor) -> Weights:
    """N untrained networks whose last bias alone gives every class its share of the encounters that
    they train on, each class counted once more.

    rows: int64 [R, n], those of each replicate, N a multiple of R; trained: bool [N, n], those of
    them that each network trains on.
    """
    classes = weights.linear_bias.shape[1]
    each = len(weights.linear_bias) // len(rows)
    members = torch.nn.functional.one_hot(dataset.labels[rows].long(), classes)
    counted = members * dataset.weights[rows][..., None]
    counts = torch.einsum(
        "nrc,nr->nc", counted.repeat_interleave(each, 0).double(), trained.double()
    )
    shares = torch.log((counts + 1) / (counts + 1).sum(1, keepdim=True))
    centred = shares - shares.mean(1, keepdim=True)
    return replace(weights, linear_bias=centred.to(weights.linear_bias.dtype))
