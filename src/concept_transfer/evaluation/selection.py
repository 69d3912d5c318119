"""What validation data would have chosen on a target, and what that choice costs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from concept_transfer.evaluation.cells import model_name
from concept_transfer.evaluation.contrasts import parent_of
from concept_transfer.evaluation.intervals import Variance, plain_interval, variance_of
from concept_transfer.evaluation.results import CellResult, Results
from concept_transfer.study import Evaluation, Study


def choices_by_validation(
    study: Study, results: Results, settings: Evaluation
) -> list[dict[str, Any]]:
    """One row a target and target size: the choice, and its regret in AUROC.

    Candidates are all cells of that target and size, and the source models as they are, without
    the controls. Every replicate chooses by the validation AUROC that it would have seen itself;
    ``chosen`` is the most frequent choice. Regret is cross-fitted: the best cell in hindsight is
    picked on one random half of the test clusters and compared with the choices on the other
    half, because the best on the same data is optimistic. Its interval holds the picks fixed.
    """
    rows = []
    for target in dict.fromkeys(cell.target for cell in results):
        for size in map(str, study.target_sizes):
            candidates = [
                result
                for cell, result in results.items()
                if cell.target == target
                and cell.size in (size, "0")
                and parent_of(study, cell.embedding) is None
            ]
            row = _choice(candidates, settings) if candidates else None
            if row:
                rows.append({"target": target, "size": size, **row})
    return rows


def _choice(candidates: Sequence[CellResult], settings: Evaluation) -> dict[str, Any] | None:
    """None where no replicate has validation data of both classes."""
    seen = _by_replicate(candidates, "validation")
    tested = _by_replicate(candidates, "test")
    seen[np.isnan(tested)] = np.nan
    able = ~np.isnan(seen).all(axis=0)
    if not able.any():
        return None
    seen, tested = seen[:, able], tested[:, able]
    picks = np.nanargmax(seen, axis=0)
    regrets, best_share = _regrets(np.stack([c.halves[able] for c in candidates]), picks)
    regret = float(np.mean(regrets))
    weights = best_share - np.bincount(picks, minlength=len(candidates)) / len(picks)
    lower, upper = plain_interval(
        regret, _variance(candidates, weights, tested, regrets), settings.confidence
    )
    hindsight = candidates[int(np.nanargmax([c.estimate() for c in candidates]))]
    (favourite, times), *_ = Counter(picks.tolist()).most_common(1)
    return {
        "candidates": len(candidates),
        "chosen": model_name(candidates[favourite].cell),
        "chosen_by": times,
        "replicates": int(able.sum()),
        "undecided": int((~able).sum()),
        "auroc_of_choices": float(np.mean(tested[picks, np.arange(len(picks))])),
        "best_in_hindsight": model_name(hindsight.cell),
        "auroc_in_hindsight": hindsight.estimate(),
        "regret": regret,
        "lower": lower,
        "upper": upper,
        "flag": hindsight.estimates["auroc"]["flag"],
    }


def _regrets(halves: np.ndarray, picks: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Each replicate's regret, averaged over halvings, and how often each cell is the best.

    ``halves`` [cells, replicates, halvings, 2], ``picks`` [replicates]: the cells chosen.
    """
    means = np.nan_to_num(halves, nan=0.0).mean(axis=1)  # a failed replicate cannot be the best
    best = np.argmax(means, axis=0)
    other = halves[..., ::-1]
    halving, half = np.indices(best.shape)
    of_best = other[best, :, halving, half]
    of_picks = other[picks, np.arange(len(picks))].transpose(1, 2, 0)
    share = np.bincount(best.ravel(), minlength=len(halves)) / best.size
    return np.nanmean(of_best - of_picks, axis=(0, 1)), share


def _variance(
    candidates: Sequence[CellResult], weights: np.ndarray, tested: np.ndarray, regrets: np.ndarray
) -> Variance:
    """Of the regret: sampling from the draws of the weighted cells, replicates from theirs."""
    used = np.flatnonzero(weights).tolist()
    mix = weights[used]

    def mixed(values: Sequence[np.ndarray], length: int) -> np.ndarray:
        return mix @ np.array(values, dtype=np.float64).reshape(len(used), length)

    draws = len(candidates[0].draws["auroc"])
    variance = variance_of(
        by_replicate=mixed([tested[i] for i in used], tested.shape[1]),
        sampling_draws=mixed([candidates[i].sampling_draws["auroc"] for i in used], draws),
        crossed_draws=mixed([candidates[i].draws["auroc"] for i in used], draws),
        clusters=int(candidates[0].estimates["auroc"]["clusters"]),
    )
    repeats = len(regrets)
    spread = float(np.var(regrets, ddof=1) / repeats) if repeats > 1 else 0.0
    return replace(variance, replicates=spread)


def _by_replicate(candidates: Sequence[CellResult], partition: str) -> np.ndarray:
    """AUROC [cells, replicates], NaN where it is not defined."""
    nothing = float("nan")
    return np.array(
        [
            [c.values.get((partition, "auroc"), {}).get(int(n), nothing) for n in c.numbers]
            for c in candidates
        ]
    )
