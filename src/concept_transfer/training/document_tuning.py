"""Tunes language models with their heads."""

from __future__ import annotations

from collections.abc import Sequence

from concept_transfer.models.document_reader import Body
from concept_transfer.models.multinomial import Multinomial
from concept_transfer.progress import Progress
from concept_transfer.training.document_heads import Folds, Heads
from concept_transfer.training.document_network import Labelled, Network, Rates
from concept_transfer.training.tuning import Tuned
from concept_transfer.training.tuning import tune as tune_any


def tune(
    body: Body,
    heads: Heads,
    documents: Labelled,
    folds: Folds,
    rates: Rates,
    epochs: int,
    fewest: int,
    seed: Sequence[int],
    device: str,
) -> Tuned:
    """Tune for `fewest` to `epochs` epochs from heads on the language model as it is.

    folds: int64 [n], -1 for documents that are never left out.
    """
    passes = epochs * (len(heads.of_folds) + 1) * len(documents.labels)
    progress = Progress("documents to tune on", passes, at_most=True)

    def begin(head: Multinomial, learned: Labelled, number: int) -> Network:
        return Network(body, head, learned, rates, [*seed, number], device, progress)

    return tune_any(begin, body, heads, heads.held, documents, folds, epochs, fewest)
