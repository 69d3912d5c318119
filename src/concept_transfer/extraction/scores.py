"""How well mentions are found: precision, recall and F1 of spans, by type and of all together.

`strict` counts a span whose words and type are those of a marked one; `lenient` one that shares
a word with a marked one of its type; `boundary` one whose words are those of a marked one of any
type.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from concept_transfer.extraction.spans import Span

MODES = ("strict", "lenient", "boundary")
MEASURES = ("precision", "recall", "f1")
RIGHT, FOUND, RECALLED, MARKED = range(4)

Spans = Sequence[Sequence[Span]]  # a sentence's, none over another


def counts(marked: Spans, found: Spans, types: Sequence[str]) -> NDArray[np.int64]:
    """int64 [sentences, modes, types, 4]: of the spans found, how many are right, and all; of the
    spans marked, how many are found, and all."""
    number = {name: place for place, name in enumerate(types)}
    result = np.zeros((len(marked), len(MODES), len(types), 4), np.int64)
    for sentence, (truth, guess) in enumerate(zip(marked, found, strict=True)):
        for spans, others, hit, total in (
            (guess, truth, RIGHT, FOUND),
            (truth, guess, RECALLED, MARKED),
        ):
            known, bounds = {*others}, {span[:2] for span in others}
            for span in spans:
                place = number[span.label]
                result[sentence, :, place, total] += 1
                result[sentence, 0, place, hit] += span in known
                result[sentence, 1, place, hit] += _touches(span, others)
                result[sentence, 2, place, hit] += span[:2] in bounds
    return result


def _touches(span: Span, others: Iterable[Span]) -> bool:
    return any(
        other.label == span.label and other.start < span.end and span.start < other.end
        for other in others
    )


def of_units(counted: NDArray[np.int64], units: Sequence[int]) -> NDArray[np.int64]:
    """Sums over the sentences of each unit, [units, ...]; units: of every sentence, from 0."""
    result = np.zeros((max(units) + 1, *counted.shape[1:]), np.int64)
    np.add.at(result, np.asarray(units), counted)
    return result


def measures(sums: NDArray[np.floating | np.integer]) -> NDArray[np.float64]:
    """Counts [..., types, 4] -> [..., types + 1, 3], `MEASURES` of each type and of all together.

    NaN where nothing was found (precision), marked (recall), or neither (F1).
    """
    whole = np.concatenate([sums, sums.sum(-2, keepdims=True)], -2).astype(float)
    right, found, recalled, marked = np.moveaxis(whole, -1, 0)
    with np.errstate(invalid="ignore", divide="ignore"):
        precision, recall = right / found, recalled / marked
        f1 = 2 * precision * recall / (precision + recall)
    none = (right == 0) & (recalled == 0) & (found + marked > 0)
    return np.stack([precision, recall, np.where(none, 0.0, f1)], -1)
