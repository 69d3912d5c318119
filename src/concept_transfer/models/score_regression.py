"""Multinomial regression on models' scores: no negative coefficients, all drawn to given ones."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax

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

    def fit(self) -> tuple[Array, Array]:
        """The posterior mode: intercepts [B, classes] and coefficients [B, P], none negative.

        Projected Newton's method (Bertsekas 1982, doi:10.1137/0320018) with step halving.
        """
        batch, _, classes, _ = self.features.shape
        found = np.tile(self._middle, (batch, 1))
        for _ in range(ITERATIONS):
            step = self._step(found)
            value, length = self._objective(found), np.ones((batch, 1))
            for _ in range(HALVINGS):
                tried = found - length * step
                tried[:, classes:] = np.maximum(tried[:, classes:], 0)
                worse = self._objective(tried) > value + ROUNDING * np.abs(value)
                if not worse.any():
                    break
                length[worse] /= 2
            change, found = np.abs(tried - found).max(), tried
            if change < CLOSE:
                break
        return found[:, :classes], found[:, classes:]

    @property
    def _middle(self) -> Array:
        return np.concatenate([np.zeros(self.features.shape[2]), self.centre])

    @property
    def _strength(self) -> Array:
        return np.repeat([self.intercept_precision, self.precision], self.features.shape[2:])

    def _scores(self, found: Array) -> Array:
        classes = self.features.shape[2]
        added = self.features @ found[:, None, classes:, None]
        return np.asarray(found[:, None, :classes] + added[..., 0])

    def _objective(self, found: Array) -> Array:
        """Minus the log posterior, [B]."""
        scores = self._scores(found)
        top = scores.max(axis=2)
        loss = top + np.log(np.exp(scores - top[..., None]).sum(axis=2))
        loss -= scores[:, np.arange(len(self.labels)), self.labels]
        pull = self._strength * (found - self._middle) ** 2 / 2
        return np.asarray(loss.sum(axis=1) + pull.sum(axis=1))

    def _step(self, found: Array) -> Array:
        """Newton's step of the parameters that are free to move, [B, classes + P]."""
        batch, count, classes, terms = self.features.shape
        probability = softmax(self._scores(found), axis=2)
        excess = probability - np.eye(classes)[self.labels]
        slope = self._strength * (found - self._middle)
        slope[:, :classes] += excess.sum(axis=1)
        slope[:, classes:] += np.einsum("bnk,bnkp->bp", excess, self.features)

        mean = probability[:, :, None] @ self.features
        apart = self.features - mean
        weighed = probability[..., None] * apart
        curve = np.zeros((batch, classes + terms, classes + terms))
        curve[:, :classes, :classes] = -probability.transpose(0, 2, 1) @ probability
        curve[:, classes:, :classes] = weighed.sum(axis=1).transpose(0, 2, 1)
        curve[:, :classes, classes:] = weighed.sum(axis=1)
        flat = (batch, count * classes, terms)
        curve[:, classes:, classes:] = weighed.reshape(flat).transpose(0, 2, 1) @ apart.reshape(
            flat
        )
        diagonal = np.arange(classes + terms)
        curve[:, diagonal, diagonal] += self._strength
        curve[:, diagonal[:classes], diagonal[:classes]] += probability.sum(axis=1)

        held = (found <= 0) & (slope > 0)
        held[:, :classes] = False
        slope[held] = 0
        curve = np.where(held[:, :, None] | held[:, None, :], np.eye(classes + terms), curve)
        return np.linalg.solve(curve, slope[..., None])[..., 0].astype(np.float64)
