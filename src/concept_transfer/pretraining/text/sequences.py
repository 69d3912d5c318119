"""Parts of documents as sequences that a language model reads, padded to the longest."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from concept_transfer.errors import StudyError
from concept_transfer.pretraining.text.documents import Documents


@dataclass(frozen=True)
class Marks:
    """What a tokenizer puts around word pieces, and what may stand in for them.

    before, after: ids at the beginning and the end of every sequence; padding, unknown, mask: ids
    (-1 where there is none); drawable: int64, ids of word pieces.
    """

    before: tuple[int, ...]
    after: tuple[int, ...]
    padding: int
    unknown: int
    mask: int
    drawable: NDArray[np.int64]

    @classmethod
    def of(cls, tokenizer: Any) -> Marks:
        word = tokenizer("a", add_special_tokens=False)["input_ids"]
        whole = tokenizer("a")["input_ids"]
        first = next(k for k in range(len(whole)) if whole[k : k + len(word)] == word)
        named = (tokenizer.unk_token_id, tokenizer.mask_token_id)
        unknown, mask = (-1 if mark is None else mark for mark in named)
        known = set(tokenizer.get_vocab().values()) - set(tokenizer.all_special_ids)
        return cls(
            tuple(whole[:first]),
            tuple(whole[first + len(word) :]),
            tokenizer.pad_token_id or 0,
            unknown,
            mask,
            np.array(sorted(known), np.int64),
        )

    @property
    def count(self) -> int:
        """Of marks in every sequence."""
        return len(self.before) + len(self.after)

    def require_mask(self, where: str) -> None:
        if self.mask < 0:
            raise StudyError(
                f"{where}: its base has no token for masked words, so it cannot learn them; give "
                "objectives without mlm, or the base of a masked language model"
            )


@dataclass(frozen=True)
class Sequences:
    """S sequences of L tokens: ids, int64; real, bool, where there is no padding; pieces, bool,
    where there is no mark either."""

    ids: Tensor
    real: Tensor
    pieces: Tensor

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def tokens(self) -> int:
        """Without padding."""
        return int(self.real.sum())

    def to(self, device: torch.device) -> Sequences:
        return Sequences(self.ids.to(device), self.real.to(device), self.pieces.to(device))


@dataclass(frozen=True)
class Spans:
    """Parts of documents: int64 [S] each; which document, where it starts, how long it is."""

    rows: NDArray[np.int64]
    starts: NDArray[np.int64]
    lengths: NDArray[np.int64]

    @property
    def ends(self) -> NDArray[np.int64]:
        return self.starts + self.lengths


def sequences_of(documents: Documents, spans: Spans, marks: Marks) -> Sequences:
    """The word pieces of spans, in their order, with marks around them."""
    first = len(marks.before)
    width = int(spans.lengths.max()) + marks.count
    columns = np.arange(width)
    ends = first + spans.lengths[:, None]
    pieces = (columns >= first) & (columns < ends)
    real = columns < ends + len(marks.after)
    ids = np.full(pieces.shape, marks.padding, np.int64)
    ids[:, :first] = marks.before
    for place, mark in enumerate(marks.after):
        ids[np.arange(len(ids)), ends[:, 0] + place] = mark
    places = np.repeat(documents.offsets[spans.rows] + spans.starts, spans.lengths)
    before = np.repeat(np.cumsum(spans.lengths) - spans.lengths, spans.lengths)
    within = np.arange(len(places)) - before
    ids[pieces] = documents.pieces[places + within]
    return Sequences(torch.from_numpy(ids), torch.from_numpy(real), torch.from_numpy(pieces))
