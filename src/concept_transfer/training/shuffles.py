"""Models on permuted vectors: what an embedding reaches when its concepts are exchanged."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from concept_transfer.cohorts.budget import replicate_key
from concept_transfer.concepts.vocabulary import Vocabulary
from concept_transfer.embeddings.controls import generator, permuted_rows
from concept_transfer.embeddings.scaling import known_rows
from concept_transfer.embeddings.table import EmbeddingTable
from concept_transfer.settings.training import Training
from concept_transfer.sites.site import Site
from concept_transfer.training.block import Block
from concept_transfer.training.cells import train_and_apply
from concept_transfer.training.predictions import Predictions
from concept_transfer.training.source_models import apply_source, train_source


@dataclass(frozen=True)
class ShuffledBlock(Block):
    """Some replicates under some shuffles: ``drawn`` [R] holds the (shuffle, replicate) of each
    model, and ``replicates`` their places.

    A replicate keeps its labelled encounters, initial weights, batches and dropout under every
    shuffle: nothing but the permutation differs.
    """

    drawn: tuple[tuple[int, int], ...]

    @classmethod
    def of(cls, seed: int, shuffles: Sequence[int], replicates: Sequence[int]) -> ShuffledBlock:
        drawn = tuple((s, r) for s in shuffles for r in replicates)
        return cls(seed, list(range(len(drawn))), drawn)

    @property
    def keys(self) -> list[int]:
        return [replicate_key(self.seed, replicate) for _, replicate in self.drawn]

    def vectors(self, table: EmbeddingTable, vocabulary: Vocabulary) -> Tensor:
        """Permuted vectors [R, tokens, width]; a shuffle is the same for every embedding that has
        a vector for the same tokens."""
        known = known_rows(table.vectors)
        rows = {
            shuffle: permuted_rows(vocabulary, known, generator(self.seed, shuffle, "permutation"))
            for shuffle, _ in self.drawn
        }
        return torch.from_numpy(np.stack([table.vectors[rows[s]] for s, _ in self.drawn]))


@dataclass(frozen=True)
class Use:
    """How a source model is used on a target: the strategy's kind, settings and target size."""

    kind: str
    size: str
    training: Training
    source_weight: float = 1.0


def apply_shuffled(
    source: Site,
    targets: Sequence[Site],
    vectors: Tensor,
    block: ShuffledBlock,
    training: Training,
    uses: Mapping[str, Use],
    device: str = "cpu",
) -> Iterator[tuple[str, str, Predictions]]:
    """(target, strategy, predictions) of models on permuted vectors, trained at one source.

    ``training``: settings of the source models; ``uses``: strategy name -> its use.
    """
    model, records = train_source(source, vectors, block, training, device)
    for target in targets:
        for name, use in uses.items():
            if use.kind == "direct":
                predictions = apply_source(target, model, records, vectors, block)
            else:
                pooled = use.kind == "pooled"
                predictions = train_and_apply(
                    target,
                    use.kind,
                    use.size,
                    vectors,
                    block,
                    use.training,
                    source if pooled else None,
                    None if pooled else model,
                    None if pooled else records,
                    use.source_weight,
                    device,
                )
            yield target.name, name, predictions
