"""How like each concept the text of a code is: by an embedding, or by its letters."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from concept_transfer.concepts.vocabulary import Vocabulary

Embed: TypeAlias = Callable[[Sequence[str]], NDArray[np.float32]]
UNSAID = ("absent", "no information")  # states that no code is meant to say


@dataclass(frozen=True)
class ConceptTexts:
    """The words of every concept: `texts` (distinct), and for each entry the `concept` it is of,
    its position in `texts`, and the `state` that it says ("" for the name of the concept).

    Entries come concept by concept, in the order of `concepts`.
    """

    concepts: tuple[str, ...]
    texts: tuple[str, ...]
    concept: NDArray[np.int64]
    text: NDArray[np.int64]
    state: tuple[str, ...]


def concept_texts(vocabulary: Vocabulary) -> ConceptTexts:
    """The name of every concept and the texts of its states, but not of its absence."""
    concepts = tuple(vocabulary.concept_states)
    position = {concept: i for i, concept in enumerate(concepts)}
    entries = dict.fromkeys(
        entry
        for token, concept in enumerate(vocabulary.concepts)
        for entry in (
            (position[concept], vocabulary.names[token], ""),
            (position[concept], vocabulary.texts[token], vocabulary.states[token]),
        )
        if entry[2] not in UNSAID
    )
    ordered = sorted(entries, key=lambda entry: entry[0])
    texts = {text: i for i, text in enumerate(dict.fromkeys(text for _, text, _ in ordered))}
    return ConceptTexts(
        concepts,
        tuple(texts),
        np.array([concept for concept, _, _ in ordered]),
        np.array([texts[text] for _, text, _ in ordered]),
        tuple(state for _, _, state in ordered),
    )


def cosines(codes: NDArray[np.floating], concepts: NDArray[np.floating]) -> NDArray[np.float64]:
    """Cosine of every row of one matrix with every row of the other, float64 [codes, concepts].

    A row of zeros is like nothing.
    """
    return np.asarray(_unit(codes) @ _unit(concepts).T)


def embedding_similarity(
    texts: Sequence[str], concepts: ConceptTexts, embed: Embed
) -> NDArray[np.float64]:
    """Cosine of each text with each entry of the concepts, float64 [texts, entries]."""
    distinct = list(dict.fromkeys([*texts, *concepts.texts]))
    row = {text: i for i, text in enumerate(distinct)}
    vectors = embed(distinct)
    of_texts = vectors[[row[text] for text in texts]]
    of_concepts = vectors[[row[text] for text in concepts.texts]]
    return cosines(of_texts, of_concepts)[:, concepts.text]


def string_similarity(texts: Sequence[str], concepts: ConceptTexts) -> NDArray[np.float64]:
    """Cosine of tf-idf weighted character 2- to 4-grams, which know spelling and no meaning.

    float64 [texts, entries]. Frequencies are those of the concepts' texts.
    """
    from sklearn.feature_extraction.text import TfidfVectorizer

    grams = TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 4))
    of_concepts = grams.fit_transform(concepts.texts)
    of_texts = grams.transform(texts)
    return np.asarray((of_texts @ of_concepts.T).toarray())[:, concepts.text]


@dataclass(frozen=True)
class Ranked:
    """The concepts most like each text: position, cosine and state, [texts, most] each."""

    concept: NDArray[np.int64]
    cosine: NDArray[np.float64]
    state: NDArray[np.object_]


def ranked(similarity: NDArray[np.float64], concepts: ConceptTexts, most: int) -> Ranked:
    """The `most` concepts of the largest cosine, each judged by the entry that is most like.

    Ties go to the concept that the vocabulary has first. The state is that of the most similar
    text that says one.
    """
    starts = np.flatnonzero(np.diff(concepts.concept, prepend=-1))
    best = np.maximum.reduceat(similarity, starts, axis=1)
    order = np.argsort(-best, axis=1, kind="stable")[:, :most]
    says = np.array([bool(state) for state in concepts.state])
    stated = np.where(says, similarity, -np.inf)
    states = np.array(concepts.state, dtype=object)
    ends = [*starts[1:], len(states)]
    state_of = np.stack(
        [
            states[start + stated[:, start:end].argmax(axis=1)]
            for start, end in zip(starts, ends, strict=True)
        ],
        axis=1,
    )
    return Ranked(
        order, np.take_along_axis(best, order, axis=1), np.take_along_axis(state_of, order, axis=1)
    )


def _unit(rows: NDArray[np.floating]) -> NDArray[np.float64]:
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.asarray(rows, np.float64) / np.where(lengths > 0, lengths, 1)
