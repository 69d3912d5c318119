"""What combined cells are made of: the table's columns and types."""

from __future__ import annotations

import pyarrow as pa

from concept_transfer.cell import CELL_COLUMNS
from concept_transfer.parquet import columns

CELL = columns(pa.string(), CELL_COLUMNS)
SHARES = pa.schema(
    [
        *CELL,
        ("replicate", pa.int64()),
        ("fold", pa.int64()),
        ("chosen", pa.bool_()),
        ("model", pa.struct(CELL)),
        ("share", pa.float64()),
    ]
)
