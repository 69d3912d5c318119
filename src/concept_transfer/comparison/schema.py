"""The comparison table: its columns and types."""

from __future__ import annotations

import pyarrow as pa

from concept_transfer.evaluation.schemas import CELL
from concept_transfer.parquet import columns

LABELLED = ("embedding", "classifier", "strategy")  # what may tell two sides apart
SIDE = pa.list_(pa.struct(CELL))
COMPARISONS = pa.schema(
    [
        *columns(pa.string(), ["family", "target", "source", *LABELLED, "size"]),
        *columns(SIDE, ["a", "b"]),
        ("metric", pa.string()),
        *columns(
            pa.float64(),
            [
                *("difference", "lower", "upper", "lower_holm", "upper_holm"),
                *("standard_error", "freedom", "reach"),
            ],
        ),
        ("replicates", pa.int64()),
        ("test", pa.string()),
        *columns(pa.float64(), ["p", "p_holm", "p_equivalence"]),
        ("verdict", pa.string()),
    ]
)
