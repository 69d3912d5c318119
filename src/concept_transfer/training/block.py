"""The replicates that one job trains side by side."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from concept_transfer.cohorts.budget import replicate_key

if TYPE_CHECKING:
    from concept_transfer.concepts.vocabulary import Vocabulary
    from concept_transfer.embeddings.table import EmbeddingTable


@dataclass(frozen=True)
class Block:
    """The replicates of one job and what chance gives them."""

    seed: int
    replicates: list[int]

    @property
    def keys(self) -> list[int]:
        return [replicate_key(self.seed, replicate) for replicate in self.replicates]

    def vectors(self, table: EmbeddingTable, vocabulary: Vocabulary) -> NDArray[np.float32]:
        """[tokens, width], or [R, tokens, width] for controls, which every replicate redraws."""
        if table.card.control is None:
            return table.vectors
        return np.stack([table.vectors_for(r, self.seed, vocabulary) for r in self.replicates])
