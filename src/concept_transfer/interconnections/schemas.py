"""The tables of ``interconnections/``: their columns and types, by the names of their files."""

from __future__ import annotations

import pyarrow as pa

from concept_transfer.parquet import columns

PERFORMANCE = pa.schema(
    [
        *columns(pa.string(), ["learned", "judged", "method", "truth", "stratum", "measure"]),
        *columns(pa.float64(), ["value", "lower", "upper", "bias", "no_skill"]),
        *columns(pa.int64(), ["pairs", "edges"]),
    ]
)
DIFFERENCES = pa.schema(
    [
        *columns(pa.string(), ["learned", "judged", "a", "b", "measure"]),
        *columns(pa.float64(), ["difference", "lower", "upper"]),
    ]
)
AGREEMENT = pa.schema(
    [*columns(pa.string(), ["a", "b"]), *columns(pa.float64(), ["spearman", "p", "jaccard"])]
)
GRAPHS = pa.schema(
    [
        ("method", pa.string()),
        *columns(pa.int64(), ["edges", "linked", "highest_degree"]),
        ("clustering", pa.float64()),
        ("communities", pa.int64()),
        ("modularity", pa.float64()),
        ("unique", pa.int64()),
        ("unique_hold", pa.float64()),
    ]
)
SITES = pa.schema(
    [
        *columns(pa.string(), ["a", "b"]),
        *columns(pa.int64(), ["edges_a", "edges_b", "shared"]),
        ("jaccard", pa.float64()),
    ]
)
PAIRS = pa.schema(
    [
        *columns(pa.string(), ["code_a", "code_b"]),
        ("patients", pa.int64()),
        *columns(pa.float64(), ["expected", "ratio", "odds_ratio", "lower", "upper", "log10_p"]),
        *columns(pa.bool_(), ["significant", "replicated", "planted", "consensus"]),
        *columns(pa.list_(pa.string()), ["sites", "methods", "foretold"]),
    ]
)
CODES = pa.schema(
    [
        *columns(pa.string(), ["code", "name", "block", "block_name", "chapter", "chapter_name"]),
        ("patients", pa.int64()),
        ("degree", pa.int64()),
        ("community", pa.int64()),
    ]
)
TABLES = {
    "performance": PERFORMANCE,
    "differences": DIFFERENCES,
    "agreement": AGREEMENT,
    "graphs": GRAPHS,
    "sites": SITES,
    "pairs": PAIRS,
    "codes": CODES,
}
