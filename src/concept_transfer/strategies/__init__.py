"""Ways to use source and target data, one file each."""

from __future__ import annotations

from concept_transfer.registry import Registry
from concept_transfer.strategies.strategy import Strategy

_HERE = "concept_transfer.strategies"

STRATEGIES: Registry[Strategy] = Registry(
    _HERE,
    {
        kind: f"{_HERE}.{kind}:STRATEGY"
        for kind in ("local", "direct", "linear", "full", "pooled", "l2_sp")
    },
)
