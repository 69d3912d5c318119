"""Makes a cell of other cells: their models, combined by what they say of labelled encounters."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from concept_transfer.cohorts.budget import Budget, count_classes, draw_budget, same_for_all
from concept_transfer.cohorts.cohort import Cohort
from concept_transfer.cohorts.cross_fitting import grouped_folds
from concept_transfer.combining.candidates import Candidate, Model
from concept_transfer.combining.pool import Labelled, Pool
from concept_transfer.combining.weights import recalibrated
from concept_transfer.sites.site import Site
from concept_transfer.training.block import Block
from concept_transfer.training.predictions import NOT_ESTIMABLE, OK, Predictions, record

Combine = Callable[[Labelled, np.random.Generator], Pool]

NO_LABELS = "0"  # a target size
FEWEST_OF_A_CLASS = 3  # labels, of two classes; fewer cannot choose
DECIMALS = 3  # of a model's share
POWER = 5  # of the odds that a model ranks a pair of its source rightly
WRONG = 1e-4  # of such pairs, the least share that is told from none


@dataclass(frozen=True)
class Combined:
    """What a combination says of its labelled encounters (held [n, classes], out of fold) and of
    test encounters ([m, classes]); whether labels chose it; and the share of each model in its
    weights, by the path of its cell."""

    held: NDArray[np.float64]
    test: NDArray[np.float64]
    chosen: bool
    shares: dict[str, float]


def combined_cell(
    candidates: Sequence[Candidate],
    combine: Combine,
    cohort: Cohort,
    size: str,
    block: Block,
    classes: int,
) -> Predictions:
    """The predictions of a cell: one combination a fold and replicate.

    Besides what every record says, those of the file's metadata say whether labels have `chosen`
    among the models, and the `shares` of the models by the paths of their cells. A replicate of
    which no candidate speaks is not estimable.
    """
    predictions = Predictions(Site(cohort, {}))
    for fold in cohort.split.folds:
        budget = _budget(cohort, fold, size, block.keys)
        _, _, test = cohort.split.parts(fold)
        rows = np.concatenate([budget.train, budget.validation], axis=1)
        counts = count_classes(cohort, rows, classes)
        trained = budget.train.shape[1]
        for i, (replicate, key) in enumerate(zip(block.replicates, block.keys, strict=True)):
            rng = np.random.default_rng([key % 2**64, fold])
            made = combine_models(
                candidates, combine, cohort, size, (replicate, fold), rows[i], test, rng
            )
            held = made.held if made else np.full((len(rows[i]), classes), np.nan)
            tested = made.test if made else np.full((len(test), classes), np.nan)
            for partition, places, probability in (
                ("train", budget.train[i], held[:trained]),
                ("validation", budget.validation[i], held[trained:]),
                ("test", test, tested),
            ):
                predictions.add(replicate, fold, partition, places, probability)
            labels = counts[i] if size != NO_LABELS else np.zeros_like(counts[i])
            status = OK if made else NOT_ESTIMABLE
            used = int(labels.sum())
            said = record(replicate, fold, status, 0, used, 0, labels)
            if made:
                said |= {"chosen": made.chosen, "shares": made.shares}
            predictions.records.append(said)
    return predictions


def _budget(cohort: Cohort, fold: int, size: str, keys: list[int]) -> Budget:
    """The encounters that a size speaks of; without labels all that are not tested."""
    if size != NO_LABELS:
        return draw_budget(cohort, fold, size, keys)
    train, validation, _ = cohort.split.parts(fold)
    return Budget(same_for_all(train, len(keys)), same_for_all(validation, len(keys)))


def combine_models(
    candidates: Sequence[Candidate],
    combine: Combine,
    cohort: Cohort,
    size: str,
    model: Model,
    rows: NDArray[np.int64],
    test: NDArray[np.int64],
    rng: np.random.Generator,
) -> Combined | None:
    """The combination of a replicate and fold (`model`) for its labelled rows [n] and test rows
    [m]; None where no candidate speaks of all of them."""
    asked = np.concatenate([rows, test])
    said = {each.cell.path: each.scores(model, asked) for each in candidates}
    able = [each for each in candidates if said[each.cell.path] is not None]
    if not able:
        return None
    scores = np.stack([known for known in said.values() if known is not None])
    labelled = Labelled(
        scores[:, : len(rows)], cohort.labels[rows], cohort.split.cluster_number[rows]
    )
    unchosen = without_choice(able, model)
    fit = combine
    if size == NO_LABELS:
        fit = _average_of(unchosen)
    elif not can_choose(labelled.labels):
        fit = _recalibrated_average_of(unchosen)
    pool = fit(labelled, rng)
    return Combined(
        cross_fitted(fit, labelled, rng),
        pool.probability(scores[:, len(rows) :]),
        fit is combine,
        shares(able, pool),
    )


def shares(candidates: Sequence[Candidate], pool: Pool) -> dict[str, float]:
    """What each model has of a pool's weights, by the path of its cell; what rounds to 0 is left
    out."""
    total = pool.weights.sum()
    parts = np.round(pool.weights / (total or 1), DECIMALS).tolist()
    named = zip(candidates, parts, strict=True)
    return {each.cell.path: share for each, share in named if share}


def can_choose(labels: NDArray[np.int8]) -> bool:
    """Whether two classes have labels enough."""
    return bool(np.sort(np.bincount(labels, minlength=2))[-2] >= FEWEST_OF_A_CLASS)


def without_choice(candidates: Sequence[Candidate], model: Model) -> NDArray[np.float64]:
    """The weights of models where labels cannot choose, float64 [C]; they sum to 1.

    Models that used no label of the target count by the odds that they rank a pair of encounters of
    their source rightly, AUROC / (1 - AUROC), as a share of the best there, to a power (a Gibbs
    posterior in the odds' logarithm; compare Ridgway et al. 2014, PAC-Bayesian AUC classification
    and scoring, NIPS 27). Odds still tell models apart that all rank their source almost perfectly.
    No better than chance counts nothing where another is; one whose AUROC is not known counts as
    the best, one without a source not at all where others have one. All count alike where every
    model used some.
    """
    free = np.array([each.free for each in candidates])
    if not free.any():
        return np.full(len(candidates), 1 / len(candidates))
    area = np.array([each.source_auroc.get(model, np.nan) for each in candidates])
    odds = np.where(
        area > 0.5, area / np.maximum(1 - area, WRONG), np.where(area <= 0.5, 0.0, area)
    )
    sources = np.array([each.cell.source for each in candidates])
    if (free & (sources != "")).any():
        free = free & (sources != "")
    best = np.array([np.nanmax(odds[free & (sources == own)], initial=0.0) for own in sources])
    share = np.divide(odds, best, out=np.ones_like(best), where=best > 0)
    weights = np.where(free, np.nan_to_num(share, nan=1.0) ** POWER, 0.0)
    return np.asarray(weights / weights.sum())


def _average_of(weights: NDArray[np.float64]) -> Combine:
    def fit(labelled: Labelled, rng: np.random.Generator) -> Pool:
        return Pool(weights, np.zeros(labelled.scores.shape[2]))

    return fit


def _recalibrated_average_of(weights: NDArray[np.float64]) -> Combine:
    def fit(labelled: Labelled, rng: np.random.Generator) -> Pool:
        mean = np.tensordot(weights, labelled.scores, 1)[None]
        (slope,), (intercept,) = recalibrated(replace(labelled, scores=mean))
        return Pool(slope * weights, intercept)

    return fit


def cross_fitted(fit: Combine, labelled: Labelled, rng: np.random.Generator) -> NDArray[np.float64]:
    """Probabilities [n, classes] of each encounter by a pool fitted without its cluster's fold."""
    folds = grouped_folds(labelled.clusters, labelled.labels)
    probability = np.empty(labelled.scores.shape[1:])
    for fold in np.unique(folds):
        pool = fit(labelled.among(folds != fold), rng)
        probability[folds == fold] = pool.probability(labelled.scores[:, folds == fold])
    return probability
