"""Encounters to be predicted, as the sets of tokens that models read, some at a time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np
import pyarrow as pa

from concept_transfer.errors import StudyError
from concept_transfer.inputs.rows import CompressedRows
from concept_transfer.serving.coding import Coder, some
from concept_transfer.serving.files import column_names
from concept_transfer.serving.long import read_long
from concept_transfer.serving.long_columns import code_column, long_columns, unread
from concept_transfer.serving.wide import read_wide
from concept_transfer.sites.coverage import closest, did_you_mean
from concept_transfer.sites.tokens import allowed_tokens

AT_ONCE = 1 << 16
ENCOUNTER = "encounter"

Layout = Literal["wide", "long"]
LAYOUTS = {"wide": read_wide, "long": read_long}


@dataclass
class Tally:
    """What was read so far.

    encounters, and those of them `without` a finding that a model sees; unknown: codes that are no
    concept, with their numbers of findings; recorded: concepts that a model sees; unread: columns
    of a long table that nothing is read of.
    """

    encounters: int = 0
    without: int = 0
    unknown: Counter[str] = field(default_factory=Counter)
    recorded: set[str] = field(default_factory=set)
    unread: list[str] = field(default_factory=list)


def read_encounters(
    path: Path, encounter: str | None, coder: Coder, tally: Tally, layout: Layout | None = None
) -> Iterator[tuple[pa.Array, CompressedRows]]:
    """Ids (strings [n]) and findings (n rows) of a file's encounters, some at a time.

    encounter: the column of their ids, None for that of the coder's site, or else ``encounter``;
    layout: None finds out by the names of the columns. Raises StudyError that names file, row and
    column.
    """
    columns = column_names(path)
    layout = layout or layout_of(columns, coder)
    encounter = encounter or _id_column(layout, coder)
    if encounter not in columns:
        raise StudyError(
            f"{path} has no column '{encounter}', which holds the ids of encounters; it has "
            f"{some(columns)}{did_you_mean(closest(encounter, columns))}; --encounter names it"
        )
    if layout == "long":
        tally.unread = unread(path, columns, encounter, long_columns(path, columns, coder), coder)
    concepts = np.array(coder.vocabulary.concepts, dtype=object)
    for ids, findings in LAYOUTS[layout](path, columns, encounter, coder, tally.unknown, AT_ONCE):
        tally.encounters += len(findings)
        tally.without += int((findings.lengths == 0).sum())
        tally.recorded.update(concepts[findings.counts(len(concepts)) > 0])
        yield ids, findings
    if not tally.encounters:
        raise StudyError(f"{path} has a line of column names and no row below it")


def layout_of(columns: Sequence[str], coder: Coder) -> Layout:
    """Long where a column holds codes, and is not itself a concept; else wide."""
    code = code_column(columns, coder)
    return "wide" if code is None or coder.meanings(code) else "long"


def _id_column(layout: Layout, coder: Coder) -> str:
    long = coder.site.long if layout == "long" else None
    return (long and long.encounter) or coder.site.encounter or ENCOUNTER


def missing(tally: Tally, coder: Coder) -> list[str]:
    """Concepts that a model could see and that no encounter records, in vocabulary order."""
    allowed = np.flatnonzero(allowed_tokens(coder.vocabulary, coder.task))
    concepts = dict.fromkeys(coder.vocabulary.concepts[token] for token in allowed)
    return [concept for concept in concepts if concept not in tally.recorded]
