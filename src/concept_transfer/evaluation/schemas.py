"""The tables under ``metrics/`` and ``shuffles/``: their columns and types."""

from __future__ import annotations

import pyarrow as pa

from concept_transfer.cell import CELL_COLUMNS
from concept_transfer.parquet import columns

CELL = columns(pa.string(), CELL_COLUMNS)
CLASS = "class"  # that is told from all others; "" is all classes together
REPLICATES = pa.schema(
    [
        *CELL,
        ("replicate", pa.int32()),
        *columns(pa.string(), ["partition", CLASS, "metric"]),
        ("value", pa.float64()),
    ]
)
ESTIMATES = pa.schema(
    [
        *CELL,
        *columns(pa.string(), [CLASS, "metric"]),
        *columns(
            pa.float64(),
            ["estimate", "lower", "upper", "sampling_se", "replicate_sd", "no_skill"],
        ),
        *columns(
            pa.int64(),
            [
                *("encounters", "clusters", "positives", "replicates", "not_estimable"),
                *("diverged", "undefined_draws"),
            ],
        ),
        *columns(pa.string(), ["method", "flag"]),
    ]
)
SUBGROUPS = pa.schema(
    [
        *CELL,
        *columns(pa.string(), ["variable", "group", "metric"]),
        *columns(pa.float64(), ["estimate", "lower", "upper"]),
        *columns(pa.int64(), ["encounters", "positives"]),
        ("flag", pa.string()),
    ]
)
CALIBRATION = pa.schema(
    [
        *CELL,
        (CLASS, pa.string()),
        ("bin", pa.int16()),
        ("encounters", pa.int64()),
        *columns(pa.float64(), ["predicted", "positives"]),
    ]
)
SHUFFLES = pa.schema(
    [*CELL, *columns(pa.int32(), ["shuffle", "replicate"]), ("auroc", pa.float64())]
)
