"""Ridge logistic regression on [one-hot, E], its one penalty chosen by cross-validation.

On tokens it is the prior N(0, c (I + E E')) of their weights, the vectors E at a mean norm of 1;
the penalty is 1 / c. Penalties are compared at the slope of the held-out scores that fits best, and
the model gets that slope (van Houwelingen, le Cessie 1990, doi:10.1002/sim.4780091109): a penalty
that shrinks scores too much is not rejected for that alone. Where there are labels enough to know
better, or encounters that are never left out weigh more than the others, log odds are compared as
they are. Models without a fold have the same penalty an encounter as the model of all.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from concept_transfer.models.amplitudes import DEVIATION, USUAL_DECADE, with_slopes
from concept_transfer.models.bayesian_logistic import MOST_DENSE, columns_of
from concept_transfer.models.logistic_mode import Floats, Mode, TwoClasses, mode
from concept_transfer.models.penalties import (
    MOST_ROWS_TO_CHOOSE,
    USUAL,
    VARIANCES,
    Folds,
    judging_folds,
    thinned,
)
from concept_transfer.models.sparse_mode import sparse_mode
from concept_transfer.models.token_design import Covariance, Design, of_mean_norm_one
from concept_transfer.models.token_scores import Line


@dataclass(frozen=True)
class Chosen:
    """The place of a variance; and coefficients [fixed + 1] of the fixed columns and of what tokens
    add, None where those of the fit stay."""

    place: int
    coefficients: Floats | None = None

    @property
    def variance(self) -> float:
        return float(VARIANCES[self.place])


@dataclass(frozen=True)
class Paths:
    """What models at every variance say of encounters whose fold they lack.

    data, folds: the encounters [n]; logits: float64 [variances, n], NaN for those that are never
    left out; added: what tokens add to these, likewise; judges: folds that can choose; complete:
    False where some encounters of the folds stand for all.
    """

    data: TwoClasses
    folds: Folds
    logits: Floats
    added: Floats
    judges: list[int]
    complete: bool

    @property
    def at_best_slope(self) -> bool:
        """Whether variances are compared at their best slopes."""
        inside = self.folds >= 0
        weights = self.data.weights
        return self.complete and bool(weights[inside].sum() >= weights[~inside].sum())


def cross_fit(data: TwoClasses, folds: Folds, vectors: Floats | None) -> tuple[Line, Floats]:
    """The model of encounters, and the log odds [n] of models without an encounter's fold.

    folds: int64 [n], -1 for encounters that are never left out; vectors: [tokens, width]. The folds
    choose the penalty when left out, that of the models without a fold by the other folds.
    """
    complete = bool((folds >= 0).sum() <= MOST_ROWS_TO_CHOOSE)
    paths = paths_of(*thinned(data, folds), vectors, complete)
    held = np.full(len(data), np.nan)
    near: Mode | None = None
    for fold in np.unique(folds[folds >= 0]):
        chosen = choose(paths, [each for each in paths.judges if each != fold])
        if complete and fold in paths.judges:
            held[folds == fold] = held_out_logits(paths, chosen)[paths.folds == fold]
        else:
            held[folds == fold], near = left_out(data, folds == fold, chosen, vectors, near)
    return model(data, choose(paths, paths.judges), vectors), held


def choose(paths: Paths, judges: Sequence[int]) -> Chosen:
    """The variance that says the most of the encounters of some folds; at best slopes, which make
    many variances alike, together with its prior (that of `amplitudes`)."""
    judged = np.isin(paths.folds, judges)
    if not judged.any():
        return Chosen(USUAL)
    data = paths.data.take(judged)
    if not paths.at_best_slope:
        logits = paths.logits[:, judged]
        losses = (np.logaddexp(0, logits) - data.labels * logits) @ data.weights
        return Chosen(int(np.argmin(losses)))
    likelihood, coefficients = with_slopes(paths.added[:, judged], data)
    expected = -0.5 * ((np.log10(VARIANCES) - USUAL_DECADE) / DEVIATION) ** 2
    place = int(np.argmax(likelihood + expected))
    return Chosen(place, coefficients[place]) if coefficients[place, -1] > 0 else Chosen(USUAL)


def paths_of(data: TwoClasses, folds: Folds, vectors: Floats | None, complete: bool) -> Paths:
    """The models without each fold whose training has both classes, at every variance."""
    judges = judging_folds(data.labels, folds)
    logits, added = np.full((2, len(VARIANCES), len(data)), np.nan)
    for fold in judges:
        out = folds == fold
        rest = data.without(out)
        columns, precisions = path_of(
            design_of(rest, vectors), VARIANCES * weight_ratio(data, rest)
        )
        found: Mode | None = None
        for place, precision in enumerate(precisions):
            found = mode(rest, columns, precision, found)
            logits[place, out] = found.logits[out]
            added[place, out] = added_by(found, columns[out], rest)
    return Paths(data, folds, logits, added, judges, complete)


def weight_ratio(data: TwoClasses, rest: TwoClasses) -> float:
    """Weight of all encounters over that of the rest."""
    return float(data.weights.sum() / rest.weights.sum())


def added_by(found: Mode, columns: Floats, data: TwoClasses) -> Floats:
    """What the columns [n, c] after those of `data.fixed` add to the log odds, [n]."""
    fixed = len(data.precision)
    return np.asarray(columns[:, fixed:] @ found.coefficients[fixed:])


def held_out_logits(paths: Paths, chosen: Chosen) -> Floats:
    """At the variance and with the coefficients that were chosen, [n]."""
    if chosen.coefficients is None:
        return np.asarray(paths.logits[chosen.place])
    return stretched(paths.data, paths.added[chosen.place], chosen.coefficients)


def stretched(data: TwoClasses, added: Floats, coefficients: Floats) -> Floats:
    """Log odds [n] of encounters, of what tokens add [n] and coefficients [fixed + 1]."""
    known = data.offset + data.fixed @ coefficients[:-1]
    return np.asarray(known + coefficients[-1] * added)


def left_out(
    data: TwoClasses,
    out: NDArray[np.bool_],
    chosen: Chosen,
    vectors: Floats | None,
    near: Mode | None,
) -> tuple[Floats, Mode | None]:
    """Log odds of the encounters that are left out, bool [n]; and the mode, where it is dense."""
    rest = data.without(out)
    design = design_of(rest, vectors)
    if design.size > MOST_DENSE:
        return model(data.take(~out), chosen, vectors).logits(data.findings[out]), None
    columns, (precision,) = path_of(design, [chosen.variance * weight_ratio(data, rest)])
    found = mode(rest, columns, precision, near)
    if chosen.coefficients is None:
        return found.logits[out], found
    return stretched(data, added_by(found, columns, rest), chosen.coefficients)[out], found


def model(data: TwoClasses, chosen: Chosen, vectors: Floats | None) -> Line:
    """At the variance and with the coefficients that were chosen."""
    if chosen.coefficients is None:
        return fit_with(data, chosen.variance, vectors)
    design = design_of(data, vectors)
    weights, _ = token_weights(design, chosen.variance)
    return design.line(chosen.coefficients[-1] * weights, chosen.coefficients[:-1])


def fit_with(data: TwoClasses, variance: float, vectors: Floats | None) -> Line:
    """The mode at one variance."""
    design = design_of(data, vectors)
    return design.line(*token_weights(design, variance))


def token_weights(design: Design, variance: float) -> tuple[Floats, Floats]:
    """Of the tokens [tokens], and of the fixed columns [fixed], at the mode."""
    covariance = covariance_of(variance)
    if design.size > MOST_DENSE:
        return sparse_mode(design.data, design, covariance)
    columns, (precision,) = path_of(design, [variance])
    found = mode(design.data, columns, precision)
    weights = design.weights(found.residuals, covariance)
    return weights, found.coefficients[: len(design.data.precision)]


def path_of(design: Design, variances: Sequence[float] | Floats) -> tuple[Floats, Floats]:
    """Columns [n, c] of the log odds, and the precisions of their coefficients at each variance."""
    columns, precision = columns_of(design, covariance_of(1))
    fixed = len(design.data.precision)
    return columns, np.stack(
        [np.append(precision[:fixed], precision[fixed:] / each) for each in variances]
    )


def design_of(data: TwoClasses, vectors: Floats | None) -> Design:
    tokens = data.findings.shape[1]
    return Design.of(data, np.ones(tokens), of_mean_norm_one(vectors, tokens))


def covariance_of(variance: float) -> Covariance:
    """c (I + E E')."""
    return Covariance(2 * variance, 0.5)
