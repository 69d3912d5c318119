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
from concept_transfer.settings.evaluation import Evaluation
from concept_transfer.study import Study


def choices_by_validation(
    study: Study, results: Results, settings: Evaluation
) -> list[dict[str, Any]]:
    """One row a target and target size: the choice, and its regret in AUROC.

    Candidates are all cells of that target and size, and the source models as they are, without
    the controls. Every replicate chooses by the AUROC on the validation labels that it may use at
    that size, with folds once a fold, because a fold's test encounters validate other folds;
    without both classes among these labels it is ``undecided``; ``chosen`` is
    the most frequent of these ``choices``. Regret is cross-fitted: a choice is compared on some
    test clusters (its fold, or a random half) with the cell that is the best on all others,
    because the best on the same data is optimistic. Its interval holds the picks fixed.
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
    picks = np.argmax(np.nan_to_num(seen, nan=-1.0), axis=0)
    picked = picks[able]
    regrets, best_share = _regrets(np.stack([c.parts for c in candidates]), picks, able)
    regret = float(np.mean(regrets))
    weights = best_share - np.bincount(picked, minlength=len(candidates)) / len(picked)
    lower, upper = plain_interval(
        regret,
        _variance(candidates, weights, tested[:, able.any(axis=1)], regrets),
        settings.confidence,
    )
    hindsight = candidates[int(np.nanargmax([c.estimate() for c in candidates]))]
    (favourite, times), *_ = Counter(picked.tolist()).most_common(1)
    return {
        "candidates": len(candidates),
        "chosen": model_name(candidates[favourite].cell),
        "chosen_by": times,
        "choices": len(picked),
        "undecided": int((~able).sum()),
        "auroc_of_choices": float(np.mean(tested[picked, np.nonzero(able)[0]])),
        "best_in_hindsight": model_name(hindsight.cell),
        "auroc_in_hindsight": hindsight.estimate(),
        "regret": regret,
        "lower": lower,
        "upper": upper,
        "flag": hindsight.estimates["auroc"]["flag"],
    }


def _seen(candidate: CellResult, size: str) -> np.ndarray:
    """AUROC on the validation labels of a size [replicates, folds]; NaN where there is none."""
    if size in candidate.sizes:
        return candidate.seen[:, candidate.sizes.index(size)]
    return np.full(candidate.seen[:, 0].shape, np.nan)


def _regrets(
    parts: np.ndarray, picks: np.ndarray, able: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Regret of every replicate that can choose, averaged over parts, and how often each cell is
    the best.

    ``parts`` [cells, replicates, parts, 2]; ``picks``, the cells chosen, and ``able``, whether
    there was a choice, [replicates, parts or 1].
    """
    means = np.nan_to_num(parts[..., 1], nan=0.0).mean(axis=1)  # a failed replicate loses
    best = np.argmax(means, axis=0)
    replicate, part = np.indices(parts.shape[1:3])
    inside = parts[..., 0]
    lost = inside[best[part], replicate, part] - inside[picks, replicate, part]
    lost = np.where(able, lost, np.nan)[able.any(axis=1)]
    share = np.bincount(best, minlength=len(parts)) / len(best)
    return np.nanmean(lost, axis=1), share


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


def _tested(candidates: Sequence[CellResult]) -> np.ndarray:
    """Test AUROC [cells, replicates], NaN where it is not defined."""
    nothing = float("nan")
    return np.array(
        [
            [c.values.get(("test", "auroc"), {}).get(int(n), nothing) for n in c.numbers]
            for c in candidates
        ]
    )
