"""The tables under ``analysis/``: their columns and types, by the names of their files."""

from __future__ import annotations

import pyarrow as pa

from concept_transfer.cell import CELL_COLUMNS
from concept_transfer.parquet import columns

DISTANCES = (
    "js_sum",
    "js_recording_sum",
    "js_positive_sum",
    "js_negative_sum",
    "kl_target_source_sum",
    "classifier_auroc",
)
SPACES = ("mmd2", "mmd2_ratio")  # in an embedding's own space
PAIR = columns(pa.string(), ["source", "target"])
BOUNDED = columns(pa.float64(), ["estimate", "lower", "upper", "source_value", "target_value"])
CONCEPT = columns(pa.string(), ["embedding", "concept", "name", "category"])

SHIFT = pa.schema(
    [
        *PAIR,
        *columns(pa.string(), ["embedding", "measure"]),
        *BOUNDED,
        *columns(pa.int64(), ["source_encounters", "target_encounters"]),
    ]
)
FINDINGS = pa.schema(
    [
        *PAIR,
        *columns(pa.string(), ["concept", "name", "category", "measure"]),
        *BOUNDED,
        *columns(
            pa.float64(),
            [
                *("source_fewest", "source_fewest_of_label"),
                *("target_fewest", "target_fewest_of_label"),
            ],
        ),
    ]
)
LOSS = pa.schema(
    [
        *PAIR,
        *columns(pa.string(), ["embedding", "classifier"]),
        *columns(pa.float64(), ["loss", "lower", "upper"]),
        ("verdict", pa.string()),
        *columns(pa.float64(), [*DISTANCES, *SPACES]),
    ]
)
CORRELATIONS = pa.schema(
    [
        *columns(pa.string(), ["embedding", "classifier", "measure"]),
        ("pairs", pa.int64()),
        *columns(pa.float64(), ["spearman", "p"]),
    ]
)
GEOMETRY = pa.schema(
    [
        *columns(pa.string(), ["embedding", "measure"]),
        *columns(
            pa.float64(),
            ["value", "low", "high", "baseline", "baseline_low", "baseline_high", "p"],
        ),
    ]
)
NEIGHBOURS = pa.schema(
    [
        *CONCEPT,
        ("rank", pa.int64()),
        *columns(pa.string(), ["neighbour", "neighbour_name", "neighbour_category"]),
        ("cosine", pa.float64()),
    ]
)
MAP = pa.schema([*CONCEPT, *columns(pa.float64(), ["x", "y", "share_x", "share_y"])])
DOCUMENT_SPACE = pa.schema(
    [
        *columns(pa.string(), ["encoder", "site", "measure"]),
        *columns(pa.float64(), ["value", "lower", "upper"]),
        ("documents", pa.int64()),
    ]
)
DOCUMENT_MAP = pa.schema(
    [
        *columns(pa.string(), ["encoder", "site", "class"]),
        *columns(pa.float64(), ["x", "y", "share_x", "share_y"]),
    ]
)
OF_DOCUMENTS = {"document_space": DOCUMENT_SPACE, "document_map": DOCUMENT_MAP}
TABLES = {
    "shift": SHIFT,
    "shift_findings": FINDINGS,
    "shift_loss": LOSS,
    "shift_correlations": CORRELATIONS,
    "geometry": GEOMETRY,
    "neighbours": NEIGHBOURS,
    "map": MAP,
}

EXTRACTION = pa.schema(
    [
        *columns(pa.string(), ["site", "gold", "concept", "name", "category", "state"]),
        *columns(pa.int64(), ["encounters", "read", "true", "right"]),
        *columns(
            pa.float64(),
            [
                *("precision", "precision_lower", "precision_upper"),
                *("recall", "recall_lower", "recall_upper"),
            ],
        ),
    ]
)
EXTRACTION_COST = pa.schema(
    [
        *columns(pa.string(), [*CELL_COLUMNS, "gold_source", "gold_target"]),
        *columns(pa.int64(), ["encounters", "positives", "replicates"]),
        *columns(
            pa.float64(),
            [
                *("estimate", "gold_estimate", "difference", "lower", "upper"),
                *("lower_holm", "upper_holm", "p", "p_holm"),
            ],
        ),
        ("verdict", pa.string()),
    ]
)
OF_NOTES = {"extraction": EXTRACTION, "extraction_cost": EXTRACTION_COST}  # where gold is known
