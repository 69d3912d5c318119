"""Where untrained networks begin (training/base_rates.py)."""

import numpy as np
import torch
from engine_data import dataset, keys, random_encounters

from concept_transfer.models.cnn import predict
from concept_transfer.training.base_rates import at_base_rates
from concept_transfer.training.draws import initial_weights

CLASSES, REPLICATES, EACH, ENCOUNTERS = 3, 2, 2, 40


def test_a_network_without_features_gives_the_shares_of_what_it_trains_on():
    rng = np.random.default_rng(0)
    encounters = random_encounters(ENCOUNTERS, 5, 4, seed=1)
    labels = rng.integers(CLASSES, size=ENCOUNTERS).tolist()
    data = dataset(encounters, labels, torch.from_numpy(rng.random(ENCOUNTERS)).float())
    rows = torch.stack([torch.randperm(ENCOUNTERS)[:30] for _ in range(REPLICATES)])
    trained = torch.from_numpy(rng.random((REPLICATES * EACH, 30)) < 0.7)
    weights = initial_weights(keys(*range(REPLICATES * EACH)), 4, 3, CLASSES)
    weights.linear.zero_()
    started = at_base_rates(weights, data, rows, trained)
    probability = predict(started, torch.zeros(5, 4), data, torch.arange(3))
    for network in range(REPLICATES * EACH):
        own = rows[network // EACH][trained[network]]
        counted = np.array(
            [data.weights[own][data.labels[own] == k].sum() + 1 for k in range(CLASSES)]
        )
        expected = np.tile(counted / counted.sum(), (3, 1))
        np.testing.assert_allclose(probability[network], expected, rtol=1e-5)
