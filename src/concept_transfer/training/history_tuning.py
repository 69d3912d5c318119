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
from concept_transfer.training.history_heads import Labelled, fit_heads
from concept_transfer.training.history_network import Encounters, Floats, Network, Rates, Rows

PATIENCE = 2  # epochs without a lower loss


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
    judged = np.isfinite(said[0]).all(axis=1)
    lost = [_lost(said[0], encounters, judged)]
    networks = {
        fold: Network(body, head, encounters.select(folds != fold), rates, [*seed, fold], device)
        for fold, head in (heads.of_folds.items() if epochs else ())
    }
    for epoch in range(1, epochs + 1 if networks else 1):
        said.append(np.full_like(said[0], np.nan))
        for fold, network in networks.items():
            network.learn(epoch)
            said[epoch][folds == fold] = network.predict(encounters.select(folds == fold))
        lost.append(_lost(said[epoch], encounters, judged))
        if epoch - _best(lost, judged) >= PATIENCE:
            break
    best, held = _best(lost, judged), np.full_like(said[0], np.nan)
    for fold in heads.of_folds:
        others = judged & (folds != fold)
        place = _best(lost, others) if others.any() else best
        held[folds == fold] = said[place][folds == fold]
    if best == 0:
        return Tuned(body, heads.of_all, 0, held)
    network = Network(body, heads.of_all, encounters, rates, [*seed, len(networks)], device)
    for epoch in range(1, best + 1):
        network.learn(epoch)
    tuned, head = network.model()
    whole = all(np.isfinite(weight).all() for weight in tuned.weights.values())
    return Tuned(tuned, head, best, held, not whole)


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


def _lost(said: Floats, encounters: Encounters, judged: NDArray[np.bool_]) -> Floats:
    """The weighed log loss of each encounter that is judged; infinite where a network diverged."""
    lost = np.zeros(len(said))
    each = losses(said[judged], encounters.labels[judged].astype(np.int8))
    lost[judged] = np.where(np.isfinite(each), each, np.inf) * encounters.weights[judged]
    return lost


def _best(lost: Sequence[Floats], judged: NDArray[np.bool_]) -> int:
    """The number of epochs with the least loss of some encounters."""
    return int(np.argmin([each[judged].sum() for each in lost]))
