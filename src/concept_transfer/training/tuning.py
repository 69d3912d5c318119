"""Tunes networks with their heads, of histories or of documents: those of all folds epoch by epoch,
then that of all examples for as many epochs as the folds choose."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from concept_transfer.models.baselines import losses
from concept_transfer.models.recalibration import Recalibration, recalibrated

PATIENCE = 1  # epochs without a lower loss

Floats = NDArray[np.float64]
Rows = NDArray[np.int64]


class Network(Protocol):
    """What reads examples, and a head, which each epoch of learning changes."""

    def learn(self, epoch: int) -> None:
        """One epoch, from 1."""
        ...

    def predict(self, examples: Any) -> Floats:
        """Probabilities [n, classes]."""
        ...

    def model(self) -> tuple[Any, Any]:
        """The body, whose `weights` are by name, and the head that it has become."""
        ...


class Heads(Protocol):
    """Heads on a body as it is: without each fold, and of all examples."""

    @property
    def of_folds(self) -> Mapping[int, Any]: ...
    @property
    def of_all(self) -> Any: ...


@dataclass(frozen=True)
class Tuned:
    """A model of all examples, after how many epochs, and what models without a fold say of it:
    held float64 [n, classes], NaN where none does; diverged: whether its weights are no numbers."""

    body: Any
    head: Any
    epochs: int
    held: Floats
    diverged: bool = False


def tune(
    begin: Callable[[Any, Any, int], Network],
    body: Any,
    heads: Heads,
    held: Floats,
    examples: Any,
    folds: Rows,
    epochs: int,
    fewest: int = 0,
) -> Tuned:
    """Tune for `fewest` to `epochs` epochs from heads on the body as it is.

    begin: a network of a head, the examples that it learns from and the number of its draws; held:
    what heads without a fold say of it; folds: int64 [n], -1 for examples that are never left out.
    How many epochs is chosen by the log loss of those in folds; for what is said of a fold by that
    of the other folds (Varma, Simon 2006, doi:10.1186/1471-2105-7-91).
    """
    said = [held]
    known = np.asarray(np.isfinite(held).all(axis=1))
    judge = Judge(examples.labels.astype(np.int8), folds, known, fewest)
    networks = {
        fold: begin(head, examples.select(folds != fold), fold)
        for fold, head in (heads.of_folds.items() if epochs else ())
    }
    if not networks:
        return Tuned(body, heads.of_all, 0, held)
    for epoch in range(1, epochs + 1):
        said.append(np.full_like(held, np.nan))
        for fold, network in networks.items():
            network.learn(epoch)
            said[epoch][folds == fold] = network.predict(examples.select(folds == fold))
        if epoch >= fewest and epoch - judge.best(said) >= PATIENCE:
            break
    best = judge.best(said)
    if best == 0:
        return Tuned(body, heads.of_all, 0, judge.held(said))
    network = begin(heads.of_all, examples, len(networks))
    for epoch in range(1, best + 1):
        network.learn(epoch)
    tuned, head = network.model()
    whole = all(np.isfinite(weight).all() for weight in tuned.weights.values())
    change = judge.change(said[best])
    return Tuned(tuned, head.recalibrated(change), best, judge.held(said), not whole)


@dataclass(frozen=True)
class Judge:
    """Compares epochs by what networks without a fold say of it, each epoch at its best intercepts
    and slope (van Houwelingen, le Cessie 1990, doi:10.1002/sim.4780091109): tuning changes how far
    scores spread before it ranks better.

    labels, folds: [n]; known: bool [n], who is judged; fewest: epochs that every choice has.
    """

    labels: NDArray[np.int8]
    folds: Rows
    known: NDArray[np.bool_]
    fewest: int = 0

    def change(self, said: Floats, without: int | None = None) -> Recalibration:
        """What makes an epoch's probabilities fit best, by all folds but one."""
        judged = self.known & (self.folds != without)
        return recalibrated(said[judged], self.labels[judged], slope=True)

    def best(self, said: Sequence[Floats], without: int | None = None) -> int:
        """The number of epochs with the least loss, of all folds but one; none that diverged."""
        judged = self.known & (self.folds != without)
        lost = [np.inf] * len(said)
        for place, each in enumerate(said):
            if place >= self.fewest and np.isfinite(each[judged]).all():
                fitting = self.change(each, without)(each[judged])
                lost[place] = losses(fitting, self.labels[judged]).sum()
        return int(np.argmin(lost))

    def held(self, said: Sequence[Floats]) -> Floats:
        """What is said of every fold, as the other folds choose; of one fold, as it chooses."""
        found = np.full_like(said[0], np.nan)
        folds = np.unique(self.folds[self.known]).tolist()
        for fold in folds:
            without, own = fold if len(folds) > 1 else None, self.folds == fold
            place = self.best(said, without)
            found[own] = said[place][own]
            if place > 0:
                found[own] = self.change(said[place], without)(said[place][own])
        return found
