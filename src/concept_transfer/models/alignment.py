"""Alignment of second moments: CORAL (Sun, Feng, Saenko 2016, AAAI, arXiv 1511.05547).

The paper maps the source's features x to those of the target, x C_s^(-1/2) C_t^(1/2), and trains a
linear model on them. Here a linear model that is trained stays, and the target's features are
mapped to the source's by the inverse: what is predicted is the same, since a linear model follows
any linear map of its features, up to its penalty.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Moments:
    """Mean [features] and covariance [features, features], over encounters."""

    mean: Floats
    covariance: Floats

    @classmethod
    def of(cls, count: int, sums: Floats, products: Floats) -> Moments:
        """From the features' sums [features] and products [features, features] over `count`."""
        mean = sums / count
        return cls(mean, products / count - np.outer(mean, mean))


@dataclass(frozen=True)
class Affine:
    """Features x [n, features] become ``x @ matrix + shift``."""

    matrix: Floats
    shift: Floats


def coral(source: Moments, target: Moments, identity: float) -> Affine:
    """What gives the target's features the covariance of the source's, and leaves their mean.

    Both covariances have the identity added, times `identity` and the mean variance of a feature at
    both sites (the paper adds the identity to features of variance 1).
    """
    variance = np.trace(source.covariance + target.covariance) / 2 / len(source.mean)
    ridge = identity * variance * np.eye(len(source.mean))
    matrix = power(target.covariance + ridge, -0.5) @ power(source.covariance + ridge, 0.5)
    return Affine(matrix, target.mean - target.mean @ matrix)


def power(matrix: Floats, exponent: float) -> Floats:
    """Of a symmetric positive definite matrix."""
    from scipy.linalg import eigh

    values, vectors = eigh(matrix, check_finite=False)
    return np.asarray((vectors * values**exponent) @ vectors.T)
