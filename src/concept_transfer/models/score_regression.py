"""Multinomial regression on models' scores: no negative coefficients, all drawn to given ones."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

ITERATIONS = 50
HALVINGS = 30
CLOSE = 1e-7  # change of the parameters at which they are found
ROUNDING = 1e-12  # of the objective, relative
INTERCEPT = 2.0  # precision of a class's intercept: the log odds of two classes then vary by 1

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Regression:
    """B regressions of the same labels.

    features: float64 [B, n, classes, P]; labels: int8 [n]. A class's score is its intercept plus
    its features times the coefficients. The coefficients are normal about `centre` [P] with a
    `precision`, the intercepts about 0.
    """

    features: Array
    labels: NDArray[np.int8]
    centre: Array
    precision: float
    intercept_precision: float = INTERCEPT

    def fit(self, start: Array | None = None) -> tuple[Array, Array]:
        """The posterior mode: intercepts [B, classes] and coefficients [B, P], none negative.

        Projected Newton's method (Bertsekas 1982, doi:10.1137/0320018) with step halving, on
        differences from the first class: at the mode the intercepts sum to 0. start: coefficients
        [P] to begin with, the centre if None.
        """
        batch, _, classes, _ = self.features.shape
        found = np.tile(self._middle, (batch, 1))
        if start is not None:
            found[:, classes - 1 :] = start
        value = self._objective(found)
        for _ in range(ITERATIONS):
            step, length = self._step(found), np.ones((batch, 1))
            for _ in range(HALVINGS):
                tried = found - length * step
                tried[:, classes - 1 :] = np.maximum(tried[:, classes - 1 :], 0)
                reached = self._objective(tried)
                worse = reached > value + ROUNDING * np.abs(value)
                if not worse.any():
                    break
                length[worse] /= 2
            change, found, value = np.abs(tried - found).max(), tried, reached
            if change < CLOSE:
                break
        intercepts = np.concatenate([np.zeros((batch, 1)), found[:, : classes - 1]], axis=1)
        return intercepts - intercepts.mean(axis=1, keepdims=True), found[:, classes - 1 :]

    @cached_property
    def _contrasts(self) -> list[Array]:
        """What every class but the first has more of the features than that, [B, n, P] each."""
        return [
            np.subtract(self.features[:, :, k], self.features[:, :, 0], order="C")
            for k in range(1, self.features.shape[2])
        ]

    @property
    def _middle(self) -> Array:
        return np.concatenate([np.zeros(len(self._contrasts)), self.centre])

    @cached_property
    def _strength(self) -> Array:
        """Precision matrix of differences of intercepts, and coefficients."""
        own, terms = len(self._contrasts), len(self.centre)
        matrix = np.diag(np.repeat([self.intercept_precision, self.precision], [own, terms]))
        matrix[:own, :own] -= self.intercept_precision / (own + 1)
        return matrix

    def _scores(self, found: Array) -> Array:
        """Of all classes but the first, whose score is 0: [classes - 1, B, n]."""
        own = len(self._contrasts)
        coefficients = found[:, own:, None]
        return np.stack(
            [(x @ coefficients)[..., 0] + found[:, k, None] for k, x in enumerate(self._contrasts)]
        )

    def _objective(self, found: Array) -> Array:
        """Minus the log posterior, [B]."""
        scores = self._scores(found)
        loss = _log_sum(scores)
        for k, each in enumerate(scores):
            loss -= each * (self.labels == k + 1)
        away = found - self._middle
        return np.asarray(loss.sum(axis=1) + ((away @ self._strength) * away).sum(axis=1) / 2)

    def _step(self, found: Array) -> Array:
        """Newton's step of the parameters that are free to move, [B, classes - 1 + P]."""
        own, size = len(self._contrasts), found.shape[1]
        scores = self._scores(found)
        probability = np.exp(scores - _log_sum(scores))
        slope = (found - self._middle) @ self._strength
        curve = np.tile(self._strength, (len(found), 1, 1))
        mean = np.zeros_like(self._contrasts[0])
        for k, x in enumerate(self._contrasts):
            excess = probability[k] - (self.labels == k + 1)
            slope[:, k] += excess.sum(axis=1)
            slope[:, own:] += (excess[:, None] @ x)[:, 0]
            weighed = probability[k][..., None] * x
            mean += weighed
            curve[:, own:, own:] += weighed.mT @ x
            curve[:, k, k] += probability[k].sum(axis=1)
            curve[:, k, own:] += weighed.sum(axis=1)
        for k, each in enumerate(probability):
            curve[:, k, :own] -= (each[:, None] @ probability.transpose(1, 2, 0))[:, 0]
            curve[:, k, own:] -= (each[:, None] @ mean)[:, 0]
        curve[:, own:, own:] -= mean.mT @ mean
        curve[:, own:, :own] = curve[:, :own, own:].mT
        held = (found <= 0) & (slope > 0)
        held[:, :own] = False
        slope[held] = 0
        curve = np.where(held[:, :, None] | held[:, None, :], np.eye(size), curve)
        return np.linalg.solve(curve, slope[..., None])[..., 0].astype(np.float64)


def _log_sum(scores: Array) -> Array:
    """Log of the sum of the exponentials of scores [classes - 1, B, n] and of a score of 0."""
    top = np.maximum(scores.max(axis=0), 0)
    total = np.exp(-top) + sum(np.exp(each - top) for each in scores)
    return np.asarray(top + np.log(total))
