"""Models on permuted vectors: what an embedding reaches when its concepts are exchanged."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from concept_transfer.cohorts.budget import replicate_key
from concept_transfer.concepts.vocabulary import Vocabulary
from concept_transfer.embeddings.controls import generator, permuted_rows
from concept_transfer.embeddings.scaling import known_rows
from concept_transfer.embeddings.table import EmbeddingTable
from concept_transfer.settings.training import Training
from concept_transfer.sites.site import Site
from concept_transfer.strategies import STRATEGIES
from concept_transfer.strategies.strategy import StrategySettings
from concept_transfer.training.block import Block
from concept_transfer.training.cells import run_cell
from concept_transfer.training.predictions import Predictions
from concept_transfer.training.source_models import train_source
from concept_transfer.training.work import Work, Workbench


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

    def vectors(self, table: EmbeddingTable, vocabulary: Vocabulary) -> NDArray[np.float32]:
        """Permuted vectors [R, tokens, width]; a shuffle is the same for every embedding that has
        a vector for the same tokens."""
        known = known_rows(table.vectors)
        rows = {
            shuffle: permuted_rows(vocabulary, known, generator(self.seed, shuffle, "permutation"))
            for shuffle, _ in self.drawn
        }
        return np.stack([table.vectors[rows[s]] for s, _ in self.drawn])


@dataclass(frozen=True)
class Use:
    """How source models are used on a target: a strategy, its training and the target size."""

    strategy: StrategySettings
    size: str
    training: Training

    @classmethod
    def of(cls, strategy: dict[str, Any], training: dict[str, Any], size: str) -> Use:
        """From settings as a rule's parameters hold them."""
        section = STRATEGIES[strategy["kind"]].settings
        return cls(section.model_validate(strategy), size, Training.model_validate(training))


def apply_shuffled(
    bench: Workbench,
    source: Site,
    targets: Sequence[Site],
    training: Training,
    uses: Mapping[str, Use],
) -> Iterator[tuple[str, str, Predictions]]:
    """(target, strategy, predictions) of models on permuted vectors, trained at one source.

    ``training``: settings of the source models; ``uses``: strategy name -> its use.
    """
    handed_on = train_source(source, bench, training)
    for target in targets:
        for name, use in uses.items():
            work = Work(use.strategy, use.size, use.training, target, source, handed_on)
            predictions, _ = run_cell(bench, work)
            yield target.name, name, predictions
