"""Ways to use source and target data, one record each: another one is a file here."""

from __future__ import annotations

from concept_transfer.registry import Registry, records_in
from concept_transfer.strategies.strategy import Strategy

STRATEGIES: Registry[Strategy] = Registry(
    __name__, records_in(__name__, __path__, "STRATEGY", "strategy")
)
