"""What takes long in a study, told before any job: how long language models learn and read."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from concept_transfer.grid import Grid
from concept_transfer.learners.document import Document
from concept_transfer.models.document_vectors import vectors_file
from concept_transfer.paths import resolve
from concept_transfer.pretraining.text.expected import (
    WORTH_SAYING,
    learning,
    not_known,
    parameters_of,
    reading,
    tokens_to_learn,
    told,
)
from concept_transfer.pretraining.text.files import CARD
from concept_transfer.settings.extraction import NotedSite
from concept_transfer.settings.text_encoders import TextEncoder
from concept_transfer.sites.adapters import ADAPTERS
from concept_transfer.sites.amounts import Amount
from concept_transfer.study import Study
from concept_transfer.training.expected import Tuning


def times_ahead(study: Study, root: Path) -> list[str]:
    """A sentence for all that is still to be done by a network that reads text and takes a minute
    or more, or an unknown time, on this machine's processor."""
    ahead = _Ahead(study, root)
    sentences = list(ahead.notes())
    if study.resources.device == "cpu":
        for name in study.encoders_of("text"):
            sentences += ahead.of_encoder(name)
    return sentences


@dataclass(frozen=True)
class _Ahead:
    study: Study
    root: Path

    @cached_property
    def grid(self) -> Grid:
        return Grid(self.study)

    @cached_property
    def amounts(self) -> dict[str, Amount | None]:
        """Of the documents of sites that have encounters."""
        return {
            name: ADAPTERS[site.adapter].amount(site, self.root)
            for name, site in self.study.sites.items()
            if self.study.has_encounters(name)
        }

    @property
    def results(self) -> Path:
        return self.root / "results" / self.study.study

    @property
    def threads(self) -> int:
        return self.study.resources.threads

    def notes(self) -> Iterator[str]:
        """Of sites whose notes a tagger with a network reads, which computes on the CPU always."""
        for name in self.grid.sites:
            site, amount = self.study.sites[name], self.amounts[name]
            if not isinstance(site, NotedSite) or site.extraction.tagger is None or amount is None:
                continue
            from concept_transfer.extraction.expected import parameters_of_kept

            parameters = parameters_of_kept(resolve(site.extraction.tagger, self.root))
            seconds = reading(parameters, amount.pieces, self.threads)
            made = self.results / "encounters" / name / "report.json"
            if seconds >= WORTH_SAYING and not made.is_file():
                tagger = site.extraction.tagger
                yield told(f"{tagger} reads the notes of sites.{name}", seconds, at_most=True)

    def of_encoder(self, name: str) -> Iterator[str]:
        """Of a language model: that it learns, reads documents, and is tuned."""
        from concept_transfer.embeddings.model_files import folder_here

        encoder = self.study.encoders[name]
        assert isinstance(encoder, TextEncoder)
        folder = folder_here(f"encoders.{name}", encoder, self.root) if encoder.base else None
        parameters = parameters_of(encoder, folder)
        copies, unread = self._to_adapt(name, encoder), self._unread(name, encoder)
        if copies and (encoder.seconds or parameters):
            yield from self._adaptation(name, encoder, parameters, copies)
        if parameters is None:
            if encoder.base and (unread or (copies and not encoder.seconds)):
                yield not_known(f"encoders.{name}", encoder.base)
            return
        pieces = [amount.all(encoder.max_length) for amount in unread if amount]
        seconds = reading(parameters, sum(pieces), self.threads)
        if seconds >= WORTH_SAYING:
            yield told(f"encoders.{name} reads documents", seconds, at_most=True)
        for classifier in self.study.taking(name):
            seconds = self._tuning(classifier, name, encoder, parameters)
            if seconds >= WORTH_SAYING:
                does = f"classifiers.{classifier} tunes encoders.{name}"
                yield told(does, seconds, " in all its jobs", at_most=True)

    def _to_adapt(self, name: str, encoder: TextEncoder) -> int:
        """Copies that are still to learn."""
        if not encoder.pretrain or self.study.is_received(name):
            return 0
        made = self.results / "encoders" / name
        return sum(not (made / str(copy) / CARD).is_file() for copy in range(encoder.copies))

    def _unread(self, name: str, encoder: TextEncoder) -> list[Amount | None]:
        """The documents of which it is still to make vectors."""
        if name not in self.study.document_encoders():
            return []
        made = self.results / "encoders" / name
        return [
            self.amounts[site]
            for site in self.grid.texts
            for copy in range(encoder.copies)
            if not vectors_file(made / str(copy), site).is_file()
        ]

    def _adaptation(
        self, name: str, encoder: TextEncoder, parameters: float | None, copies: int
    ) -> Iterator[str]:
        seconds = encoder.seconds
        if seconds is None:
            assert parameters is not None, "only time can be told without"
            tokens = tokens_to_learn(encoder, [self.amounts.get(site) for site in encoder.sites])
            if tokens is None:
                return
            seconds = learning(parameters, tokens, self.threads)
        if seconds * copies >= WORTH_SAYING:
            each = f", once for each of {copies} copies," if copies > 1 else ""
            at_most = not (encoder.seconds or encoder.tokens)
            yield told(f"encoders.{name} learns", seconds, each, at_most)

    def _tuning(self, classifier: str, name: str, encoder: TextEncoder, parameters: float) -> float:
        """Seconds of all its jobs at most; 0 where none tunes, or documents cannot be counted."""
        settings = self.study.classifiers[classifier]
        known = {site: amount for site, amount in self.amounts.items() if amount}
        if not isinstance(settings, Document) or not (settings.is_linear and settings.epochs):
            return 0.0
        cells = [
            cell
            for cell in self.grid.trained_cells
            if (cell.embedding, cell.classifier) == (name, classifier)
        ]
        if not {*self.grid.targets, *self.grid.sources} <= {*known, *self.grid.received}:
            return 0.0
        most, copies = encoder.max_length, encoder.copies
        tuning = Tuning(self.grid, settings, known, most, copies, self.results)
        learned, read = tuning.tokens(cells)
        if not learned:
            return 0.0
        return learning(parameters, learned, self.threads) + reading(parameters, read, self.threads)
