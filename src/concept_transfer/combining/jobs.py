"""The combined cells of a pair of sites."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa

from concept_transfer.cell import ALL_MODELS, NO_EMBEDDING, Cell, split_pair
from concept_transfer.cohorts.cohort import Cohort
from concept_transfer.combining.candidates import read_candidate
from concept_transfer.combining.combined import combined_cell
from concept_transfer.progress import part
from concept_transfer.strategies import STRATEGIES
from concept_transfer.training.block import Block

_log = logging.getLogger(__name__)


def run_combinations(
    pair: str,
    strategies: Mapping[str, Mapping[str, Any]],
    cohort: Cohort,
    seed: int,
    replicates: list[int],
    classes: int,
    predictions: Sequence[str],
    outputs: Sequence[str],
    made_from: str,
) -> None:
    """Write every combined cell of a pair.

    strategies: name -> settings; predictions: the files of all cells that are combined; outputs:
    files that end on ``<strategy>/<size>/block<k>.parquet``.
    """
    block = Block(seed, replicates)
    encounters = pa.array(cohort.split.encounter)
    candidates = [read_candidate(Path(file), encounters) for file in predictions]
    for file in map(Path, outputs):
        name, size = file.parts[-3:-1]
        record = STRATEGIES[strategies[name]["kind"]]
        assert record.combine is not None
        combine = partial(record.combine, record.settings.model_validate(strategies[name]))
        offered = [each for each in candidates if each.cell.size in (size, "0")]
        with part(f"{name}, target size {size}"):
            made = combined_cell(offered, combine, cohort, size, block, classes)
            cell = Cell(*split_pair(pair), NO_EMBEDDING, ALL_MODELS, name, size)
            made.write(file, cell, made_from)
        status = Counter(record["status"] for record in made.records)
        said = ", ".join(f"{count} {state}" for state, count in status.items())
        _log.info(f"{name}, target size {size}: {said}, of {len(offered)} cells")
