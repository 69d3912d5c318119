"""Learners that are linear in tokens, at work on the replicates of a context."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from concept_transfer.learners.learner import Context, CrossFitted, Fitted
from concept_transfer.models.baselines import Examples
from concept_transfer.models.logistic_mode import Floats, TwoClasses
from concept_transfer.models.one_vs_rest import cross_fit_all
from concept_transfer.models.penalties import Folds
from concept_transfer.models.token_scores import Line, TokenScores
from concept_transfer.progress import Progress
from concept_transfer.settings.training import Training
from concept_transfer.strategies.strategy import Part, Plan
from concept_transfer.training.one_by_one import Stack, StackedModels, balance, weights_of

# Fits the log odds of encounters of two classes, from (data, folds, vectors): the line, and the log
# odds [n] of lines without an encounter's fold. folds: int64 [n], NaN for those of -1, which are
# never left out; vectors: [tokens, width], or None.
LineLearner = Callable[[TwoClasses, Folds, Floats | None], tuple[Line, Floats]]


@dataclass(frozen=True)
class Problem:
    """What one replicate learns from: its encounters with weights and folds [n], the vectors of
    tokens, and the model that was handed on."""

    train: Examples
    weights: Floats
    folds: Folds
    vectors: Floats | None
    prior: Any


# From a problem and the number of classes: the model, and probabilities [n, classes] by models
# without an encounter's fold.
Solve = Callable[[Problem, int], tuple[Any, Floats]]


def one_vs_rest(learner: LineLearner) -> Solve:
    """A line of every class, against the rest."""

    def solve(problem: Problem, classes: int) -> tuple[TokenScores, Floats]:
        def cross_fit(data: TwoClasses, folds: Folds) -> tuple[Line, Floats]:
            return learner(data, folds, problem.vectors)

        known = problem.train, problem.weights, problem.folds
        return cross_fit_all(cross_fit, *known, classes, problem.prior)

    return solve


class TokenLines(StackedModels):
    """Fits a model for every distinct problem.

    A plan's `start` is taken as the prior mean. Training and validation encounters are one.
    """

    def __init__(self, solve: Solve, context: Context, model: type[Any] = TokenScores) -> None:
        """model: what `solve` makes."""
        super().__init__(model, context)
        self.solve = solve

    def cross_fit(self, plan: Plan, training: Training, folds: Folds) -> CrossFitted:
        count = folds.shape[1]
        others = sum(part.rows.shape[1] for part in plan.train[1:])
        padded = np.pad(folds, ((0, 0), (0, others)), constant_values=-1)
        results, of = self._solve(plan.train, padded, plan, training)
        held = np.stack([results[place][1][:count] for place in of])
        return CrossFitted(fitted([model for model, _ in results], of), held)

    def _solve(
        self,
        parts: list[Part] | tuple[Part, ...],
        folds: Folds,
        plan: Plan,
        training: Training,
    ) -> tuple[list[tuple[Any, Floats]], list[int]]:
        """The results of all distinct problems, and for each replicate the place of its own."""
        places: dict[tuple[bytes | int, ...], int] = {}
        results, of = list[tuple[Any, Floats]](), list[int]()
        progress = Progress("fits", len(folds))
        balanced = training.class_weight == "balanced"
        for i in range(len(folds)):
            rows = [part.rows[i] for part in parts]
            model = plan.start.of[i] if plan.start else 0
            key = (*(each.tobytes() for each in rows), folds[i].tobytes(), self._table(i), model)
            if key not in places:
                places[key] = len(results)
                weighed = [(part.site, r, part.weight) for part, r in zip(parts, rows, strict=True)]
                train = self._examples(weighed)
                weights = weights_of(weighed)
                if balanced:
                    weights = weights * balance(train.labels, self.context.classes)
                prior = plan.start.models[model] if plan.start else None
                problem = Problem(train, weights, folds[i], self._vectors(i), prior)
                results.append(self.solve(problem, self.context.classes))
            of.append(places[key])
            progress.advance()
        return results, of

    def _table(self, replicate: int) -> int:
        """The place of the table that a replicate's tokens have their vectors from."""
        vectors = self.context.vectors
        return replicate if vectors is not None and vectors.ndim == 3 else 0

    def _vectors(self, replicate: int) -> Floats | None:
        vectors = self.context.vectors
        if vectors is None:
            return None
        own = vectors[replicate] if vectors.ndim == 3 else vectors
        return own.astype(np.float64)


def fitted(models: list[Any], of: list[int]) -> Fitted:
    return Fitted(Stack(tuple(models), tuple(of)), [0] * len(of), [False] * len(of))
