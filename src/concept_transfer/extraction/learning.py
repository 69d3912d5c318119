"""From a tagger's settings and a corpus to what it finds in another."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from concept_transfer.errors import StudyError
from concept_transfer.extraction.corpus import Corpus
from concept_transfer.extraction.dictionary import Dictionary
from concept_transfer.extraction.probable import ProbableTagger, likeliest
from concept_transfer.extraction.settings import (
    DictionaryTagger,
    EncoderTaggerSettings,
    HashedCrf,
    TaggerSettings,
)
from concept_transfer.extraction.spans import bio_labels
from concept_transfer.extraction.taggings import Tagging

_SEEN = 200  # sentences, in which a tagger is tried that has learned from them

_log = logging.getLogger(__name__)


def learned(
    where: str,
    corpus: Corpus,
    types: Sequence[str],
    settings: TaggerSettings,
    seed: int,
    root: Path,
    device: str = "cpu",
) -> Dictionary | ProbableTagger:
    """A tagger of the settings that has learned from a corpus.

    Raises StudyError where the corpus marks nothing, or a model cannot be loaded or learned.
    """
    corpus = thinned(corpus, settings.keep_empty, seed)
    if not any(corpus.spans):
        raise StudyError(f"{where}: nothing is marked in what it is to learn from")
    labels = bio_labels(types)
    if isinstance(settings, DictionaryTagger):
        return Dictionary.learned(corpus.sentences, corpus.spans, settings.least_precision)
    if isinstance(settings, HashedCrf):
        from concept_transfer.extraction.hashed_crf import learn_hashed_crf

        return learn_hashed_crf(corpus, labels, settings, seed)
    assert isinstance(settings, EncoderTaggerSettings)
    from concept_transfer.extraction.encoder_tagger import learn_encoder_tagger

    return learn_encoder_tagger(where, corpus, labels, settings, seed, root, device)


def thinned(corpus: Corpus, keep: float, seed: int) -> Corpus:
    """The corpus without most of its sentences that mention nothing (SamBD; Belkadi et al. 2023);
    keep: the probability with which such a sentence stays."""
    if keep == 1:
        return corpus
    kept = np.random.default_rng(seed).random(len(corpus)) < keep
    return corpus.chosen([i for i, spans in enumerate(corpus.spans) if spans or kept[i]])


def tagging(
    where: str,
    corpus: Corpus,
    test: Corpus,
    types: Sequence[str],
    settings: TaggerSettings,
    seed: int,
    root: Path,
    device: str = "cpu",
) -> Tagging:
    """What a tagger that learns from a corpus finds in another, and how it was learned: seconds of
    the processor, and whether it diverged (a tagger that finds nothing where it has learned)."""
    began = time.process_time()
    tagger = learned(where, corpus, types, settings, seed, root, device)
    seconds = time.process_time() - began
    mentioning = corpus.chosen([i for i, spans in enumerate(corpus.spans) if spans][:_SEEN])
    diverged = not any(tagger.tag(mentioning.sentences))
    if diverged:
        _log.warning(
            "%s diverged: it finds nothing even in sentences that it has learned from; lower its "
            "learning rate, or give it more epochs",
            where,
        )
    facts = {"learning_seconds": seconds, "diverged": diverged}
    probabilities = None
    if not isinstance(tagger, Dictionary):
        probabilities = tagger.probabilities(test.sentences)
    return Tagging(tagger.tag(test.sentences), probabilities, facts)


def ensemble(members: Sequence[Tagging], types: Sequence[str], test: Corpus) -> Tagging:
    """The likeliest mentions under the mean of the members' probabilities."""
    known = [one.probabilities for one in members if one.probabilities is not None]
    mean = torch.stack(known).mean(0)
    facts = {
        "learning_seconds": sum(one.facts["learning_seconds"] for one in members),
        "diverged": all(one.facts["diverged"] for one in members),
    }
    return Tagging(likeliest(mean, bio_labels(types), test.sentences), mean, facts)
