"""Encounters as arrays a model trains on, and the findings of some of them."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from concept_transfer.sites.site import Site

TOKENS_AT_ONCE = 1 << 22


@dataclass(frozen=True)
class Findings:
    """Tokens of n encounters in compressed rows; encounter i holds tokens[offsets[i]:offsets[i+1]].

    offsets: int32 [n + 1]; tokens: int32 [offsets[-1]], rows of some table;
    empty: bool [n], or None where every encounter holds a token.
    """

    offsets: Tensor
    tokens: Tensor
    empty: Tensor | None

    def lengths(self) -> Tensor:
        """Number of tokens of each encounter, int32 [n]."""
        return self.offsets.diff()

    def split(self, encounters: int) -> list[Findings]:
        """Equal parts of so many encounters each."""
        bounds = self.offsets[::encounters].tolist()
        parts = []
        for number, (first, last) in enumerate(pairwise(bounds)):
            start, end = number * encounters, (number + 1) * encounters
            empty = None if self.empty is None else self.empty[start:end]
            offsets = self.offsets[start : end + 1] - first
            parts.append(Findings(offsets, self.tokens[first:last], empty))
        return parts


@dataclass(frozen=True)
class Dataset:
    """Findings of n encounters in compressed rows; the arrays may be memory-mapped.

    offsets: int64 [n + 1]; tokens: int32 [offsets[-1]]; labels: int8 [n], classes 0..K-1;
    weights: float32 [n], each encounter's weight in the loss.
    """

    offsets: Tensor
    tokens: Tensor
    labels: Tensor
    weights: Tensor

    def __len__(self) -> int:
        return len(self.labels)

    def findings(self, rows: Tensor) -> Findings:
        """Findings of the given encounters, int64 [n]."""
        starts = self.offsets[rows]
        lengths = self.offsets[rows + 1] - starts
        ends = lengths.cumsum(0)
        total = int(ends[-1]) if len(rows) else 0
        shift = (starts - ends + lengths).repeat_interleave(lengths, output_size=total)
        tokens = self.tokens[shift + torch.arange(total, device=rows.device)]
        empty = lengths == 0
        offsets = torch.nn.functional.pad(ends, (1, 0)).int()
        return Findings(offsets, tokens, empty if bool(empty.any()) else None)

    def used_tokens(self, vocabulary: int) -> Tensor:
        """Which tokens some encounter holds, bool [vocabulary]; token 0 where none holds any."""
        used = torch.zeros(vocabulary, dtype=torch.bool, device=self.tokens.device)
        used[0] = len(self.tokens) == 0
        for part in self.tokens.split(TOKENS_AT_ONCE):
            used[part] = True
        return used

    def to(self, device: str) -> Dataset:
        return Dataset(
            self.offsets.to(device),
            self.tokens.to(device),
            self.labels.to(device),
            self.weights.to(device),
        )


def dataset_of(site: Site, weight: float | NDArray[np.float64] = 1.0) -> Dataset:
    """A site's encounters; weight: in the loss, one for all, or [n]. Nothing else is copied."""
    findings = site.inputs["findings"]
    with warnings.catch_warnings():  # the memory maps are read-only, and so is every use of them
        warnings.filterwarnings("ignore", message="The given NumPy array is not writable")
        offsets, tokens, labels = map(
            torch.from_numpy, (findings.offsets, findings.values, site.labels)
        )
    return Dataset(
        offsets,
        tokens,
        labels,
        torch.as_tensor(weight, dtype=torch.float32).expand(len(site.labels)),
    )


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
