"""Taggers that say how probable labels are, and from that which mentions there are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import torch
from torch import Tensor

from concept_transfer.extraction.crf import Chain, Layout, best_labels, bio_chain
from concept_transfer.extraction.spans import Span, spans_of
from concept_transfer.extraction.tagger import Sentence


class ProbableTagger(Protocol):
    @property
    def labels(self) -> Sequence[str]:
        """BIO labels, in the order of its probabilities."""
        ...

    def probabilities(self, sentences: Sequence[Sentence]) -> Tensor:
        """Each word's, of each label, float64 [words, labels]; sentences laid end to end."""
        ...

    def tag(self, sentences: Sequence[Sentence]) -> list[list[Span]]: ...


def layout_of(sentences: Sequence[Sentence]) -> Layout:
    return Layout(torch.tensor([len(words) for words in sentences]))


def decoded(
    scores: Tensor, chain: Chain, labels: Sequence[str], sentences: Sequence[Sentence]
) -> list[list[Span]]:
    """The mentions of the labelling of the highest score; empty sentences have none."""
    whole = [words for words in sentences if len(words)]
    if not whole:
        return [[] for _ in sentences]
    best = [labels[label] for label in best_labels(scores, chain, layout_of(whole)).tolist()]
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
