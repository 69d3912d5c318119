"""Encounters as arrays a model trains on, and the batches taken from them."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from concept_transfer.sites.site import Site


@dataclass(frozen=True)
class Dataset:
    """Findings of n encounters in compressed rows; the arrays may be memory-mapped.

    offsets: int64 [n + 1]; tokens: int32 [offsets[-1]]; labels: int8 [n], 0 or 1;
    weights: float32 [n], each encounter's weight in the loss.
    """

    offsets: Tensor
    tokens: Tensor
    labels: Tensor
    weights: Tensor

    def __len__(self) -> int:
        return len(self.labels)

    def token_matrix(self, rows: Tensor, padding: int) -> Tensor:
        """Tokens of the given encounters, int64 [most findings, encounters], padded below."""
        starts = self.offsets[rows]
        lengths = self.offsets[rows + 1] - starts
        longest = max(1, int(lengths.max()) if len(rows) else 1)
        place = torch.arange(longest, device=rows.device)[:, None]
        if len(self.tokens) == 0:
            return torch.full((longest, len(rows)), padding, device=rows.device)
        where = (starts + place).clamp_(max=len(self.tokens) - 1)
        tokens = self.tokens[where].long()
        if int(lengths.min()) < longest:
            tokens.masked_fill_(place >= lengths, padding)
        return tokens

    def to(self, device: str) -> Dataset:
        return Dataset(
            self.offsets.to(device),
            self.tokens.to(device),
            self.labels.to(device),
            self.weights.to(device),
        )


def dataset_of(site: Site, weight: float = 1.0) -> Dataset:
    """A site's encounters; each has the given weight in the loss. Nothing is copied."""
    with warnings.catch_warnings():  # the memory maps are read-only, and so is every use of them
        warnings.filterwarnings("ignore", message="The given NumPy array is not writable")
        offsets, tokens, labels = map(torch.from_numpy, (site.offsets, site.tokens, site.labels))
    return Dataset(offsets, tokens, labels, torch.full((len(site.labels),), weight))


def concatenate(parts: Sequence[Dataset]) -> Dataset:
    """One dataset that holds the encounters of all parts, in order."""
    starts = [0]
    for part in parts:
        starts.append(starts[-1] + len(part.tokens))
    ends = [part.offsets[1:] + start for part, start in zip(parts, starts, strict=False)]
    return Dataset(
        torch.cat([torch.zeros(1, dtype=torch.int64), *ends]),
        torch.cat([part.tokens for part in parts]),
        torch.cat([part.labels for part in parts]),
        torch.cat([part.weights for part in parts]),
    )
