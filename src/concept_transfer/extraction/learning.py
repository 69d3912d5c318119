"""From a tagger's settings and a corpus to what it finds in another."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from concept_transfer.errors import StudyError
from concept_transfer.extraction.corpus import Corpus
from concept_transfer.extraction.probable import likeliest
from concept_transfer.extraction.settings import TaggerSettings
from concept_transfer.extraction.spans import bio_labels
from concept_transfer.extraction.tagger import LEARN, LearnedTagger, Request, Tagger
from concept_transfer.extraction.taggings import Tagging
from concept_transfer.registry import imported

_SEEN = 200  # sentences, in which a tagger is tried that has learned from them

_log = logging.getLogger(__name__)


def tagging(request: Request, test: Corpus) -> Tagging:
    """What a tagger finds in a test part, and how it was learned: seconds of the processor, and
    whether it diverged (it finds nothing even where it has learned)."""
    return tagged(test, *observed(request))


def observed(request: Request) -> tuple[LearnedTagger, dict[str, Any]]:
    """A tagger that has learned, and the facts of a tagging that are of how it did."""
    began = time.process_time()
    tagger = learned(request)
    seconds = time.process_time() - began
    corpus = request.corpus
    mentioning = corpus.chosen([i for i, spans in enumerate(corpus.spans) if spans][:_SEEN])
    diverged = not any(tagger.tag(mentioning.sentences))
    if diverged:
        _log.warning("%s diverged: it finds nothing in what it has learned from", request.where)
    return tagger, {"learning_seconds": seconds, "diverged": diverged}


def tagged(test: Corpus, tagger: Tagger, facts: dict[str, Any]) -> Tagging:
    """What a tagger finds in a test part."""
    read = getattr(tagger, "read", None)  # of a tagger with probabilities
    spans, probabilities = read(test.sentences) if read else (tagger.tag(test.sentences), None)
    return Tagging(spans, probabilities, facts)


def learned(request: Request) -> LearnedTagger:
    """A tagger that has learned from a corpus.

    Raises StudyError where the corpus marks nothing, or a model cannot be loaded or learned.
    """
    if not any(request.corpus.spans):
        raise StudyError(f"{request.where}: nothing is marked in what it is to learn from")
    settings: TaggerSettings = request.settings
    corpus = thinned(request.corpus, settings.keep_empty, request.seed)
    tagger: LearnedTagger = imported(LEARN[settings.kind])(request.of(corpus))
    return tagger


def thinned(corpus: Corpus, keep: float, seed: int) -> Corpus:
    """The corpus without most of its sentences that mention nothing (SamBD; Belkadi et al. 2023);
    keep: the probability with which such a sentence stays."""
    if keep == 1:
        return corpus
    kept = np.random.default_rng(seed).random(len(corpus)) < keep
    return corpus.chosen([i for i, spans in enumerate(corpus.spans) if spans or kept[i]])


def ensemble(members: Sequence[Tagging], types: Sequence[str], test: Corpus) -> Tagging:
    """The likeliest mentions under the mean of the members' probabilities."""
    mean = torch.stack([one.probabilities for one in members if one.probabilities is not None])
    mean = mean.mean(0)
    facts = {
        "learning_seconds": sum(one.facts["learning_seconds"] for one in members),
        "diverged": all(one.facts["diverged"] for one in members),
    }
    return Tagging(likeliest(mean, bio_labels(types), test.sentences), mean, facts)
