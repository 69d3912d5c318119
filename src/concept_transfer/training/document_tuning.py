"""Tunes language models with their heads: those of all folds epoch by epoch, then that of all
documents for as many epochs as the folds choose."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from concept_transfer.models.document_models import Head
from concept_transfer.models.document_reader import Body
from concept_transfer.progress import Progress
from concept_transfer.training.document_heads import Floats, Folds, Heads
from concept_transfer.training.document_network import Labelled, Network, Rates
from concept_transfer.training.history_tuning import PATIENCE, Judge


@dataclass(frozen=True)
class Tuned:
    """A model of all documents, after how many epochs, and what models without a fold say of it:
    held float64 [n, classes], NaN where none does; diverged: whether its weights are no numbers."""

    body: Body
    head: Head
    epochs: int
    held: Floats
    diverged: bool = False


def tune(
    body: Body,
    heads: Heads,
    documents: Labelled,
    folds: Folds,
    rates: Rates,
    epochs: int,
    seed: Sequence[int],
    device: str,
) -> Tuned:
    """Tune for 0 to `epochs` epochs from heads on the language model as it is.

    folds: int64 [n], -1 for documents that are never left out. How many epochs is chosen as
    `history_tuning.tune` does.
    """
    said = [heads.held]
    judge = Judge(
        documents.labels.astype(np.int8), folds, np.asarray(np.isfinite(said[0]).all(axis=1))
    )
    passes = epochs * (len(heads.of_folds) + 1) * len(documents.labels)
    progress = Progress("documents to tune on", passes, at_most=True)
    networks = {
        fold: Network(
            body, head, documents.select(folds != fold), rates, [*seed, fold], device, progress
        )
        for fold, head in (heads.of_folds.items() if epochs else ())
    }
    for epoch in range(1, epochs + 1 if networks else 1):
        said.append(np.full_like(said[0], np.nan))
        for fold, network in networks.items():
            network.learn(epoch)
            said[epoch][folds == fold] = network.predict(documents.select(folds == fold))
        if epoch - judge.best(said) >= PATIENCE:
            break
    best = judge.best(said) if networks else 0
    if best == 0:
        return Tuned(body, heads.of_all, 0, heads.held)
    network = Network(
        body, heads.of_all, documents, rates, [*seed, len(networks)], device, progress
    )
    for epoch in range(1, best + 1):
        network.learn(epoch)
    tuned, head = network.model()
    whole = all(np.isfinite(weight).all() for weight in tuned.changed.values())
    change = judge.change(said[best])
    return Tuned(tuned, head.recalibrated(change), best, judge.held(said), not whole)
