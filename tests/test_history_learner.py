"""The learner of histories: its heads against plain sums, and who has seen what."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from encoder_data import NAMES, OUTCOME, ill_site, trained_encoder, write_encoder
from history_data import history

from concept_transfer.cohorts.cross_fitting import fold_numbers
from concept_transfer.errors import StudyError
from concept_transfer.learners import LEARNERS
from concept_transfer.learners.learner import Context
from concept_transfer.models.code_encoder import model_of
from concept_transfer.models.history_models import Body, HistoryModels
from concept_transfer.models.history_reader import Reading
from concept_transfer.pretraining.batches import Batch
from concept_transfer.pretraining.encoder import EncoderFiles
from concept_transfer.pretraining.vocabulary import CLS, MASK
from concept_transfer.settings.training import Training
from concept_transfer.sites.site import Site
from concept_transfer.strategies import STRATEGIES
from concept_transfer.strategies.strategy import Part, Plan, Stage
from concept_transfer.training import history_heads, tuning
from concept_transfer.training.block import Block
from concept_transfer.training.cells import run_cell
from concept_transfer.training.history_models import HistoryFamily
from concept_transfer.training.predictions import Predictions
from concept_transfer.training.source_models import train_source
from concept_transfer.training.work import HandedOn, Work, Workbench

TRAINING = Training.model_validate({})
HEADS = ("classification", "token_sum", "next_visit_mask")
POOLINGS = ("cls", "mean", "max", "attention", "gru")


def bench(folder: Path, replicates: int = 1, **settings: Any) -> Workbench:
    record = LEARNERS["history"]
    section = record.settings.model_validate({"kind": "history", **settings})
    block = Block(0, list(range(replicates)))
    encoders = (folder,) * replicates
    context = Context(tuple(block.keys), 0, encoders=encoders, outcome_codes=("X*",))
    return Workbench(record, section, context, block.replicates)


def family(folder: Path, **settings: Any) -> HistoryFamily:
    found = bench(folder, **settings).everyone()
    assert isinstance(found, HistoryFamily)
    return found


def cell(
    one: Workbench, site: Site, strategy: str, size: str, handed_on: HandedOn | None = None
) -> Predictions:
    settings = STRATEGIES[strategy].settings.model_validate({"kind": strategy})
    return run_cell(one, Work(settings, size, TRAINING, site, None, handed_on))[0]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_encoder(tmp_path / "tiny", sorted(NAMES[2:]), dropout=0.3)


def plain(folder: Path, row: Sequence[tuple[str, int, float]], head: str, pooling: str) -> Any:
    """What is read of one patient, without padding or batches."""
    files = EncoderFiles.read(folder)
    ids = {name: place for place, name in enumerate(files.vocabulary.names, 4)}
    newest = max(visit for _, visit, _ in row)
    codes = [CLS, *(ids[code] for code, _, _ in row)]
    segments = [0, *(newest - visit + 1 for _, visit, _ in row)]
    ages = [np.nan, *(50 - day / 365.25 for *_, day in row)]
    times = [np.nan, *(9000 - day for *_, day in row)]
    if head == "token_sum":
        codes, segments = [*codes, MASK], [*segments, 1]
        ages, times = [*ages, ages[-1]], [*times, times[-1]]
    if head == "next_visit_mask":
        codes, segments = [*codes, MASK], [*(s + 1 if s else 0 for s in segments), 1]
        ages, times = [*ages, 50], [*times, 9000]
    batch = Batch(
        torch.tensor([codes]),
        torch.tensor([segments]),
        torch.tensor([ages], dtype=torch.float32),
        torch.tensor([times], dtype=torch.float32),
        torch.tensor([len(codes)]),
    )
    model = model_of(files)
    with torch.no_grad():
        hidden = model(batch)[0]
        if head != "classification":
            share = model.code_logits(hidden[-1]).double().softmax(0)[ids[OUTCOME]]
            return [float(torch.log(share / (1 - share)))]
    return {
        "cls": lambda: hidden[0],
        "mean": lambda: sum(hidden) / len(hidden),
        "attention": lambda: sum(hidden) / len(hidden),  # as it begins
        "max": lambda: torch.stack([max(column) for column in hidden.T]),
        "gru": lambda: None,
    }[pooling]()


ROWS = [
    [("C1", 1, 30.0), ("C2", 1, 30.0), ("R1", 2, 10.0)],
    [("C3", 1, 300.0)],
    [("C4", 1, 40.0), ("C4", 2, 20.0), ("C5", 2, 20.0), ("C6", 3, 5.0), ("R1", 3, 5.0)],
]


@pytest.mark.parametrize(
    ("head", "pooling"),
    [("token_sum", "cls"), ("next_visit_mask", "cls")]
    + [("classification", name) for name in POOLINGS if name != "gru"],
)
def test_what_is_read_is_what_a_patient_alone_gives(folder: Path, head: str, pooling: str) -> None:
    body = Body.of(EncoderFiles.read(folder), Reading(head, pooling, ("X*",)), 0)
    found = body.features(history(ROWS, NAMES), np.array([2, 0, 1]))
    for features, row in zip(found, [ROWS[2], ROWS[0], ROWS[1]], strict=True):
        np.testing.assert_allclose(features, plain(folder, row, head, pooling), atol=1e-5)


@pytest.mark.parametrize("pooling", POOLINGS)
def test_padding_counts_for_nothing(folder: Path, pooling: str) -> None:
    body = Body.of(EncoderFiles.read(folder), Reading("classification", pooling), 0)
    together = body.features(history(ROWS, NAMES), np.arange(3))
    alone = [body.features(history([row], NAMES), np.arange(1))[0] for row in ROWS]
    np.testing.assert_allclose(together, alone, atol=1e-5)


def test_zero_reads_no_label(folder: Path) -> None:
    site, _ = ill_site("target")
    other = replace(site, cohort=replace(site.cohort, labels=1 - site.labels))
    one = bench(folder, head="next_visit_mask")
    (first, second) = (cell(one, each, "zero", "0") for each in (site, other))
    for (*_, own), (*_, others) in zip(first._parts, second._parts, strict=True):
        np.testing.assert_array_equal(own, others)
    assert first.records[0]["status"] == "ok"
    assert first.records[0]["train"] == 0


def a_plan(site: Site, **stage: Any) -> tuple[Plan, np.ndarray]:
    train, validation, _ = site.split.parts(0)
    rows = np.concatenate([train, validation])[None]
    folds = fold_numbers(site.cohort, rows, 2)
    return Plan((Part(site, rows),), None, None, (Stage(**stage),)), folds


@pytest.mark.parametrize("head", HEADS)
def test_what_is_said_of_a_fold_has_not_seen_its_labels(folder: Path, head: str) -> None:
    site, _ = ill_site("target", 120)
    plan, folds = a_plan(site)
    out = plan.train[0].rows[0][folds[0] == 1]
    labels = site.labels.copy()
    labels[out] = 1 - labels[out]
    other = replace(site, cohort=replace(site.cohort, labels=labels))
    changed = replace(plan, train=(Part(other, plan.train[0].rows),))
    learner = family(folder, head=head, epochs=0)
    first, second = (learner.cross_fit(each, TRAINING, folds).held[0] for each in (plan, changed))
    own = folds[0] == 1
    if head == "classification":  # the ridge penalty of a fold is chosen by the other one
        assert not np.array_equal(first[~own], second[~own])
        return
    np.testing.assert_array_equal(first[own], second[own])
    assert not np.array_equal(first[~own], second[~own])


@pytest.mark.parametrize("pooling", ["cls", "attention"])
def test_a_label_does_not_reach_what_tuned_networks_say_of_its_fold(
    folder: Path, pooling: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before other folds choose epochs, slope and intercept, bit for bit."""
    site, _ = ill_site("target", 120)
    plan, folds = a_plan(site)
    place = int(np.flatnonzero(folds[0] == 1)[3])
    labels = site.labels.copy()
    labels[plan.train[0].rows[0, place]] ^= 1
    other = replace(site, cohort=replace(site.cohort, labels=labels))
    changed = replace(plan, train=(Part(other, plan.train[0].rows),))
    monkeypatch.setattr(history_heads, "VARIANCES", (1e-2,))
    monkeypatch.setattr(tuning.Judge, "best", lambda _, said, without=None: len(said) - 1)
    monkeypatch.setattr(tuning.Judge, "held", lambda _, said: said[-1])
    learner = family(folder, head="classification", pooling=pooling, epochs=2)
    found = [learner.cross_fit(each, TRAINING, folds) for each in (plan, changed)]
    assert found[0].fitted.epochs == [2]
    first, second = (each.held[0] for each in found)
    own = folds[0] == folds[0, place]
    np.testing.assert_array_equal(first[own], second[own])
    assert (first[~own] != second[~own]).all()


@pytest.mark.parametrize("head", HEADS)
def test_a_frozen_encoder_stays_bit_for_bit(folder: Path, head: str) -> None:
    site, _ = ill_site("target", 120)
    plan, folds = a_plan(site, frozen=True)
    found = family(folder, head=head, epochs=3).cross_fit(plan, TRAINING, folds)
    for name, weight in EncoderFiles.read(folder).weights.items():
        np.testing.assert_array_equal(
            found.fitted.models.bodies[0].weights[f"encoder.{name}"], weight
        )
    assert found.fitted.epochs == [0]


def test_labels_that_say_nothing_leave_the_encoder_as_it_came() -> None:
    """No epoch is a choice, and the encoder that knows who falls ill is not tuned by noise."""
    site, _ = ill_site("target", 200)
    noise = np.random.default_rng(5).permutation(site.labels)
    site = replace(site, cohort=replace(site.cohort, labels=noise))
    plan, folds = a_plan(site)
    learner = family(trained_encoder(), head="next_visit_mask", epochs=2, learning_rate=0.1)
    assert learner.cross_fit(plan, TRAINING, folds).fitted.epochs == [0]


def test_tuning_learns_and_two_replicates_with_the_same_labels_share_it() -> None:
    site, _ = ill_site("target", 300, seed=3)
    plan, folds = a_plan(site)
    twice = replace(plan, train=(Part(site, np.repeat(plan.train[0].rows, 2, 0)),))
    one = bench(trained_encoder(), 2, head="token_sum", epochs=3, learning_rate=5e-3)
    # a family is one of two, and this one cross-fits
    found = one.everyone().cross_fit(twice, TRAINING, np.repeat(folds, 2, 0))  # type: ignore[union-attr]
    models: HistoryModels = found.fitted.models
    assert found.fitted.epochs[0] > 0
    assert len(models.bodies) == 1
    before = EncoderFiles.read(trained_encoder()).weights
    assert any(
        not np.array_equal(models.bodies[0].weights[f"encoder.{name}"], weight)
        for name, weight in before.items()
    )


def test_an_update_of_low_rank_has_that_rank_and_leaves_the_rest() -> None:
    site, _ = ill_site("target", 300, seed=3)
    plan, folds = a_plan(site, rank=1)
    learner = family(trained_encoder(), head="token_sum", epochs=2, learning_rate=2e-2)
    found = learner.cross_fit(plan, TRAINING, folds).fitted
    assert found.epochs[0] > 0
    for name, weight in EncoderFiles.read(trained_encoder()).weights.items():
        change = found.models.bodies[0].weights[f"encoder.{name}"] - weight
        if "blocks" in name and name.endswith("ward.weight"):
            assert np.linalg.matrix_rank(change, tol=1e-4) == 1, name
        else:
            assert not change.any(), name


def test_models_of_a_source_are_used_unchanged(folder: Path) -> None:
    source, _ = ill_site("source", 240, seed=1)
    target, _ = ill_site("target")
    one = bench(folder, head="classification", pooling="attention", epochs=1)
    handed_on = train_source(source, one, TRAINING)
    rows = target.split.parts(0)[2]
    direct = cell(one, target, "direct", "0", handed_on).tested(0)[1]
    np.testing.assert_allclose(
        direct, one.everyone().predict(handed_on.models, target, rows)[0, :, 1], rtol=1e-6
    )


def test_an_outcome_that_the_encoder_does_not_know_is_refused(tmp_path: Path) -> None:
    folder = write_encoder(tmp_path / "tiny", ["C0", "C1"])
    site, _ = ill_site("target")
    with pytest.raises(StudyError, match="the encoder knows none of these codes"):
        cell(bench(folder, head="token_sum"), site, "zero", "0")
