"""Words as a language model reads them: pieces, of which the first stands for the word."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from concept_transfer.extraction.tagger import Sentence


@dataclass(frozen=True)
class Window:
    """As many words of a sentence as the model reads at once: ids of all pieces, with the model's
    marks of begin and end; firsts: the place of each word's first piece (of a word that the
    tokenizer drops, that of the begin)."""

    sentence: int
    words: slice
    ids: list[int]
    firsts: list[int]


def windows_of(sentences: Sequence[Sentence], tokenizer: Any, limit: int) -> list[Window]:
    """The windows of all sentences, in the order of their words; limit: pieces of one at most."""
    found: list[Window] = []
    waiting = [
        (number, slice(0, len(words))) for number, words in enumerate(sentences) if len(words)
    ]
    while waiting:
        texts = [list(sentences[number][part]) for number, part in waiting]
        encoded = tokenizer(texts, is_split_into_words=True, verbose=False)
        again = []
        for place, (number, part) in enumerate(waiting):
            ids = encoded["input_ids"][place]
            length = part.stop - part.start
            if len(ids) > limit and length > 1:
                middle = part.start + length // 2
                again += [(number, slice(part.start, middle)), (number, slice(middle, part.stop))]
                continue
            firsts = [0] * length
            for piece, word in reversed([*enumerate(encoded.word_ids(place))][:limit]):
                if word is not None:
                    firsts[word] = piece
            found.append(Window(number, part, ids[:limit], firsts))
        waiting = again
    return sorted(found, key=lambda window: (window.sentence, window.words.start))


@dataclass(frozen=True)
class Batch:
    """ids, attended int64 [windows, pieces], padded; places: int64 [words], of the words' first
    pieces among all of the batch, window after window."""

    ids: Tensor
    attended: Tensor
    places: Tensor

    @classmethod
    def of(cls, windows: Sequence[Window], pad: int, device: torch.device) -> Batch:
        longest = max(len(window.ids) for window in windows)
        ids = [window.ids + [pad] * (longest - len(window.ids)) for window in windows]
        attended = [[1] * len(window.ids) + [0] * (longest - len(window.ids)) for window in windows]
        places = [row * longest + p for row, window in enumerate(windows) for p in window.firsts]
        parts = (torch.tensor(part, device=device) for part in (ids, attended, places))
        return cls(*parts)
