"""Tunes encoders of histories with their heads: those of all folds epoch by epoch, then that of
all encounters for as many epochs as the folds choose."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from concept_transfer.models.baselines import losses
from concept_transfer.models.history_models import Body
from concept_transfer.models.multinomial import Multinomial
from concept_transfer.models.recalibration import Recalibration, recalibrated
from concept_transfer.training.history_heads import Labelled, fit_heads
from concept_transfer.training.history_network import Encounters, Floats, Network, Rates, Rows

PATIENCE = 1  # epochs without a lower loss


@dataclass(frozen=True)
class Tuned:
    """A model of all encounters, after how many epochs, and what models without a fold say of it:
    held float64 [n, classes], NaN where none does; diverged: whether its weights are no numbers."""

    body: Body
    head: Multinomial
    epochs: int
    held: Floats
    diverged: bool = False


def tune(
    body: Body,
    prior: Multinomial | None,
    encounters: Encounters,
    classes: int,
    folds: Rows,
    rates: Rates,
    epochs: int,
    seed: Sequence[int],
    device: str,
) -> Tuned:
    """Fit a head on the encoder as it is, then tune both for 0 to `epochs` epochs.

    prior: the head that was handed on, None for an untrained one; folds: int64 [n], -1 for
    encounters that are never left out. How many epochs is chosen by the log loss of those in folds;
    for what is said of a fold by that of the other folds (Varma, Simon 2006,
    doi:10.1186/1471-2105-7-91).
    """
    features = features_by(body, encounters, device)
    labels = encounters.labels.astype(np.int8)
    heads = fit_heads(Labelled(features, labels, encounters.weights, classes, prior), folds)
    said = [np.full((len(folds), classes), np.nan)]
    for fold, head in heads.of_folds.items():
        said[0][folds == fold] = head.predict_proba(features[folds == fold])
    judge = Judge(labels, folds, np.isfinite(said[0]).all(axis=1))
    networks = {
        fold: Network(body, head, encounters.select(folds != fold), rates, [*seed, fold], device)
        for fold, head in (heads.of_folds.items() if epochs else ())
    }
    for epoch in range(1, epochs + 1 if networks else 1):
        said.append(np.full_like(said[0], np.nan))
        for fold, network in networks.items():
            network.learn(epoch)
            said[epoch][folds == fold] = network.predict(encounters.select(folds == fold))
        if epoch - judge.best(said) >= PATIENCE:
            break
    best = judge.best(said)
    held = judge.held(said)
    if best == 0:
        return Tuned(body, heads.of_all, 0, held)
    network = Network(body, heads.of_all, encounters, rates, [*seed, len(networks)], device)
    for epoch in range(1, best + 1):
        network.learn(epoch)
    tuned, head = network.model()
    whole = all(np.isfinite(weight).all() for weight in tuned.weights.values())
    return Tuned(tuned, head.recalibrated(judge.change(said[best])), best, held, not whole)


@dataclass(frozen=True)
class Judge:
    """Compares epochs by what networks without a fold say of it, each epoch at its best intercepts
    and slope (van Houwelingen, le Cessie 1990, doi:10.1002/sim.4780091109): tuning changes how far
    scores spread before it ranks better.

    labels, folds: [n]; known: bool [n], who is judged.
    """

    labels: NDArray[np.int8]
    folds: Rows
    known: NDArray[np.bool_]

    def change(self, said: Floats, without: int | None = None) -> Recalibration:
        """What makes an epoch's probabilities fit best, by all folds but one."""
        judged = self.known & (self.folds != without)
        return recalibrated(said[judged], self.labels[judged], slope=True)

    def best(self, said: Sequence[Floats], without: int | None = None) -> int:
        """The number of epochs with the least loss, of all folds but one; none that diverged."""
        judged = self.known & (self.folds != without)
        lost = [np.inf] * len(said)
        for place, each in enumerate(said):
            if np.isfinite(each[judged]).all():
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


def features_by(body: Body, encounters: Encounters, device: str) -> Floats:
    """What a body reads of encounters, [n, features]."""
    parts = [
        body.features(sequences.history, encounters.rows[encounters.part == number], device)
        for number, sequences in enumerate(encounters.parts)
    ]
    found = np.empty((len(encounters.rows), parts[0].shape[1]))
    for number, features in enumerate(parts):
        found[encounters.part == number] = features
    return found
