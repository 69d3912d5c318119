"""Metrics of predicted risks: how near they are to what came."""

from __future__ import annotations

from functools import cached_property

import numpy as np

from concept_transfer.evaluation.metrics.condensed import Condensed
from concept_transfer.evaluation.metrics.record import Metric, Prevalence


class Sums:
    """Sums over encounters under many sets of weights, each [draws].

    The two calibration fits take one Newton step from the observed sample's optimum (the one-step
    bootstrap, Moulton & Zeger 1991), which is exact for the observed sample itself.
    """

    def __init__(self, condensed: Condensed, weights: np.ndarray) -> None:
        """``weights`` [units, draws]."""
        self._condensed, self._weights = condensed, weights
        self._sums = condensed.sums.astype(weights.dtype)
        whole = self._sums[:6] @ weights
        self.count, self.positives, self.squared_error, self.log_loss = whole[:4]
        self._gradient, self._curvature = whole[4:]

    @property
    def intercept(self) -> np.ndarray:
        """Calibration in the large."""
        return self._of_both_classes(self._condensed.fits[0] + self._gradient / self._curvature)

    @cached_property
    def slope(self) -> np.ndarray:
        """Of the calibration common to all folds, whose intercepts are eliminated from its step."""
        gradient, curvature = np.zeros_like(self.count), np.zeros_like(self.count)
        for members in self._condensed.members:
            g0, g1, h00, h01, h11 = self._sums[6:, members] @ self._weights[members]
            some = h00 > 0
            gradient += np.where(some, g1 - h01 * g0 / h00, 0)
            curvature += np.where(some, h11 - h01 * h01 / h00, 0)
        return self._of_both_classes(self._condensed.fits[1] + gradient / curvature)

    def _of_both_classes(self, values: np.ndarray) -> np.ndarray:
        values[(self.positives == 0) | (self.positives == self.count)] = np.nan
        return values


def brier(sums: Sums) -> np.ndarray:
    """Mean squared difference of risk and outcome."""
    return np.asarray(sums.squared_error / sums.count)


def log_loss(sums: Sums) -> np.ndarray:
    """Mean negative log likelihood, in nats."""
    return np.asarray(sums.log_loss / sums.count)


def calibration_intercept(sums: Sums) -> np.ndarray:
    """Log odds by which risks are too low; the slope is fixed at 1."""
    return sums.intercept


def calibration_slope(sums: Sums) -> np.ndarray:
    """Below 1 risks are too extreme, above 1 too timid."""
    return sums.slope


def _entropy(prevalence: Prevalence) -> float:
    shares = (prevalence.overall, 1 - prevalence.overall)
    return float(-sum(q * np.log(q) for q in shares if q > 0))


RISKS = (
    Metric(
        "brier",
        "Brier",
        about="probabilities",
        of="distribution",
        compute=brier,
        ideal=0,
        higher_is_better=False,
        bounds=(0, 1),
        no_skill=lambda prevalence: prevalence.overall * (1 - prevalence.overall),
    ),
    Metric(
        "log_loss",
        "Log loss",
        about="probabilities",
        of="distribution",
        compute=log_loss,
        ideal=0,
        higher_is_better=False,
        bounds=(0, np.inf),
        no_skill=_entropy,
    ),
    Metric(
        "calibration_intercept",
        "Calibration intercept",
        about="calibration",
        of="class",
        compute=calibration_intercept,
        ideal=0,
        higher_is_better=None,
        bounds=(-np.inf, np.inf),
        heading="Intercept",
    ),
    Metric(
        "calibration_slope",
        "Calibration slope",
        about="calibration",
        of="class",
        compute=calibration_slope,
        ideal=1,
        higher_is_better=None,
        bounds=(-np.inf, np.inf),
        heading="Slope",
    ),
)
