"""Which parts of documents a step reads: windows, or anchors with what is near them.

Anchors and positives are those of DeCLUTR (Giorgi et al. 2021), whose lengths here are scaled to
the document, so that none is too short to be learned from.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from concept_transfer.pretraining.text.sequences import Spans
from concept_transfer.settings.text_encoders import TextEncoder

ANCHOR, POSITIVE = (4.0, 2.0), (2.0, 4.0)  # of Beta distributions: long anchors, short positives


@dataclass(frozen=True)
class Neighbours:
    """Anchors [N], and of each the same number of positives: [N x positives], row by row."""

    anchors: Spans
    positives: Spans


def windows(
    rows: NDArray[np.int64],
    lengths: NDArray[np.int64],
    limit: int,
    generator: np.random.Generator,
) -> Spans:
    """The documents of these rows and lengths, of long ones `limit` tokens from a random place."""
    kept = np.minimum(lengths, limit)
    return Spans(rows, generator.integers(0, lengths - kept + 1), kept)


def neighbours(
    rows: NDArray[np.int64],
    lengths: NDArray[np.int64],
    limit: int,
    settings: TextEncoder,
    generator: np.random.Generator,
) -> Neighbours:
    """Of each document its anchors, in parts of the document of equal length, and of each anchor
    positives that overlap it, adjoin it or lie within it.

    A span is as long as a document's share at most: all its anchors take up half of it, as those of
    a long document do, or `shortest_span` tokens each where the half would be shorter. limit: of
    the tokens of a span.
    """
    owners = np.repeat(rows, settings.anchors)
    whole = np.repeat(lengths, settings.anchors)
    longest, shortest = _bounds(whole, limit, settings)
    count = _lengths(ANCHOR, longest, shortest, generator)
    part = np.tile(np.arange(settings.anchors), len(rows))
    first = whole * part // settings.anchors
    room = whole * (part + 1) // settings.anchors - count - first
    starts = first + generator.integers(0, np.maximum(room, 0) + 1)
    anchors = Spans(owners, np.minimum(starts, whole - count), count)

    each = np.repeat(np.arange(len(owners)), settings.positives)
    near = _lengths(POSITIVE, longest[each], shortest[each], generator)
    earliest, latest = anchors.starts[each] - near, anchors.ends[each]
    places = generator.integers(earliest, latest + 1)
    within = np.clip(places, 0, whole[each] - near)
    return Neighbours(anchors, Spans(owners[each], within, near))


def _bounds(
    whole: NDArray[np.int64], limit: int, settings: TextEncoder
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The longest and the shortest span of documents of these lengths."""
    shortest = np.minimum(whole, min(settings.shortest_span, limit))
    share = np.minimum(whole // (2 * settings.anchors), min(settings.longest_span, limit))
    return np.maximum(share, shortest), shortest


def _lengths(
    shape: tuple[float, float],
    longest: NDArray[np.int64],
    shortest: NDArray[np.int64],
    generator: np.random.Generator,
) -> NDArray[np.int64]:
    shares = generator.beta(*shape, size=len(longest))
    return shortest + np.rint(shares * (longest - shortest)).astype(np.int64)
