"""Findings as columns of a regression whose prior covariance knows the tokens' vectors."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_solve, cholesky
from scipy.sparse import csr_array, diags_array

from concept_transfer.models.logistic_mode import Floats, Mode, TwoClasses, mode
from concept_transfer.models.token_scores import Line

JITTER = 1e-9  # of the mean variance: the Cholesky factor of a covariance that lacks rank


@dataclass(frozen=True)
class Covariance:
    """Of the weights of scaled tokens: amplitude * ((1 - share) I + share E E')."""

    amplitude: float
    share: float


@dataclass(frozen=True)
class Design:
    """The scaled findings of encounters, less what intercept and handed-on model foretell of them.

    null: the mode without findings; scale: [tokens], what findings are divided by; vectors:
    E [tokens, width]; tokens: int64 [p], those that occur; foretelling: [fixed, n], gives the
    coefficients of `data.fixed` that foretell a column [n], weighted as at the null mode.
    """

    data: TwoClasses
    null: Mode
    scale: Floats
    vectors: Floats
    tokens: NDArray[np.int64]
    foretelling: Floats

    @classmethod
    def of(cls, data: TwoClasses, scale: Floats, vectors: Floats) -> Design:
        null = mode(data, data.fixed, data.precision)
        foretelling = cho_solve(null.factor, (data.fixed * null.curvature[:, None]).T)
        tokens = np.flatnonzero(data.findings.sum(axis=0))
        return cls(data, null, scale, vectors, tokens, foretelling)

    @cached_property
    def scaled(self) -> csr_array:
        """Findings of the tokens that occur, [n, p]."""
        scales = diags_array(1 / self.scale[self.tokens])
        return csr_array(self.data.findings[:, self.tokens] @ scales)

    @cached_property
    def foretold(self) -> Floats:
        """Coefficients of `data.fixed` that foretell each token, [fixed, tokens]."""
        return np.asarray((self.data.findings.T @ self.foretelling.T).T)

    @cached_property
    def is_dual(self) -> bool:
        """Whether encounters are fewer than tokens."""
        return len(self.data) < len(self.tokens)

    @property
    def size(self) -> int:
        """Numbers of a root."""
        return len(self.data) * min(len(self.data), len(self.tokens))

    def root(self, share: float) -> Floats:
        """Columns [n, min(n, p)] whose outer products are the prior covariance of the encounters'
        log odds at amplitude 1."""
        own, common = self._covariances
        covariance = (1 - share) * own + share * common
        size = len(covariance)
        covariance[np.diag_indices(size)] += JITTER * covariance.trace() / size
        factor = cholesky(covariance, lower=True, check_finite=False)
        return np.asarray(factor if self.is_dual else self._centred @ factor)

    def weights(self, residuals: Floats, covariance: Covariance) -> Floats:
        """Of the findings as they are, [tokens], at a mode with residuals [n]."""
        total = self.data.fixed.T @ residuals
        pull = (self.data.findings.T @ residuals - self.foretold.T @ total) / self.scale
        common = self.vectors @ (self.vectors.T @ pull)
        weights = (1 - covariance.share) * pull + covariance.share * common
        return np.asarray(covariance.amplitude * weights / self.scale)

    def line(self, weights: Floats, coefficients: Floats) -> Line:
        """The model whose tokens add weights [tokens], less what the fixed columns foretell of
        that, to what coefficients [fixed] make of these."""
        return self.data.line(weights, coefficients - self.foretold @ weights)

    @cached_property
    def _centred(self) -> Floats:
        return self._centre(self.scaled.toarray())

    @cached_property
    def _covariances(self) -> tuple[Floats, Floats]:
        """I and E E', of the tokens [p, p], or as a covariance of the encounters [n, n]."""
        vectors = self.vectors[self.tokens]
        if not self.is_dual:
            return np.eye(len(self.tokens)), vectors @ vectors.T
        overlap = self._centre(self._centre((self.scaled @ self.scaled.T).toarray()).T)
        mapped = self._centre(self.scaled @ vectors)
        return overlap, mapped @ mapped.T

    def _centre(self, columns: Floats) -> Floats:
        return np.asarray(columns - self.data.fixed @ (self.foretelling @ columns))


def pareto_scale(findings: csr_array) -> Floats:
    """Square root of twice each token's standard deviation [tokens], as if one encounter more had
    it and one more had it not (van den Berg et al. 2006, doi:10.1186/1471-2164-7-142)."""
    share = (findings.sum(axis=0) + 1) / (findings.shape[0] + 2)
    return np.asarray((4 * share * (1 - share)) ** 0.25)


def of_mean_norm_one(vectors: Floats | None, tokens: int) -> Floats:
    """Vectors [tokens, width] at a mean norm of 1; rows without a vector are zero and do not count.

    Without vectors: zeros [tokens, 1].
    """
    if vectors is None:
        return np.zeros((tokens, 1))
    norms = np.linalg.norm(vectors, axis=1)
    return vectors / norms[norms > 0].mean() if norms.any() else vectors


def centred(vectors: Floats | None) -> Floats | None:
    """Vectors [tokens, width] about their mean; rows of zeros stay so."""
    if vectors is None or not vectors.any():
        return vectors
    known = np.asarray(vectors.any(axis=1))
    return np.where(known[:, None], vectors - vectors[known].mean(axis=0), 0.0)
