"""What it costs to know findings from notes: cells learned and tested on findings that were read,
against the same cells on the findings themselves."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from concept_transfer.comparison.comparisons import decide
from concept_transfer.evaluation.cell_predictions import CellPredictions
from concept_transfer.evaluation.delong import auroc, clustered_variance, placements
from concept_transfer.evaluation.intervals import (
    DELONG,
    Variance,
    degrees_of_freedom,
    interval_within,
    replicate_variance,
    tail,
)
from concept_transfer.settings.evaluation import Evaluation

NAN = float("nan")


def cost_rows(
    pairs: list[tuple[CellPredictions, CellPredictions]],
    clusters: Mapping[str, Mapping[str, str]],
    settings: Evaluation,
) -> list[dict[str, Any]]:
    """A row a pair of cells (on findings read from notes, on the findings themselves).

    clusters: target -> encounter -> cluster. The difference in AUROC is below 0 where reading
    costs. It is paired by the encounters that test in both cells, with the sampling variance of
    related encounters (Obuchowski 1997, see `evaluation.delong`), and the spread of replicates,
    each of which draws the same labels at both sites (`Cohort.drawn_as`), where their encounters
    have the same order. Verdicts are
    Holm-corrected over all rows.
    """
    rows = [_row(read, gold, clusters[read.cell.target], settings) for read, gold in pairs]
    decide([row for row in rows if not row["verdict"]], settings)
    unwritten = ("freedom", "reach", "p_equivalence", "standard_error")
    return [{name: value for name, value in row.items() if name not in unwritten} for row in rows]


def _row(
    read: CellPredictions,
    gold: CellPredictions,
    cluster_of: Mapping[str, str],
    settings: Evaluation,
) -> dict[str, Any]:
    ids, here, there = np.intersect1d(
        read.encounters.to_numpy(False).astype(str),
        gold.encounters.to_numpy(False).astype(str),
        return_indices=True,
    )
    shared = [
        place
        for place, number in enumerate(read.replicates)
        if number in gold.replicates
        and read.estimable[place]
        and gold.estimable[np.searchsorted(gold.replicates, number)]
    ]
    others = [int(np.searchsorted(gold.replicates, read.replicates[place])) for place in shared]
    labels = read.labels[here]
    sides = [
        _Side(read.probability[shared][:, here], labels, read.fold[here]),
        _Side(gold.probability[others][:, there], labels, gold.fold[there]),
    ]
    cell, twin = read.cell, gold.cell
    row = cell.as_dict() | {
        "gold_source": twin.source,
        "gold_target": twin.target,
        "encounters": len(ids),
        "positives": int((labels > 0).sum()),
        "replicates": len(shared),
        "verdict": "",
    }
    fewest = min(np.bincount(labels, minlength=read.classes)) if len(labels) else 0
    if not shared or fewest < 2:
        return row | _unknown("not estimable")
    differences = sides[0].aurocs - sides[1].aurocs
    _, unit = np.unique([cluster_of[name] for name in ids], return_inverse=True)
    sampling = clustered_variance(labels, sides[0].placements - sides[1].placements, unit)
    variance = Variance(
        sampling.variance,
        replicate_variance(differences),
        0.0,
        sampling.clusters,
        len(differences),
        DELONG,
    )
    difference, error = float(differences.mean()), variance.total**0.5
    freedom = degrees_of_freedom(variance)
    lower, upper = interval_within(difference, error, freedom, settings.confidence, 1.0)
    return row | {
        "estimate": float(sides[0].aurocs.mean()),
        "gold_estimate": float(sides[1].aurocs.mean()),
        "difference": difference,
        "lower": lower,
        "upper": upper,
        "standard_error": error,
        "freedom": freedom,
        "reach": 1.0,
        "p": 2 * tail(abs(difference), error, freedom),
        "p_equivalence": NAN,
        "p_holm": NAN,
        "lower_holm": NAN,
        "upper_holm": NAN,
        "verdict": "underpowered" if fewest < settings.min_positives else "",
    }


class _Side:
    """AUROC of each replicate [replicates], and the mean of their placements."""

    def __init__(self, probability: NDArray[Any], labels: NDArray[Any], fold: NDArray[Any]) -> None:
        folds = fold if len(np.unique(fold)) > 1 else None
        self.aurocs = np.array([auroc(labels, scores, folds) for scores in probability])
        each = [placements(labels, scores, folds) for scores in probability]
        self.placements = np.mean(each, axis=0) if each else np.zeros(0)


def _unknown(verdict: str) -> dict[str, Any]:
    numbers = ("estimate", "gold_estimate", "difference", "lower", "upper", "p", "p_holm")
    return {
        **dict.fromkeys((*numbers, "lower_holm", "upper_holm"), NAN),
        "verdict": verdict,
    }
