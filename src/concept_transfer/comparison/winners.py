"""Which strategy is the best with so many labels, and how sure that is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from concept_transfer.comparison.advice import offered
from concept_transfer.evaluation.metrics import TESTED
from concept_transfer.evaluation.results import CellResult, Results
from concept_transfer.study import Study


def winner_rows(study: Study, results: Results) -> list[dict[str, Any]]:
    """One row a source, target, target size ("0" first) and strategy that may be the best there.

    ``probability``: the share of bootstrap draws (of clusters and replicates, the same for all
    cells) in which one of its models has the highest AUROC (Efron, Tibshirani 1998,
    doi:10.1214/aos/1024691353: the bootstrap probability of a region); ``model``, ``auroc``: its
    best model on all test encounters, which flatters it. Models without target labels take part at
    every size; controls, and strategies that combine the others, do not.
    """
    combining = study.combining_strategies()
    rows: list[dict[str, Any]] = []
    for source, target in study.ordered_pairs():
        for size in ("0", *map(str, study.target_sizes)):
            candidates = [
                results[cell]
                for cell in offered(study, results, source, target, size)
                if cell.strategy not in combining
            ]
            if len({result.cell.strategy for result in candidates}) > 1:
                place = {"source": source, "target": target, "size": size}
                rows += [place | row for row in _winners(candidates)]
    return rows


def _winners(candidates: Sequence[CellResult]) -> list[dict[str, Any]]:
    """One row a strategy, the most probable first."""
    drawn = np.nan_to_num(np.array([result.draws[TESTED] for result in candidates]), nan=-np.inf)
    wins = np.bincount(drawn.argmax(axis=0), minlength=len(candidates)) / drawn.shape[1]
    rows = []
    for strategy in dict.fromkeys(result.cell.strategy for result in candidates):
        own = [i for i, result in enumerate(candidates) if result.cell.strategy == strategy]
        best = max((candidates[i] for i in own), key=CellResult.estimate)
        rows.append(
            {
                "strategy": strategy,
                "probability": float(wins[own].sum()),
                "model": {name: getattr(best.cell, name) for name in ("embedding", "classifier")},
                "auroc": best.estimate(),
                "flag": best.estimates[TESTED]["flag"],
            }
        )
    return sorted(rows, key=lambda row: -row["probability"])
