"""Notes of simulated encounters as a corpus: what they mention is known."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from concept_transfer.extraction.corpus import Corpus
from concept_transfer.extraction.settings import SimulatedCorpus, SimulatedPart
from concept_transfer.extraction.spans import Span, of_words
from concept_transfer.extraction.standoff import divided
from concept_transfer.extraction.words import words
from concept_transfer.paths import resolve
from concept_transfer.simulation.notes import write_notes
from concept_transfer.simulation.notes_files import Phrases, Style, read_phrases, read_style
from concept_transfer.sites.network_files import read_network
from concept_transfer.sites.networks import sample
from concept_transfer.sites.simulated import recorded_tokens


def check_simulated_part(corpus: SimulatedCorpus, part: SimulatedPart, root: Path) -> None:
    """Check network, style and words (StudyError)."""
    read_network(resolve(part.network, root))
    _writer(corpus, part, root)


def simulated_corpus(corpus: SimulatedCorpus, part: SimulatedPart, root: Path) -> Corpus:
    """A part of the corpus, a document a note. What is said of findings is a mention, of this visit
    (as there or not), of others, of other times and of what may be; its type is the finding's.

    Raises StudyError.
    """
    style, phrases = _writer(corpus, part, root)
    network = read_network(resolve(part.network, root))
    drawn = sample(network, part.encounters, part.seed)
    recorded = recorded_tokens(network, drawn, np.arange(part.encounters))
    sentences, spans, documents = [], [], []
    for number, note in enumerate(write_notes(recorded, style, phrases, part.seed)):
        every = words(note.text)
        mentions = [
            Span(mention.start, mention.end, kind)
            for mention in note.mentions
            if (kind := phrases.groups[mention.concept]) in corpus.types
        ]
        for own, found in divided(note.text, every, of_words(mentions, every)):
            sentences.append(own)
            spans.append(found)
            documents.append(number)
    return Corpus(sentences, spans, documents)


def _writer(corpus: SimulatedCorpus, part: SimulatedPart, root: Path) -> tuple[Style, Phrases]:
    style = read_style(resolve(part.style, root))
    if corpus.filler is not None:
        style = style.model_copy(update={"filler": corpus.filler})
    return style, read_phrases(resolve(corpus.phrases, root))
