"""What validation data would have chosen on a target, and what that choice costs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from concept_transfer.cell import Cell
from concept_transfer.comparison.schema import LABELLED
from concept_transfer.evaluation.intervals import (
    Variance,
    plain_interval,
    replicate_variance,
    variance_of,
)
from concept_transfer.evaluation.metrics import TESTED
from concept_transfer.evaluation.results import CellResult, Results
from concept_transfer.settings.evaluation import Evaluation
from concept_transfer.study import Study


def choices_by_validation(
    study: Study, results: Results, settings: Evaluation
) -> list[dict[str, Any]]:
    """One row a target and target size: the choice, and its regret in AUROC.

    Candidates are all cells of that target and size, and the source models as they are, without the
    controls, and without those that combine the others. Every replicate chooses by the AUROC on the
    validation labels that it may use at that size, with folds once a fold, because a fold's test
    encounters validate other folds; without both classes among these labels it is ``undecided``;
    cells that tie share the choice, and ``chosen`` is the most frequent of these ``choices``. What
    the choice costs is bracketed on parts of the test clusters (its fold, or a random half):
    ``regret_naive`` compares it with the cell that is the best on the same part, which flatters
    hindsight; ``regret`` is cross-fitted, with the cell that is the best on all other clusters,
    which weakens hindsight. The interval of the latter holds the picks fixed.
    """
    rows = []
    for target in dict.fromkeys(cell.target for cell in results):
        for size in map(str, study.target_sizes):
            candidates = [
                result
                for cell, result in results.items()
                if cell.target == target
                and cell.size in (size, "0")
                and not study.is_control(cell.embedding)
                and cell.strategy not in study.combining_strategies()
            ]
            row = _choice(candidates, size, settings) if candidates else None
            if row:
                rows.append({"target": target, "size": size, **row})
    return rows


def _choice(
    candidates: Sequence[CellResult], size: str, settings: Evaluation
) -> dict[str, Any] | None:
    """None where no replicate has validation data of both classes."""
    seen = np.stack([_seen(candidate, size) for candidate in candidates])
    tested = _tested(candidates)
    seen[np.isnan(tested)] = np.nan
    able = ~np.isnan(seen).all(axis=0)
    if not able.any():
        return None
    picks = _shared_picks(seen) * able
    parts = np.stack([c.parts for c in candidates])
    regrets, best_share = _regrets(parts, parts[..., 1], picks, able)
    flattering, _ = _regrets(parts, parts[..., 0], picks, able)
    regret = float(np.nanmean(regrets))
    times = picks.sum(axis=(1, 2))
    weights = best_share - times / able.sum()
    lower, upper = plain_interval(
        regret,
        _variance(candidates, weights, tested[:, able.any(axis=1)], regrets),
        settings.confidence,
    )
    hindsight = candidates[int(np.nanargmax([c.estimate() for c in candidates]))]
    favourite = int(np.argmax(times))
    reached = float((picks.sum(axis=2) * np.nan_to_num(tested)).sum() / able.sum())
    return {
        "candidates": len(candidates),
        "chosen": _model(candidates[favourite].cell),
        "chosen_by": float(times[favourite]),
        "choices": int(able.sum()),
        "undecided": int((~able).sum()),
        "auroc_of_choices": reached,
        "best_in_hindsight": _model(hindsight.cell),
        "auroc_in_hindsight": hindsight.estimate(),
        "regret_naive": float(np.nanmean(flattering)),
        "regret": regret,
        "lower": lower,
        "upper": upper,
        "flag": hindsight.estimates[TESTED]["flag"],
    }


def _model(cell: Cell) -> dict[str, str]:
    """A cell among those of one target and size."""
    return {name: getattr(cell, name) for name in (*LABELLED, "source")}


def _shared_picks(seen: np.ndarray) -> np.ndarray:
    """Each cell's share in the choice, of the shape of ``seen`` [cells, replicates, folds]."""
    known = np.nan_to_num(seen, nan=-1.0)
    ties = known == known.max(axis=0)
    return np.asarray(ties / ties.sum(axis=0))


def _seen(candidate: CellResult, size: str) -> np.ndarray:
    """AUROC on the validation labels of a size [replicates, folds]; NaN where there is none."""
    if size in candidate.sizes:
        return candidate.seen[:, candidate.sizes.index(size)]
    return np.full(candidate.seen[:, 0].shape, np.nan)


def _regrets(
    parts: np.ndarray, judged: np.ndarray, picks: np.ndarray, able: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Regret of every replicate that can choose, averaged over parts, and how often each cell is
    the best.

    ``parts`` [cells, replicates, parts, 2]; ``judged``, the AUROC by which the best cell is found,
    and ``picks``, each cell's share in the choice, [cells, replicates, parts or 1]; ``able``,
    whether there was a choice, without the first axis.
    """
    best = np.argmax(np.nan_to_num(judged, nan=0.0).mean(axis=1), axis=0)  # a failure loses
    replicate, part = np.indices(parts.shape[1:3])
    inside = np.nan_to_num(parts[..., 0], nan=0.0)
    chosen = (picks * inside).sum(axis=0)
    lost = np.where(able, inside[best[part], replicate, part] - chosen, np.nan)
    share = np.bincount(best, minlength=len(parts)) / len(best)
    return np.nanmean(lost[able.any(axis=1)], axis=1), share


def _variance(
    candidates: Sequence[CellResult], weights: np.ndarray, tested: np.ndarray, regrets: np.ndarray
) -> Variance:
    """Of the regret: sampling from the draws of the weighted cells, replicates from theirs."""
    used = np.flatnonzero(weights).tolist()
    mix = weights[used]

    def mixed(values: Sequence[np.ndarray], length: int) -> np.ndarray:
        return mix @ np.array(values, dtype=np.float64).reshape(len(used), length)

    draws = len(candidates[0].draws[TESTED])
    variance = variance_of(
        by_replicate=mixed([tested[i] for i in used], tested.shape[1]),
        sampling_draws=mixed([candidates[i].sampling_draws[TESTED] for i in used], draws),
        crossed_draws=mixed([candidates[i].draws[TESTED] for i in used], draws),
        clusters=int(candidates[0].estimates[TESTED]["clusters"]),
    )
    return replace(variance, replicates=replicate_variance(regrets))


def _tested(candidates: Sequence[CellResult]) -> np.ndarray:
    """Test AUROC [cells, replicates], NaN where it is not defined."""
    nothing = float("nan")
    return np.array(
        [
            [c.values.get(("test", TESTED), {}).get(int(n), nothing) for n in c.numbers]
            for c in candidates
        ]
    )
