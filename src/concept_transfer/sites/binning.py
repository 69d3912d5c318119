"""From a column of numbers to the states of a binned concept."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from concept_transfer.concepts.bins import Binned
from concept_transfer.concepts.vocabulary import Vocabulary
from concept_transfer.errors import StudyError
from concept_transfer.registry import imported
from concept_transfer.sites.adapters import ADAPTERS
from concept_transfer.sites.files import TextColumn, dictionary_encoded, text_column
from concept_transfer.study import Study

Numbers = NDArray[np.float64]
Column: TypeAlias = pa.ChunkedArray | pa.Array

_NUMBER = r"^-?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$"


def check_bins(study: Study, vocabulary: Vocabulary, root: Path) -> None:
    """Raise StudyError for a binned concept without a column where its numbers should come from.

    Some site with columns must hold it, and the site that quantiles are taken of.
    """
    if not study.bins:
        return
    held = {
        name: imported(ADAPTERS[site.adapter].columns)(site, vocabulary, root)
        for name, site in study.sites.items()
        if ADAPTERS[site.adapter].columns
    }
    for concept, entry in study.bins.items():
        needed = [entry.quantiles.of] if entry.quantiles else list(held)
        if not any(concept in held[name] for name in needed):
            raise StudyError(
                f"bins.{concept}: no column of {' or '.join(needed) or 'a tabular site'} holds "
                "this concept; the column has its name, or a crosswalk maps the column to it"
            )


def states_of_numbers(column: Column, bins: Binned, spellings: Collection[str]) -> TextColumn:
    """The column with the name of its bin in place of every number.

    What is no number stays as it is, and so does a number that is one of the spellings (999 for
    not recorded).
    """
    coded = dictionary_encoded(column)
    texts, numbers = _numbers(coded.dictionary, spellings)
    kept = np.isnan(numbers)
    states = np.zeros(len(numbers), np.int64)
    states[~kept] = bins.state_numbers(numbers[~kept])
    states[kept] = len(bins.states) + np.arange(kept.sum())
    names = pa.concat_arrays([pa.array(bins.states, pa.string()), texts.filter(pa.array(kept))])
    codes = pc.take(pa.array(states, pa.int32()), coded.indices)
    return text_column(pa.DictionaryArray.from_arrays(codes, names))


def numbers_of(column: Column, spellings: Collection[str]) -> Numbers:
    """The numbers of a column, float64 [n]; NaN for a cell that is none or is a spelling."""
    coded = dictionary_encoded(column)
    _, numbers = _numbers(coded.dictionary, spellings)
    return np.asarray(np.append(numbers, np.nan)[coded.indices.fill_null(len(numbers)).to_numpy()])


def _numbers(values: pa.Array, spellings: Collection[str]) -> tuple[pa.Array, Numbers]:
    """Distinct values as text, and as float64 with NaN for those that are to stay text."""
    if pa.types.is_integer(values.type) or pa.types.is_floating(values.type):
        numbers = np.asarray(values.cast(pa.float64(), safe=False), dtype=np.float64)
        texts = pc.if_else(pc.is_nan(values), None, values.cast(pa.string()))
    else:
        texts = pc.utf8_trim_whitespace(values.cast(pa.string()))
        valid = pc.match_substring_regex(texts, _NUMBER)
        numeric = pc.if_else(valid, texts, pa.scalar(None, pa.string())).cast(pa.float64())
        numbers = np.asarray(numeric.fill_null(np.nan), dtype=np.float64)
    codes = [float(s) for s in spellings if pc.match_substring_regex(s, _NUMBER).as_py()]
    numbers = np.where(np.isfinite(numbers) & ~np.isin(numbers, codes), numbers, np.nan)
    return texts, numbers
