"""Made-up encounters for the benchmarks, in memory or as memory-mapped files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from concept_transfer.cohorts.budget import replicate_key
from concept_transfer.models.dataset import Dataset
from concept_transfer.settings.training import Training
from concept_transfer.training.batches import Batches
from concept_transfer.training.draws import initial_weights
from concept_transfer.training.engine import body_for
from concept_transfer.training.trainer import Trainer

PREVALENCE = 0.3


def random_dataset(encounters: int, findings: int, tokens: int, folder: Path) -> Dataset:
    """Every encounter holds one of the first half or its partner, as present and absent do.

    The arrays are files in the folder, memory-mapped as a site's are.
    """
    rng = np.random.default_rng(0)
    spread = max(1, tokens // 2 // findings)
    held = np.lib.format.open_memmap(
        folder / "tokens.npy", "w+", dtype=np.int32, shape=(encounters * findings,)
    )
    rows = held.reshape(encounters, findings)
    first = np.arange(findings) * spread * 2 % max(1, tokens - 2 * spread + 1)
    for start in range(0, encounters, 50_000):
        part = rows[start : start + 50_000]
        part[:] = np.minimum(first + rng.integers(0, 2 * spread, part.shape), tokens - 1)
    held.flush()
    np.save(folder / "offsets.npy", np.arange(encounters + 1) * findings)
    np.save(folder / "labels.npy", (rng.random(encounters) < PREVALENCE).astype(np.int8))
    return read_dataset(folder)


def read_dataset(folder: Path) -> Dataset:
    """The dataset that `random_dataset` wrote."""
    offsets, tokens, labels = (
        torch.from_numpy(np.load(folder / f"{name}.npy", mmap_mode="c"))
        for name in ("offsets", "tokens", "labels")
    )
    return Dataset(offsets, tokens, labels, torch.tensor(1.0).expand(len(labels)))


def random_vectors(tokens: int, width: int) -> Tensor:
    """Vectors of norm 15 about, or the identity where the width is the vocabulary's."""
    if tokens == width:
        return torch.eye(tokens)
    generator = torch.Generator().manual_seed(0)
    drawn: Tensor = torch.randn(tokens, width, generator=generator) * (15 / width**0.5)
    return drawn


def trainer_for(dataset: Dataset, vectors: Tensor, rows: Tensor, settings: Training) -> Trainer:
    """An engine about to train replicates 0, 1, ... on rows [R, n]."""
    keys = torch.tensor([replicate_key(0, replicate) for replicate in range(len(rows))])
    start = initial_weights(keys, vectors.shape[-1], settings.filters)
    body = body_for(dataset, vectors, rows[0], start, settings.optimizer, keys)
    return Trainer(body, Batches(dataset, rows, keys, settings), start, settings)
