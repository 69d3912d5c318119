"""The histories that an encoder is pre-trained on, in a training and a held-out part."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from concept_transfer.errors import StudyError
from concept_transfer.inputs.history import History
from concept_transfer.pretraining.batches import Batch, Sequences, batch_of
from concept_transfer.pretraining.masking import blind_loss
from concept_transfer.pretraining.stays import prolonged
from concept_transfer.pretraining.vocabulary import (
    EXACT,
    NOTHING,
    PREFIX,
    CodeVocabulary,
    parts,
    vocabulary_of,
)
from concept_transfer.settings.encoders import CodeEncoder

FEWEST = 20  # histories with something to predict


@dataclass(frozen=True)
class Corpus:
    """Histories of several sites as one numbered list: the first site's rows, the second's, ...

    training, held_out: ascending numbers of the histories to learn from, and of those whose loss
    ends learning; lengths: int64, tokens of every number; counts: int64 [ids], how often each code
    is an event that can be predicted; found: int64 [3], events whose codes are known (`EXACT`),
    read as their `PREFIX`, or unknown (`NOTHING`); cut: share of events that truncation leaves out.
    """

    vocabulary: CodeVocabulary
    sites: tuple[Sequences, ...]
    training: NDArray[np.int64]
    held_out: NDArray[np.int64]
    lengths: NDArray[np.int64]
    counts: NDArray[np.int64]
    found: NDArray[np.int64]
    cut: float

    @classmethod
    def of(
        cls,
        histories: Sequence[History],
        masks: Sequence[NDArray[np.bool_]],
        settings: CodeEncoder,
        generator: np.random.Generator,
        persons: Sequence[NDArray[np.int64]] | None = None,
    ) -> Corpus:
        """masks: bool [n] a history, the rows that may be learned from; persons: see
        `vocabulary_of`.

        Raises StudyError where too few hold an event of a known code.
        """
        rows = [mask.nonzero()[0] for mask in masks]
        vocabulary = vocabulary_of(histories, rows, settings, persons)
        sites = tuple(Sequences.of(history, vocabulary, settings) for history in histories)
        counts, found = np.zeros(len(vocabulary), np.int64), np.zeros(3, np.int64)
        usable, start = [], 0
        for site, chosen in zip(sites, rows, strict=True):
            for part in parts(site.lengths[chosen]):
                owners, codes = site.events(chosen[part])
                ids, origins = site.coding.ids[codes], site.coding.found[codes]
                known = ids >= vocabulary.first_event
                counts += np.bincount(ids[known], minlength=len(counts))
                found += np.bincount(origins, minlength=len(found))
                usable.append(start + chosen[part][np.unique(owners[known])])
            start += len(site)
        numbers = generator.permutation(np.concatenate([np.zeros(0, np.int64), *usable]))
        if len(numbers) < FEWEST:
            raise StudyError(
                f"only {len(numbers)} of {sum(map(len, rows))} histories that may be learned from "
                f"hold an event of a code that is read; pre-training needs {FEWEST}: name more "
                "sites, widen 'codes', or lower 'min_count'"
            )
        apart = round(settings.held_out * len(numbers)) or 1
        left_out = sum(
            int(site.cut[chosen].sum()) for site, chosen in zip(sites, rows, strict=True)
        )
        return cls(
            vocabulary,
            sites,
            np.sort(numbers[apart:]),
            np.sort(numbers[:apart]),
            np.concatenate([site.lengths for site in sites]),
            counts,
            found,
            left_out / (left_out + int(found.sum())),
        )

    def batch(self, numbers: NDArray[np.int64]) -> Batch:
        """The histories of these ascending numbers."""
        return batch_of(list(self._by_site(numbers)))

    def stays(self, numbers: NDArray[np.int64], days: float) -> NDArray[np.bool_]:
        """Whether a visit of theirs lasts longer than so many days, see `prolonged`."""
        parted = self._by_site(numbers)
        return np.concatenate([prolonged(site.history, rows, days) for site, rows in parted])

    def _by_site(self, numbers: NDArray[np.int64]) -> Iterator[tuple[Sequences, NDArray[np.int64]]]:
        """Each site, and the rows of it that ascending numbers are."""
        start = 0
        for site in self.sites:
            first, last = np.searchsorted(numbers, (start, start + len(site)))
            yield site, numbers[first:last] - start
            start += len(site)

    def facts(self) -> dict[str, int | float]:
        """Numbers for the encoder's card."""
        events = int(self.found.sum())
        return {
            "histories": len(self.training),
            "held_out_histories": len(self.held_out),
            "events": events,
            "codes": len(self.vocabulary.names),
            "exact_share": int(self.found[EXACT]) / events,
            "prefix_share": int(self.found[PREFIX]) / events,
            "unknown_share": int(self.found[NOTHING]) / events,
            "cut_share": self.cut,
            "blind_loss": blind_loss(self.counts[self.vocabulary.first_event :]),
        }
