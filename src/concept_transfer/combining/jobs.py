"""The combined cells of a pair of sites."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa

from concept_transfer.cell import ALL_MODELS, NO_EMBEDDING, Cell, split_pair
from concept_transfer.cohorts.cohort import Cohort
from concept_transfer.combining.candidates import Candidate, read_candidate
from concept_transfer.combining.combined import combined_cell
from concept_transfer.combining.schema import SHARES
from concept_transfer.parquet import write_rows
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
    shares: str,
    made_from: str,
) -> None:
    """Write every combined cell of a pair, and what each is made of.

    strategies: name -> settings; predictions: the files of all cells that are combined; outputs:
    files that end on ``<strategy>/<size>/block<k>.parquet``; shares: a file of `SHARES`.
    """
    block = Block(seed, replicates)
    encounters = pa.array(cohort.split.encounter)
    candidates = [read_candidate(Path(file), encounters) for file in predictions]
    rows: list[dict[str, Any]] = []
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
        rows += share_rows(cell, candidates, made.records)
        status = Counter(record["status"] for record in made.records)
        said = ", ".join(f"{count} {state}" for state, count in status.items())
        _log.info(f"{name}, target size {size}: {said}, of {len(offered)} cells")
    write_rows(shares, rows, SHARES)


def share_rows(
    cell: Cell, candidates: Sequence[Candidate], records: Sequence[Mapping[str, Any]]
) -> Iterator[dict[str, Any]]:
    """One row a replicate, fold and model that has a share in a cell."""
    cells = {each.cell.path: each.cell.as_dict() for each in candidates}
    for record in records:
        for path, share in record.get("shares", {}).items():
            yield {
                **cell.as_dict(),
                **{name: record[name] for name in ("replicate", "fold", "chosen")},
                "model": cells[path],
                "share": share,
            }
