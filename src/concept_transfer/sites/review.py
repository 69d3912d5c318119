"""What people look at who want to know how notes were read: words, concepts, and counts."""

from __future__ import annotations

from pathlib import Path

import pyarrow.compute as pc
import pyarrow.parquet as pq

from concept_transfer.sites.extract import MENTIONS
from concept_transfer.sites.mentions import MENTIONS as COLUMNS


def review(folder: Path, small_cells: int, path: Path) -> None:
    """Write the mentions of a site's folder that stand in the notes of `small_cells` encounters or
    more as TSV: a rarer one may say who was seen.

    The columns concept, synonym and state are those of a table of synonyms, to which corrected
    rows are appended; one without a concept is none.
    """
    file = folder / MENTIONS
    table = pq.read_table(file, schema=COLUMNS) if file.is_file() else COLUMNS.empty_table()
    shown = table.filter(pc.greater_equal(table.column("encounters"), small_cells))
    lines = [COLUMNS.names, *zip(*(column.to_pylist() for column in shown.columns), strict=True)]
    text = "".join("\t".join(map(_cell, line)) + "\n" for line in lines)
    path.write_text(text, encoding="utf-8")


def _cell(value: object) -> str:
    return "" if value is None else f"{value:.3g}" if isinstance(value, float) else str(value)
