"""What cells of a hospital's table mean in the vocabulary of a bundle."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from concept_transfer.concepts.crosswalk import Crosswalk
from concept_transfer.concepts.vocabulary import Vocabulary
from concept_transfer.errors import StudyError
from concept_transfer.inputs.rows import CompressedRows
from concept_transfer.settings.task import Task
from concept_transfer.sites.binning import states_of_numbers
from concept_transfer.sites.files import text_column
from concept_transfer.sites.spelling import (
    PRESENT,
    spelled,
    spelling_of_concept,
    tokens_of_column,
)
from concept_transfer.sites.tabular_site import TabularSite
from concept_transfer.sites.tokens import token_rows

UNKNOWN = -1

ConceptState = tuple[str, str]  # concept, state


@dataclass(frozen=True)
class Coder:
    """Codes become concepts and cells states, as a study's tabular site has it.

    task: which tokens a model sees; site: how its cells are spelled; crosswalk: from codes (names
    of columns; in long tables cells) to concepts, None where codes are concepts; beside: columns
    without a finding.
    """

    vocabulary: Vocabulary
    task: Task
    site: TabularSite
    crosswalk: Crosswalk | None = None
    beside: Collection[str] = ()

    @property
    def nothing(self) -> int:
        """What `tokens` gives where nothing was recorded."""
        return len(self.vocabulary)

    def meanings(self, code: str) -> list[ConceptState]:
        """The concepts that a code stands for, each with the state that it says, "" if cells do."""
        if self.crosswalk is None:
            return [(code, "")] if code in self.vocabulary.concept_states else []
        links = [self.crosswalk.links[row] for row in self.crosswalk.matches([code])[1]]
        return [(link.concept, link.state) for link in links if link.concept]

    def tokens(self, meaning: ConceptState, cells: pa.ChunkedArray | pa.Array) -> NDArray[np.int32]:
        """The token that each cell [n] of a code means, `nothing`, or `UNKNOWN` where it is none of
        the spellings, int32 [n]."""
        concept, state = meaning
        spellings = spelling_of_concept(self.site, self.vocabulary, concept)
        bins = self.vocabulary.bins.get(concept)
        column = states_of_numbers(cells, bins, spellings) if bins else text_column(cells)
        index = self.vocabulary.index
        ids = {text: index.get((concept, s), self.nothing) for text, s in spellings.items()}
        if state:
            ids = tokens_of_column(self.site, self.vocabulary, concept, state)
        known = [ids.get(spelled(value), UNKNOWN) for value in column.values]
        return np.array(known, np.int32)[column.codes]

    def named(self, meaning: ConceptState) -> int:
        """The token that a code means where no cell tells its state, or `UNKNOWN`."""
        concept, state = meaning
        if concept in self.vocabulary.bins:
            return UNKNOWN
        return self.vocabulary.index.get((concept, state or PRESENT), UNKNOWN)

    def findings(
        self, encounter: NDArray[np.integer], token: NDArray[np.integer], count: int
    ) -> CompressedRows:
        """What a model sees of recorded pairs; see `sites.tokens.token_rows`."""
        return token_rows(encounter, token, count, self.vocabulary, self.task)

    def refused(self, where: str, concept: str) -> StudyError:
        """The error for a cell of a concept that is none of its spellings."""
        spellings = spelling_of_concept(self.site, self.vocabulary, concept)
        number = "no number and none" if concept in self.vocabulary.bins else "none"
        return StudyError(
            f"{where}: the value is {number} of the spellings of '{concept}', which are "
            + ", ".join(f"'{spelling}'" for spelling in spellings)
            + " (case is ignored); correct it, or let --config and --site say how this hospital "
            "spells its states"
        )


def refuse_empty(where: str, column: str, empty: NDArray[np.int64], start: int) -> None:
    """Raise StudyError where the id of an encounter is empty; empty: such rows from `start` on."""
    if len(empty):
        raise StudyError(
            f"{where}, row {start + int(empty[0]) + 1}, column '{column}' is empty; every row "
            "needs the id of its encounter"
        )


def some(names: Collection[str], most: int = 12) -> str:
    """The first names, and how many there are."""
    shown = ", ".join(list(names)[:most])
    return shown + (f", ... ({len(names)} in all)" if len(names) > most else "")
