"""The column of a binned concept at a tabular site, as numbers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from concept_transfer.concepts.vocabulary import Vocabulary
from concept_transfer.sites.binning import numbers_of
from concept_transfer.sites.files import read_table, text_column
from concept_transfer.sites.layout import layout_of
from concept_transfer.sites.spelling import spelled, spelling_of_concept, spelling_of_label
from concept_transfer.sites.table_settings import DROP, TableSite
from concept_transfer.sites.tabular_long import long_numbers


def read_numbers(
    site: TableSite, concept: str, vocabulary: Vocabulary, root: Path
) -> NDArray[np.float64]:
    """The concept's number at every encounter of the site, the smallest where there are several."""
    layout = layout_of(site, vocabulary, root)
    names = layout.concept_columns.get(concept, [])
    spellings = spelling_of_concept(site, vocabulary, concept)
    kinds = spelling_of_label(site)
    parts, ids = [], []
    whose = [site.encounter] if site.long and site.encounter else []
    for file in layout.files:
        table = read_table(file.path, [site.label.column, *whose, *names])
        label = text_column(table.column(site.label.column))
        kept = np.array([kinds.get(spelled(value)) != DROP for value in label.values])[label.codes]
        nothing = np.full(table.num_rows, np.nan)
        columns = [numbers_of(table.column(name), spellings) for name in names]
        parts.append(np.fmin.reduce([nothing, *columns])[kept])
        ids += [text_column(table.column(name)).texts()[kept] for name in whose]
    wide = np.concatenate(parts)
    if site.long is None:
        return wide
    encounters = pa.array(np.concatenate(ids), pa.string())
    long = long_numbers(site, site.long, concept, vocabulary, encounters, root)
    return np.asarray(np.fmin(wide, long))
