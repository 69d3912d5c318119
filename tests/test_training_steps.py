"""How long the concept CNN trains, at which rates, and on which scale of the vectors."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from cell_data import predict, workbench
from engine_data import dataset, keys, random_encounters, training
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from test_cells import BLOCK, TOKENS, VECTORS, target_site

from concept_transfer.models.dataset import dataset_of
from concept_transfer.settings.training import Training
from concept_transfer.training.concept_cnn import factor_to
from concept_transfer.training.draws import initial_weights
from concept_transfer.training.engine import fit
from concept_transfer.training.schedule import Schedule
from concept_transfer.training.source_models import train_source

BENCH = workbench(BLOCK, VECTORS)
SMALL = {"filters": 6, "epochs": 4, "fixed_epochs": 2, "min_iterations": 5}


def settings(**changes: Any) -> Training:
    return Training.model_validate(SMALL | changes)


@given(
    st.integers(1, 1000),
    st.integers(1, 50),
    st.integers(50, 1000),
    st.none() | st.integers(1, 2000),
)
def test_an_epoch_is_a_pass_within_limits(
    a_pass: int, least: int, most: int, iterations: int | None
) -> None:
    chosen = settings(iterations=iterations, min_iterations=least, max_iterations=most)
    length = chosen.epoch_length(a_pass)
    if iterations:
        assert length == iterations
    else:
        assert least <= length <= most
        assert length == a_pass or (length == least > a_pass) or (length == most < a_pass)


def test_limits_that_leave_nothing_are_refused() -> None:
    with pytest.raises(ValidationError, match=r"min_iterations \(600\) exceeds max_iterations"):
        settings(min_iterations=600)


def test_few_encounters_are_passed_over_until_an_epoch_is_full() -> None:
    """Two epochs of seven steps over a pass of two batches, by the steps of a plain loop."""
    encounters = random_encounters(16, 12, 6, seed=1)
    data = dataset(encounters, [0, 1] * 8)
    rows, vectors = torch.arange(16)[None], torch.randn(12, 20, dtype=torch.float64)
    start = initial_weights(keys(0), 20, 5, dtype=torch.float64)
    fits = [
        fit(data, vectors, rows, rows[:, :0], keys(0), start, training(**chosen), [False])
        for chosen in (
            {"fixed_epochs": 2, "min_iterations": 7},
            {"fixed_epochs": 14, "iterations": 1},
        )
    ]
    assert torch.equal(fits[0].weights.convolution, fits[1].weights.convolution)
    assert fits[0].epochs == [2]


def test_untrained_weights_are_given_time_before_an_epoch_is_kept() -> None:
    """Scores that rise from the first epoch on; patience begins with the first that may be kept."""
    scores = torch.arange(1.0, 30.0, dtype=torch.float64)

    def kept_and_run(start_scores: torch.Tensor | None, **chosen: Any) -> tuple[int, int]:
        schedule = Schedule(settings(patience=3, **chosen), [True], start_scores)
        for score in scores:
            _, going = schedule.after_epoch(torch.tensor([0]), score[None])
            if not bool(going):
                break
        return int(schedule.kept_epoch), schedule.epoch

    assert kept_and_run(None, epochs=20, min_epochs=1) == (1, 4)
    assert kept_and_run(None, epochs=20, min_epochs=6) == (6, 9)
    assert kept_and_run(None, epochs=4, min_epochs=6) == (4, 4)
    handed_on = torch.tensor([0.5], dtype=torch.float64)
    assert kept_and_run(handed_on, epochs=20, min_epochs=6) == (0, 3)


def test_rates_and_decays_follow_from_what_is_trained() -> None:
    default, paper = Training.model_validate({}), Training.model_validate({"protocol": "gao2024"})

    def resolved(training: Training, tuned: bool) -> list[tuple[Any, float | None]]:
        found = training.candidates(50, tuned)
        return [(settings.learning_rate, settings.weight_decay) for settings in found]

    assert resolved(default, False) == [(0.01, 2.5 / 50)]
    assert resolved(default, True) == [(0.001, 0.001), (0.01, 0.001)]
    rates = Training.model_validate({"learning_rate": [0.01, 0.1]})
    assert [rate for rate, _ in resolved(rates, True)] == [0.001, 0.01, 0.1]
    assert resolved(settings(tuning_rate=0.3, weight_decay=0.2), True) == [(0.3, 0.2)]
    assert resolved(paper, False) == resolved(paper, True) == [(0.001, 0.001)]


@pytest.mark.parametrize("width", [14, 4], ids=["Gram form", "direct form"])
@pytest.mark.parametrize("kind", ["local", "full", "pooled"])
@pytest.mark.parametrize("own_tables", [False, True])
def test_the_norm_is_as_good_as_vectors_of_that_norm(
    kind: str, width: int, own_tables: bool
) -> None:
    """Models are for the vectors as they came, whatever they were trained on."""
    shape = (3, TOKENS, width) if own_tables else (TOKENS, width)
    vectors = torch.randn(*shape, generator=torch.Generator().manual_seed(3))
    vectors *= 2 / vectors.norm(dim=-1).mean(-1)[..., None, None]
    site, source = target_site(count=300), target_site("source", seed=1)
    found = []
    for table, norm in ((vectors, 3.0), (vectors * 1.5, None)):
        bench = workbench(BLOCK, table)
        chosen = settings(norm=norm)
        handed_on = train_source(source, bench, chosen)
        predictions = predict(bench, site, kind, "100", chosen, source, handed_on)
        found.append([predictions.tested(replicate)[1] for replicate in range(3)])
    np.testing.assert_allclose(*found, atol=1e-4)
    unscaled = predict(workbench(BLOCK, vectors), site, "local", "100", settings(norm=None))
    if kind == "local":
        assert np.abs(unscaled.tested(0)[1] - found[0][0]).max() > 1e-3


def test_tokens_without_a_vector_do_not_count_in_the_mean_norm() -> None:
    vectors = torch.tensor([[3.0, 4.0], [0.0, 0.0], [6.0, 8.0]])
    assert float(factor_to(15, vectors)) == 2
    assert float(factor_to(None, vectors)) == 1
    assert float(factor_to(15, torch.zeros(2, 2))) == 1


def test_what_tuning_leaves_alone_stays_as_it_was_bit_for_bit() -> None:
    """Scaling there and back would round it."""
    handed_on = train_source(target_site("source", seed=1), BENCH, settings())
    site = target_site(count=300)
    direct = predict(BENCH, site, "direct", "0", settings(), None, handed_on)
    never = settings(tuning_rate=1e-30)
    for kind in ("full", "linear", "lp_ft"):
        tuned = predict(BENCH, site, kind, "all", never, None, handed_on)
        for replicate in range(3):
            np.testing.assert_array_equal(tuned.tested(replicate)[1], direct.tested(replicate)[1])


@pytest.mark.parametrize("kind", ["local", "full"])
def test_the_paper_s_protocol_knows_nothing_of_the_default_one_s_aids(kind: str) -> None:
    """The learner's models are, bit for bit, what epochs of a hundred batches give at the paper's
    rate and decay on the vectors as they come."""
    paper = Training.model_validate({"protocol": "gao2024", "epochs": 3, "filters": 3})
    plain = Training.model_validate(
        {"learning_rate": 1e-3, "weight_decay": 1e-3, "epochs": 3, "iterations": 100, "filters": 3}
        | {"monitor": "auroc", "patience": None, "min_epochs": 1}
    )
    source, site = target_site("source", seed=1), target_site()
    bench = workbench(BLOCK, VECTORS)
    handed_on = train_source(source, bench, paper)
    found = predict(bench, site, kind, "all", paper, None, handed_on)
    start = handed_on.models
    if kind == "local":
        start = initial_weights(torch.tensor(BLOCK.keys), VECTORS.shape[1], 3)
    train, validation, test = site.split.parts(0)
    rows = [torch.from_numpy(part).expand(3, -1) for part in (train, validation)]
    expected = fit(
        *(dataset_of(site), VECTORS, *rows, torch.tensor(BLOCK.keys), start, plain, [True] * 3)
    )
    family = bench.everyone()
    probability = family.predict(expected.weights, site, test)[..., 1]
    for replicate in range(3):
        np.testing.assert_array_equal(
            found.tested(replicate)[1], probability[replicate].astype(np.float32)
        )
