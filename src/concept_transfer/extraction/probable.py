"""Taggers that say how probable labels are, and from that which mentions there are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import torch
from torch import Tensor

from concept_transfer.extraction.crf import Chain, Layout, best_labels, bio_chain, marginals
from concept_transfer.extraction.spans import Span, spans_of
from concept_transfer.extraction.tagger import Sentence

Read = tuple[list[list[Span]], Tensor]  # mentions; float64 [words, labels], sentences end to end


class ProbableTagger(Protocol):
    """A tagger of BIO labels (`bio_labels` of its types)."""

    def read(self, sentences: Sequence[Sentence]) -> Read:
        """The mentions, and each word's probabilities of its labels."""
        ...

    def tag(self, sentences: Sequence[Sentence]) -> list[list[Span]]: ...


def nothing(sentences: Sequence[Sentence], labels: Sequence[str]) -> Read:
    """What there is in sentences without a word."""
    return [[] for _ in sentences], torch.empty(0, len(labels), dtype=torch.float64)


def read_by_chain(
    scores: Tensor, chain: Chain, labels: Sequence[str], sentences: Sequence[Sentence]
) -> Read:
    """What a CRF's scores of words and chain make of the sentences."""
    return decoded(scores, chain, labels, sentences), marginals(scores, chain, layout_of(sentences))


def layout_of(sentences: Sequence[Sentence]) -> Layout:
    return Layout(torch.tensor([len(words) for words in sentences if len(words)]))


def decoded(
    scores: Tensor, chain: Chain, labels: Sequence[str], sentences: Sequence[Sentence]
) -> list[list[Span]]:
    """The mentions of the labelling of the highest score; empty sentences have none."""
    best = [labels[label] for label in best_labels(scores, chain, layout_of(sentences)).tolist()]
    spans, start = [], 0
    for words in sentences:
        spans.append(spans_of(best[start : start + len(words)]))
        start += len(words)
    return spans


def likeliest(
    probabilities: Tensor, labels: Sequence[str], sentences: Sequence[Sentence]
) -> list[list[Span]]:
    """The mentions of the labelling whose probabilities have the largest product, among those that
    BIO allows: of a network without a chain, or of the mean of several taggers."""
    scores = probabilities.clamp(min=torch.finfo(torch.float64).tiny).log()
    return decoded(scores, bio_chain(labels), labels, sentences)
