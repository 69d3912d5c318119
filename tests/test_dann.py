"""Domain-adversarial training: against a plain torch model with a gradient reversal function."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from cell_data import from_source, workbench
from engine_data import dataset, keys, random_encounters, reference_batches, training
from plain_reference import PlainCNN
from test_cells import BLOCK, SETTINGS, TOKENS, VECTORS, folded_site, probabilities, target_site
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from concept_transfer.inputs.rows import CompressedRows
from concept_transfer.sites.site import Site
from concept_transfer.strategies.strategy import Adversary, Part, Plan
from concept_transfer.training.adversary import Domains, Opponent, growth
from concept_transfer.training.batches import Batches
from concept_transfer.training.concept_cnn import _encounters_of
from concept_transfer.training.draws import ADVERSARY, hashes, initial_weights
from concept_transfer.training.engine import Tuning, body_for, trained_weights
from concept_transfer.training.trainer import Trainer

BENCH = workbench(BLOCK, VECTORS)
SOURCE = target_site("source", 600, seed=1)
STEPS, STRENGTH = 14, 0.7


class Reversal(torch.autograd.Function):
    """The identity, whose gradient is multiplied by minus the strength (Ganin et al. 2016)."""

    @staticmethod
    def forward(context: Any, features: Tensor, strength: float) -> Tensor:
        context.strength = strength
        return features.view_as(features)

    @staticmethod
    def backward(context: Any, gradient: Tensor) -> tuple[Tensor, None]:
        return -context.strength * gradient, None


class Adversarial(PlainCNN):
    """The plain model, and a linear layer that tells sites apart by its pooled features."""

    def __init__(self, vectors: Tensor, filters: int, start: Any, opponent: Tensor) -> None:
        super().__init__(vectors, filters, start)
        self.opponent = nn.Linear(filters, 2, dtype=torch.float64)
        with torch.no_grad():
            self.opponent.weight.copy_(opponent[: 2 * filters].view(2, filters))
            self.opponent.bias.copy_(opponent[2 * filters :])

    def features(self, tokens: Tensor) -> Tensor:
        activated = self.convolution(self.embedding(tokens).transpose(1, 2)).relu()
        return activated.masked_fill((tokens == self.padding)[:, None], 0).max(2).values


@pytest.mark.parametrize("width", [4, 30], ids=["direct form", "Gram form"])
@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
def test_steps_equal_a_plain_model_with_gradient_reversal(width: int, optimizer: str) -> None:
    settings = training(optimizer=optimizer, dropout=0.5, min_epochs=2, epochs=5)
    encounters = random_encounters(90, 12, 6, seed=0)
    labels = [int(0 in held) for held in encounters]
    data = dataset(encounters, labels)
    vectors = torch.randn(
        12, width, dtype=torch.float64, generator=torch.Generator().manual_seed(1)
    )
    own = keys(0, 1)
    rows = torch.stack([torch.randperm(40), torch.randperm(40)])
    both = torch.cat([rows, torch.arange(40, 90).expand(2, -1)], 1)
    domains = Domains(both, (torch.arange(90) >= 40).to(torch.int8), STRENGTH)
    start = initial_weights(own, width, 5, dtype=torch.float64)

    body = body_for(data, vectors, rows, start, optimizer, own, Tuning(domains=domains))
    opponent = Opponent(data, domains, own, settings, 5)
    batches = Batches(data, rows, own, settings)
    trainer = Trainer(body, batches, start, settings, opponent=opponent)
    assert trainer.growing < STEPS
    begin = opponent.start(torch.float64)
    for _ in range(STEPS):
        trainer.step()
    found = trained_weights(body, trainer.parameters, start)

    marked = replace(data, labels=domains.labels)
    balanced = settings.model_copy(update={"class_weight": "balanced", "dropout": 0.0})
    for i in range(2):
        plain = Adversarial(vectors, 5, start.select([i]), begin[i])
        parameters = [p for p in plain.parameters() if p.requires_grad]
        rate = {"lr": settings.learning_rate, "weight_decay": settings.weight_decay}
        chosen: torch.optim.Optimizer = torch.optim.AdamW(parameters, **rate)
        if optimizer == "sgd":
            momentum = settings.momentum
            chosen = torch.optim.SGD(parameters, momentum=momentum, nesterov=True, **rate)
        key = hashes(own[i : i + 1], ADVERSARY, torch.zeros(1, dtype=torch.int64))[:, 0]
        given = (encounters, data, rows[i], own[i : i + 1], settings, STEPS, 12)
        against = (encounters, marked, both[i], key, balanced, STEPS, 12)
        pairs = zip(reference_batches(*given), reference_batches(*against), strict=True)
        for step, ((tokens, truth, shares, kept), (seen, site, parts, _)) in enumerate(pairs):
            strength = STRENGTH * growth(step / trainer.growing)
            hidden = Reversal.apply(plain.features(seen), strength)
            told = cross_entropy(plain.opponent(hidden), site, reduction="none")
            loss = cross_entropy(plain(tokens, kept), truth, reduction="none")
            chosen.zero_grad()
            ((loss * shares).sum() + (told * parts).sum()).backward()
            chosen.step()
        for name, value in vars(plain.weights()).items():
            close = {"rtol": 1e-10, "atol": 1e-10}
            torch.testing.assert_close(getattr(found, name)[i : i + 1], value, **close)


def test_the_opponent_is_told_which_encounters_are_the_target_s() -> None:
    site, (train, validation) = target_site(count=300), SOURCE.split.source_parts()
    pool = np.concatenate(site.split.parts(0)[:2])
    own, held, other = (
        Part(of, rows[None]) for of, rows in ((SOURCE, train), (SOURCE, validation), (site, pool))
    )
    plan = Plan((own,), adversary=Adversary(other, 0.5))
    data, (_, rows), domains = _encounters_of(plan, held)
    assert domains.labels[domains.rows[0]].tolist() == [0] * len(train) + [1] * len(pool)
    assert domains.strength == 0.5
    assert domains.rows[0, : len(train)].tolist() == rows[0].tolist()
    found = data.findings(domains.rows[0, len(train) :]).tokens.tolist()
    assert found == site.inputs["findings"].select(pool).values.tolist()


def test_it_grows_as_in_the_paper_and_stays() -> None:
    assert growth(0.0) == 0
    assert growth(0.25) == pytest.approx(2 / (1 + np.exp(-2.5)) - 1)
    assert growth(1.0) == growth(3.0) == pytest.approx(1, abs=1e-4)


def test_without_strength_it_is_the_source_model() -> None:
    site = target_site(count=300)
    found = from_source(BENCH, site, {"kind": "dann", "strength": 0}, "0", SETTINGS, SOURCE)
    direct = from_source(BENCH, site, "direct", "0", SETTINGS, SOURCE)
    np.testing.assert_allclose(probabilities(found), probabilities(direct), atol=1e-6)
    area = [record["source_auroc"] for record in direct.records]
    assert [record["source_auroc"] for record in found.records] == pytest.approx(area, abs=1e-6)


def test_no_label_of_the_target_and_no_test_encounter_matters() -> None:
    site = target_site(count=300)
    found = probabilities(from_source(BENCH, site, "dann", "0", SETTINGS, SOURCE))
    other = replace(site, cohort=replace(site.cohort, labels=1 - site.labels))
    again = probabilities(from_source(BENCH, other, "dann", "0", SETTINGS, SOURCE))
    assert np.array_equal(found, again)
    pool = np.concatenate(site.split.parts(0)[:2])
    changed = with_findings(site, [*pool], TOKENS - 1)
    moved = from_source(BENCH, changed, "dann", "0", SETTINGS, SOURCE)
    assert not np.array_equal(found, probabilities(moved))


def with_findings(site: Site, rows: list[int], token: int) -> Site:
    """The site with one token more in some rows."""
    held = [list(row) for row in site.inputs["findings"]]
    for row in rows:
        held[row].append(token)
    values = np.array([token for row in held for token in row], np.int32)
    findings = CompressedRows(np.cumsum([0, *map(len, held)]), values)
    return replace(site, inputs={"findings": findings})


def test_every_fold_is_predicted_by_a_model_that_looked_at_the_others() -> None:
    site = folded_site()
    found = from_source(BENCH, site, "dann", "0", SETTINGS, SOURCE)
    assert len(probabilities(found)) == 3 * 120
    assert {record["fold"] for record in found.records} == {0, 1, 2}
