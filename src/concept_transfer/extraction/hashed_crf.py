"""A CRF on hashed features of words: learned in seconds, without a network."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file, save_file
from torch import Tensor
from torch.nn import functional

from concept_transfer.extraction.corpus import Corpus
from concept_transfer.extraction.crf import Chain, Layout, bio_chain, log_likelihood
from concept_transfer.extraction.dictionary import Dictionary
from concept_transfer.extraction.dictionary import read as read_dictionary
from concept_transfer.extraction.hashing import Features, features
from concept_transfer.extraction.probable import Read, nothing, read_by_chain
from concept_transfer.extraction.settings import HashedCrf
from concept_transfer.extraction.spans import Span, bio_labels, labels_of
from concept_transfer.extraction.tagger import Request, Sentence
from concept_transfer.progress import Progress

WEIGHTS = "weights.safetensors"
_PARTS = 10  # of a corpus, each marked by the dictionary of the others
_BATCH = 32  # sentences
_TINY = 1e-6


@dataclass(frozen=True)
class HashedCrfTagger:
    """known: int64 [features], ascending, the hashes it has weights for; weights: float32
    [features, labels]; dictionary: of the mentions it learned from."""

    labels: Sequence[str]
    known: NDArray[np.int64]
    weights: NDArray[np.float32]
    chain: Chain
    dictionary: Dictionary

    def tag(self, sentences: Sequence[Sentence]) -> list[list[Span]]:
        return self.read(sentences)[0]

    def read(self, sentences: Sequence[Sentence]) -> Read:
        if not any(map(len, sentences)):
            return nothing(sentences, self.labels)
        return read_by_chain(self._scores(sentences), self.chain, self.labels, sentences)

    def _scores(self, sentences: Sequence[Sentence]) -> Tensor:
        found = features(sentences, marks(self.dictionary, sentences))
        places = np.searchsorted(self.known, found.hashes).clip(max=len(self.known) - 1)
        places[self.known[places] != found.hashes] = len(self.known)
        table = torch.from_numpy(np.concatenate([self.weights, 0 * self.weights[:1]]))
        starts = torch.from_numpy(found.starts[:-1])
        return functional.embedding_bag(torch.from_numpy(places), table, starts, mode="sum")

    def write(self, folder: Path) -> None:
        """Write hashes, weights and chain, and the names of the dictionary."""
        own = {"known": torch.from_numpy(self.known), "weights": torch.from_numpy(self.weights)}
        save_file({**own, **vars(self.chain)}, folder / WEIGHTS)
        self.dictionary.write(folder)


def read(folder: Path, types: Sequence[str], settings: HashedCrf) -> HashedCrfTagger:
    """What `write` wrote."""
    own = load_file(folder / WEIGHTS)
    known, weights = own.pop("known").numpy(), own.pop("weights").numpy()
    return HashedCrfTagger(bio_labels(types), known, weights, Chain(**own), read_dictionary(folder))


def marks(dictionary: Dictionary, sentences: Sequence[Sentence]) -> list[list[str]]:
    """What a dictionary says of the words: BIO labels."""
    tagged = dictionary.tag(sentences)
    return [labels_of(spans, len(words)) for words, spans in zip(sentences, tagged, strict=True)]


def learn(request: Request) -> HashedCrfTagger:
    """Maximises the penalised likelihood of the labels, a batch after the other (AdaGrad; Duchi,
    Hazan, Singer 2011, JMLR), of features that are left out at random."""
    torch.set_num_threads(request.threads)
    corpus, labels = request.corpus, bio_labels(request.types)
    found = features(corpus.sentences, _marks_of_others(corpus))
    known, places = np.unique(found.hashes, return_inverse=True)
    numbers = {label: number for number, label in enumerate(labels)}
    truth = [
        torch.tensor([numbers[label] for label in labels_of(spans, len(words))])
        for words, spans in zip(corpus.sentences, corpus.spans, strict=True)
    ]
    columns = Features(places, found.starts)
    learner = _Learner(columns, truth, len(known), labels, request.settings, request.seed)
    learner.learn()
    whole = Dictionary.learned(corpus.sentences, corpus.spans)
    return HashedCrfTagger(labels, known, learner.weights.numpy(), learner.chain(), whole)


def _marks_of_others(corpus: Corpus) -> list[list[str]]:
    """Marks of each sentence by a dictionary that has not seen it, as new ones will be marked."""
    part = np.arange(len(corpus)) * _PARTS // len(corpus)
    found: list[list[str]] = []
    for number in range(_PARTS):
        others = corpus.chosen(np.flatnonzero(part != number))
        own = corpus.chosen(np.flatnonzero(part == number))
        found += marks(Dictionary.learned(others.sentences, others.spans), own.sentences)
    return found


class _Learner:
    """Weights and chain while they are learned; squares: sums of squared gradients, for AdaGrad."""

    def __init__(
        self,
        features: Features,
        truth: Sequence[Tensor],
        known: int,
        labels: Sequence[str],
        settings: HashedCrf,
        seed: int,
    ) -> None:
        self._columns, self._starts, self._truth = features.hashes, features.starts, truth
        self._lengths = np.array(list(map(len, truth)))
        self._first_words = self._lengths.cumsum() - self._lengths
        self._settings, self._random = settings, np.random.default_rng(seed)
        self.weights = torch.zeros(known, len(labels))
        self._squares = torch.zeros(known, len(labels))
        self._bio = bio_chain(labels)
        self._steps = [torch.zeros_like(part) for part in vars(self._bio).values()]
        self._step_squares = [torch.zeros_like(part) for part in self._steps]

    def chain(self, steps: Sequence[Tensor] | None = None) -> Chain:
        parts = zip(vars(self._bio).values(), steps or self._steps, strict=True)
        return Chain(*(rule + own for rule, own in parts))

    def learn(self) -> None:
        sentences, epochs = len(self._truth), self._settings.epochs
        progress = Progress("sentences", epochs * sentences)
        for epoch in range(epochs):
            order = self._random.permutation(sentences)
            for start in range(0, sentences, _BATCH):
                left = 1 - (epoch + start / sentences) / epochs
                rows = order[start : start + _BATCH]
                self._step(rows, self._settings.learning_rate * left)
                progress.advance(len(rows))

    def _step(self, rows: NDArray[np.int64], rate: float) -> None:
        """One of AdaGrad's, on the weights that the sentences' features have."""
        columns, starts = self._features(rows)
        touched, places = torch.unique(torch.from_numpy(columns), return_inverse=True)
        own = self.weights[touched].requires_grad_()
        keep = 1 - self._settings.dropout
        scores = functional.embedding_bag(places, own, torch.from_numpy(starts), mode="sum") / keep
        steps = [part.clone().requires_grad_() for part in self._steps]
        layout = Layout(torch.from_numpy(self._lengths[rows]))
        truth = torch.cat([self._truth[row] for row in rows])
        (-log_likelihood(scores, truth, self.chain(steps), layout).sum()).backward()
        with torch.no_grad():
            assert own.grad is not None
            gradient = own.grad + self._settings.penalty * own
            squares = self._squares[touched] + gradient**2
            self._squares[touched] = squares
            self.weights[touched] = own - rate * gradient / (squares.sqrt() + _TINY)
            for kept, step, total in zip(self._steps, steps, self._step_squares, strict=True):
                assert step.grad is not None
                total += step.grad**2
                kept -= rate * step.grad / (total.sqrt() + _TINY)

    def _features(self, rows: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Columns of the sentences' words, of which some are left out, and each word's start."""
        lengths = self._lengths[rows]
        words = _ranges(self._first_words[rows], lengths)
        counts = self._starts[words + 1] - self._starts[words]
        places = _ranges(self._starts[words], counts)
        kept = self._random.random(len(places)) >= self._settings.dropout
        starts = counts.cumsum() - counts
        before = np.concatenate([[0], kept.cumsum()])
        return self._columns[places[kept]], before[starts]


def _ranges(starts: NDArray[np.int64], counts: NDArray[np.int64]) -> NDArray[np.int64]:
    """starts[0], starts[0] + 1, ... (counts[0] numbers), starts[1], ..."""
    places: NDArray[np.int64] = np.repeat(starts - (counts.cumsum() - counts), counts)
    return places + np.arange(counts.sum())
