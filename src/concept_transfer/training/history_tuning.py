"""Tunes encoders of histories with their heads."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from concept_transfer.models.history_models import Body
from concept_transfer.models.multinomial import Multinomial
from concept_transfer.training.history_heads import Labelled, fit_heads
from concept_transfer.training.history_network import Encounters, Floats, Network, Rates, Rows
from concept_transfer.training.tuning import Tuned
from concept_transfer.training.tuning import tune as tune_any


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
    encounters that are never left out.
    """
    features = features_by(body, encounters, device)
    labels = encounters.labels.astype(np.int8)
    heads = fit_heads(Labelled(features, labels, encounters.weights, classes, prior), folds)
    held = np.full((len(folds), classes), np.nan)
    for fold, head in heads.of_folds.items():
        held[folds == fold] = head.predict_proba(features[folds == fold])

    def begin(head: Multinomial, learned: Encounters, number: int) -> Network:
        return Network(body, head, learned, rates, [*seed, number], device)

    return tune_any(begin, body, heads, held, encounters, folds, epochs)


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
