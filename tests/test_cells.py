"""Cells on tiny sites: who is trained on, who is predicted, and what each strategy means."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from cell_data import predict as predict_cell
from cell_data import workbench
from encoder_data import history_of_findings
from engine_data import keys, random_encounters
from numpy.typing import NDArray
from sklearn.metrics import log_loss, roc_auc_score
from torch import Tensor

from concept_transfer.cohorts.budget import (
    Budget,
    allow_choice,
    count_classes,
    draw_budget,
    replicate_key,
)
from concept_transfer.cohorts.cohort import Cohort
from concept_transfer.cohorts.splits import split_table
from concept_transfer.errors import StudyError
from concept_transfer.inputs.rows import CompressedRows
from concept_transfer.inputs.text import Texts
from concept_transfer.learners.learner import CrossFitted
from concept_transfer.models.cnn import Weights, predict
from concept_transfer.models.dataset import dataset_of
from concept_transfer.settings.training import Training
from concept_transfer.sites.site import Site
from concept_transfer.training import concept_cnn
from concept_transfer.training.block import Block
from concept_transfer.training.concept_cnn import ConceptCNNs
from concept_transfer.training.draws import initial_weights
from concept_transfer.training.engine import fit
from concept_transfer.training.folds import Folds
from concept_transfer.training.predictions import Predictions
from concept_transfer.training.source_models import train_source
from concept_transfer.training.work import HandedOn

TOKENS, WIDTH = 10, 14
VECTORS = torch.randn(TOKENS, WIDTH, generator=torch.Generator().manual_seed(3))
SETTINGS = Training.model_validate(
    {"learning_rate": 0.05, "epochs": 4, "filters": 6, "fixed_epochs": 2, "patience": None}
    | {"tuning_rate": 0.05, "min_iterations": 1, "min_epochs": 1, "norm": None}
    | {"weight_decay": 1e-3}
)
PAPER = SETTINGS.model_copy(update={"protocol": "gao2024"})
BLOCK = Block(0, [0, 1, 2])
BENCH = workbench(BLOCK, VECTORS)


def make_site(
    name: str,
    fold: NDArray[np.int16],
    validation: NDArray[np.bool_],
    seed: int = 0,
    labels: NDArray[np.int8] | None = None,
    cluster: list[str] | None = None,
) -> Site:
    """Encounters with token 0 are positive, but for some noise."""
    encounters = random_encounters(len(fold), TOKENS, 6, seed)
    rng = np.random.default_rng(seed)
    if labels is None:
        noise = rng.random(len(fold)) < 0.1
        labels = (np.array([0 in held for held in encounters]) != noise).astype(np.int8)
    ids = [f"{name}{i}" for i in range(len(fold))]
    findings = CompressedRows(
        np.cumsum([0, *map(len, encounters)]),
        np.array([token for held in encounters for token in held], np.int32),
    )
    split = split_table(ids, cluster or ids, labels, fold.astype(np.int16), validation)
    inputs = {
        "findings": findings,
        "history": history_of_findings(findings, TOKENS),
        "text": Texts.of([" ".join(f"word{token}" for token in row) for row in findings]),
    }
    return Site(Cohort(name, labels, split), inputs)


def relabelled(site: Site, labels: NDArray[np.int8]) -> Site:
    return replace(site, cohort=replace(site.cohort, labels=labels))


def target_site(name: str = "target", count: int = 120, seed: int = 0, **options: object) -> Site:
    """A third tests (fold 0); a fifth of the rest validates."""
    row = np.arange(count)
    return make_site(name, np.where(row % 3 == 0, 0, -1), row % 5 == 0, seed, **options)


def folded_site(folds: int = 3, clusters: int = 24) -> Site:
    """Clusters of five encounters; each cluster tests in one fold and validates in others."""
    owner = np.repeat(np.arange(clusters), 5)
    return make_site(
        "folded",
        owner % folds,
        (owner // folds) % 3 == 0,
        cluster=[f"c{number}" for number in owner],
    )


def rows_of(predictions: Predictions, test: bool) -> dict[int, NDArray[np.int64]]:
    """Replicate -> predicted rows of the partition, in order of writing."""
    found: dict[int, list[NDArray[np.int64]]] = {}
    partition = "test" if test else "validation"
    for replicate, _, part, rows, _ in predictions._parts:
        if part == partition:
            found.setdefault(replicate, []).append(rows)
    return {replicate: np.concatenate(parts) for replicate, parts in found.items()}


def probabilities(predictions: Predictions, test: bool = True) -> NDArray[np.float32]:
    partition = "test" if test else "validation"
    return np.concatenate([p for _, _, part, _, p in predictions._parts if part == partition])


def source_model(site: Site) -> HandedOn:
    return train_source(site, BENCH, SETTINGS)


def positives(site: Site, rows: NDArray[np.int64]) -> list[int]:
    return count_classes(site.cohort, rows, 2)[:, 1].tolist()


@pytest.mark.parametrize("size", ["60", "all"])
def test_every_encounter_is_predicted_once_by_a_model_that_never_saw_its_cluster(
    size: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = folded_site()
    seen: list[set[str]] = []

    def watched(dataset: object, vectors: Tensor, train: Tensor, held: Tensor, *rest: object):
        used = torch.cat([train.flatten(), held.flatten()]).numpy()
        seen.append({str(cluster) for cluster in np.unique(site.split.cluster[used])})
        return fit(dataset, vectors, train, held, *rest)

    monkeypatch.setattr(concept_cnn, "fit", watched)
    predictions = predict_cell(BENCH, site, "local", size, SETTINGS)
    for rows in rows_of(predictions, test=True).values():
        assert sorted(rows.tolist()) == list(range(120))
    for fold, clusters in zip(site.split.folds, seen, strict=True):
        tested = set(map(str, site.split.cluster[site.split.fold == fold]))
        assert clusters
        assert not clusters & tested
    records = [(record["replicate"], record["fold"]) for record in predictions.records]
    assert sorted(records) == [(r, f) for r in range(3) for f in range(3)]


def test_budgets_are_nested_and_split_a_fifth_off_for_validation() -> None:
    site = target_site(count=600)
    draws = {size: draw_budget(site.cohort, 0, size, BLOCK.keys) for size in ("50", "200", "all")}
    assert draws["50"].train.shape == (3, 40)
    assert draws["50"].validation.shape == (3, 10)
    train, validation, _ = site.split.parts(0)
    for i in range(3):
        for part, pool in (("train", train), ("validation", validation)):
            small, large, every = (set(getattr(draws[s], part)[i].tolist()) for s in draws)
            assert small < large < every == set(pool.tolist())
    assert set(draws["50"].train[0]) != set(draws["50"].train[1])
    alone = draw_budget(site.cohort, 0, "50", BLOCK.keys[1:2])
    assert np.array_equal(alone.train[0], draws["50"].train[1])


def test_a_budget_beyond_the_pool_is_refused() -> None:
    with pytest.raises(StudyError, match=r"target size 500 needs 400 training .* 'target' offers"):
        draw_budget(target_site().cohort, 0, "500", BLOCK.keys)


def test_rows_that_all_replicates_share_are_stored_once() -> None:
    budget = draw_budget(target_site().cohort, 0, "all", BLOCK.keys)
    assert budget.train.strides[0] == 0
    assert budget.select([0, 2]).train.shape == (2, budget.train.shape[1])
    assert (
        positives(target_site(), budget.train)
        == [int(target_site().labels[budget.train[0]].sum())] * 3
    )


def single_class_draws() -> tuple[Site, list[int]]:
    """A site whose ten-encounter draws hold a positive for some replicates only."""
    labels = np.zeros(120, np.int8)
    labels[[1, 2, 4, 7, 8, 11, 13, 14, 16, 17]] = 1
    site = target_site(labels=labels)
    found = positives(site, draw_budget(site.cohort, 0, "10", BLOCK.keys).train)
    return site, [int(count) for count in found]


@pytest.mark.parametrize("seed_of_block", range(3))
def test_a_draw_of_one_class_is_not_estimable(seed_of_block: int) -> None:
    site, _ = single_class_draws()
    block = Block(seed_of_block, [0, 1, 2, 3])
    found = positives(site, draw_budget(site.cohort, 0, "10", block.keys).train)
    predictions = predict_cell(workbench(block, VECTORS), site, "local", "10", SETTINGS)
    for record, count in zip(predictions.records, found, strict=True):
        expected = "not estimable" if count in (0, 8) else "ok"
        assert record["status"] == expected
        assert record["positives"] == count
    for replicate, _, _, _, probability in predictions._parts:
        assert np.isnan(probability).all() == (found[replicate] in (0, 8))
    assert 0 in positives(
        site, draw_budget(site.cohort, 0, "10", Block(0, list(range(40))).keys).train
    )


def test_pooled_needs_both_classes_at_one_of_the_sites() -> None:
    negative = target_site(labels=np.zeros(120, np.int8))
    for source, status in (
        (target_site("source", seed=1), "ok"),
        (target_site("source", labels=np.zeros(120, np.int8)), "not estimable"),
    ):
        balanced = SETTINGS.model_copy(update={"class_weight": "balanced"})
        found = predict_cell(BENCH, negative, "pooled", "all", balanced, source)
        assert {record["status"] for record in found.records} == {status}


def test_few_positives_train_a_fixed_number_of_epochs() -> None:
    site, _ = single_class_draws()
    predictions = predict_cell(BENCH, site, "local", "20", SETTINGS)
    fixed = [record["epochs"] for record in predictions.records if record["status"] == "ok"]
    assert fixed
    assert set(fixed) == {SETTINGS.fixed_epochs}


def test_few_negatives_say_as_little_as_few_positives() -> None:
    site = target_site()
    train, held, _ = site.split.parts(0)
    few = np.flatnonzero(np.isin(np.arange(len(site.labels)), train[:5]))
    for rarer in (0, 1):
        labels = np.full_like(site.labels, 1 - rarer)
        labels[few] = rarer
        lopsided = relabelled(site, labels)
        assert not allow_choice(lopsided.cohort, Budget(train[None], held[None]))[0]
    assert allow_choice(site.cohort, Budget(train[None], held[None]))[0]


def test_replicates_do_not_depend_on_their_block() -> None:
    site = target_site()
    together = predict_cell(BENCH, site, "local", "50", SETTINGS)
    alone = predict_cell(workbench(Block(0, [2]), VECTORS), site, "local", "50", SETTINGS)
    own = [part for part in together._parts if part[0] == 2]
    for (*_, rows, p), (*_, other_rows, other_p) in zip(own, alone._parts, strict=True):
        assert np.array_equal(rows, other_rows)
        assert np.array_equal(p, other_p)


def capture_models(monkeypatch: pytest.MonkeyPatch) -> list[Weights]:
    """The models of every cell that is fitted from now on."""
    models: list[Weights] = []
    cross_fit = ConceptCNNs.cross_fit

    def watched(*arguments: object) -> CrossFitted:
        crossed = cross_fit(*arguments)
        models.append(crossed.fitted.models)
        return crossed

    monkeypatch.setattr(ConceptCNNs, "cross_fit", watched)
    return models


def test_linear_tuning_leaves_the_convolution_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    handed = source_model(target_site("source", seed=1))
    models = capture_models(monkeypatch)
    for kind in ("linear", "full"):
        predict_cell(BENCH, target_site(), kind, "50", SETTINGS, None, handed)
    linear, full = models
    assert torch.equal(linear.convolution, handed.models.convolution)
    assert torch.equal(linear.convolution_bias, handed.models.convolution_bias)
    assert not torch.equal(linear.linear, handed.models.linear)
    assert not torch.equal(full.convolution, handed.models.convolution)
    assert not torch.equal(full.linear, handed.models.linear)


def test_full_tuning_starts_from_the_source_model_and_local_does_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """With a vanishing learning rate both stay where they start."""
    handed = source_model(target_site("source", seed=1))
    still = SETTINGS.model_copy(update={"learning_rate": 1e-12, "tuning_rate": 1e-12})
    models = capture_models(monkeypatch)
    site = target_site()
    predict_cell(BENCH, site, "full", "50", still, None, handed)
    predict_cell(BENCH, site, "local", "50", still)
    torch.testing.assert_close(models[0].convolution, handed.models.convolution)
    fresh = initial_weights(torch.tensor(BLOCK.keys), WIDTH, SETTINGS.filters)
    torch.testing.assert_close(models[1].convolution, fresh.convolution)


def test_direct_is_the_source_model_on_the_target() -> None:
    handed = source_model(target_site("source", seed=1))
    site = target_site()
    predictions = predict_cell(BENCH, site, "direct", "0", SETTINGS, None, handed)
    rows = torch.from_numpy(site.split.parts(0)[2])
    expected = predict(handed.models, VECTORS, dataset_of(site), rows)[..., 1].float().numpy()
    assert np.array_equal(probabilities(predictions), expected.ravel())
    assert [record["train"] for record in predictions.records] == [0, 0, 0]


def test_local_on_all_labels_is_the_source_model_of_the_site_itself() -> None:
    """Where validation chooses; models that cross-fit say more of the target's labels."""
    site = target_site()
    own = train_source(site, BENCH, PAPER)
    trained = predict_cell(BENCH, site, "local", "all", PAPER)
    reused = predict_cell(BENCH, site, "local", "all", PAPER, same=own)
    assert np.array_equal(probabilities(reused), probabilities(trained))
    assert reused.records == trained.records
    smaller = predict_cell(BENCH, site, "local", "50", PAPER)
    again = predict_cell(BENCH, site, "local", "50", PAPER, same=own)
    assert np.array_equal(probabilities(again), probabilities(smaller))


def test_the_less_a_source_weighs_the_closer_pooled_comes_to_local() -> None:
    """The source's labels are reversed, so that every bit of its weight shows."""
    site, source = target_site(count=450), target_site("source", 900, seed=1)
    reversed_ = relabelled(source, 1 - source.labels)
    long = SETTINGS.model_copy(update={"epochs": 25, "dropout": 0.0})

    def auroc(kind: str, weight: float) -> float:
        strategy = {"kind": kind} | ({"source_weight": weight} if kind == "pooled" else {})
        own = predict_cell(BENCH, site, strategy, "all", long, reversed_)
        labels = np.tile(site.labels[site.split.parts(0)[2]], 3)
        return float(roc_auc_score(labels, probabilities(own)))

    local = auroc("local", 1)
    assert local > 0.8
    assert auroc("pooled", 1e-6) == pytest.approx(local, abs=0.05)
    assert auroc("pooled", 1.0) < 0.5


def test_pooled_is_judged_on_the_target_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """All networks train on all that the source offers."""
    site, source = target_site(), target_site("source", seed=1)
    calls: list[tuple[Tensor, Folds]] = []

    def watched(dataset: object, vectors: Tensor, train: Tensor, *rest: object):
        calls.append((train, rest[-1]))
        return fit(dataset, vectors, train, *rest)

    monkeypatch.setattr(concept_cnn, "fit", watched)
    for size in ("50", "all"):
        predict_cell(BENCH, site, "pooled", size, SETTINGS, source)
    offered = source.split.source_parts()[0] + len(site.labels)
    for train, folds in calls:
        assert int(folds.rows[folds.judged].max()) < len(site.labels)
        for rows, trained in zip(train, folds.trained, strict=True):
            assert set(offered.tolist()) <= set(rows[trained].tolist())


def test_a_diverged_source_gives_no_predictions() -> None:
    handed = source_model(target_site("source", seed=1))
    handed.records[1]["status"] = "diverged"
    site = target_site()
    for predictions in (
        predict_cell(BENCH, site, "direct", "0", SETTINGS, None, handed),
        predict_cell(BENCH, site, "full", "50", SETTINGS, None, handed),
    ):
        assert [r["status"] for r in predictions.records] == ["ok", "diverged", "ok"]
        for replicate, _, _, _, probability in predictions._parts:
            assert np.isnan(probability).all() == (replicate == 1)


def test_a_learning_rate_that_diverges_is_recorded_by_replicate() -> None:
    wild = SETTINGS.model_copy(update={"tuning_rate": 1e20})
    predictions = predict_cell(workbench(BLOCK, VECTORS * 1e6), target_site(), "local", "all", wild)
    assert [record["status"] for record in predictions.records] == ["diverged"] * 3
    assert np.isnan(probabilities(predictions)).all()


def test_a_source_of_one_class_is_an_error_that_names_it() -> None:
    site = target_site("north", labels=np.zeros(120, np.int8))
    with pytest.raises(StudyError, match="site 'north' has 0 positives among its 64 training"):
        source_model(site)


def test_controls_have_vectors_of_their_own() -> None:
    """Replicate i trains and predicts on table i."""
    own = torch.randn(3, TOKENS, WIDTH, generator=torch.Generator().manual_seed(5))
    site = target_site()
    together = predict_cell(workbench(BLOCK, own), site, "local", "50", SETTINGS)
    alone = predict_cell(workbench(Block(0, [1]), own[1]), site, "local", "50", SETTINGS)
    expected = [p for replicate, _, _, _, p in together._parts if replicate == 1]
    for (*_, found), other in zip(alone._parts, expected, strict=True):
        assert np.array_equal(found, other)


def misleading_site() -> Site:
    """Training labels are reversed, those of validation and test are true."""
    site = target_site(count=300)
    labels = site.labels.copy()
    train = site.split.parts(0)[0]
    labels[train] = 1 - labels[train]
    return relabelled(site, labels)


@pytest.mark.parametrize(
    ("kind", "monitor"), [("linear", "log_loss"), ("full", "log_loss"), ("full", "auroc")]
)
@pytest.mark.parametrize("size", ["200", "all"])
def test_tuning_that_only_harms_returns_the_source_model(
    kind: str, size: str, monitor: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Tuned with a decay that leaves nothing of the weights."""
    settings = SETTINGS.model_copy(update={"epochs": 15, "patience": 3, "monitor": monitor})
    handed = train_source(target_site("source", 600, seed=1), BENCH, settings)
    wild = settings.model_copy(update={"weight_decay": 15.0})
    models, site = capture_models(monkeypatch), target_site(count=300)
    tuned = predict_cell(BENCH, site, kind, size, wild, None, handed)
    for name, value in vars(handed.models).items():
        assert torch.equal(getattr(models[0], name), value)
    assert [record["epochs"] for record in tuned.records] == [0, 0, 0]
    assert {record["status"] for record in tuned.records} == {"ok"}
    direct = predict_cell(BENCH, site, "direct", "0", SETTINGS, None, handed)
    assert np.array_equal(probabilities(tuned), probabilities(direct))


@pytest.mark.parametrize(
    ("kind", "size", "changes"),
    [
        ("full", "all", {"protocol": "gao2024"}),
        ("local", "all", {}),
        ("pooled", "all", {}),
        ("full", "20", {}),
    ],
    ids=["the paper's protocol", "local", "pooled", "few positives"],
)
def test_the_start_is_no_candidate_otherwise(
    kind: str, size: str, changes: dict[str, object]
) -> None:
    source = target_site("source", 600, seed=1)
    handed = source_model(source)
    settings = SETTINGS.model_copy(update=changes)
    handed = (None, handed) if kind == "full" else (source,)
    site = misleading_site()
    if size == "20":
        labels = np.where(np.arange(300) % 7 == 0, site.labels, 0).astype(np.int8)
        site = relabelled(site, labels)
    tuned = predict_cell(BENCH, site, kind, size, settings, *handed)
    epochs = [record["epochs"] for record in tuned.records if record["status"] == "ok"]
    assert epochs
    assert min(epochs) > 0


def test_tuning_that_diverges_at_once_is_recorded_although_its_start_was_good() -> None:
    handed = source_model(target_site("source", seed=1))
    wild = SETTINGS.model_copy(update={"tuning_rate": 1e20})
    tuned = predict_cell(BENCH, target_site(), "full", "all", wild, None, handed)
    assert [record["status"] for record in tuned.records] == ["diverged"] * 3
    assert np.isnan(probabilities(tuned)).all()


def test_replicate_keys_are_those_of_the_block() -> None:
    assert BLOCK.keys == [replicate_key(0, i) for i in range(3)]
    assert keys(0, 1, 2).tolist() == BLOCK.keys
    assert isinstance(draw_budget(target_site().cohort, 0, "50", BLOCK.keys), Budget)


def test_the_log_says_what_was_trained(caplog: pytest.LogCaptureFixture) -> None:
    """Counts are the site's, the loss is scikit-learn's of what networks say of left-out labels."""
    site, settings = target_site(), SETTINGS.model_copy(update={"epochs": 4, "min_epochs": 4})
    rows = np.concatenate(site.split.source_parts())
    with caplog.at_level("INFO"):
        found = predict_cell(BENCH, site, "local", "all", settings)
    losses = []
    for replicate in range(3):
        held = {
            partition: (rows, p)
            for own, _, partition, rows, p in found._parts
            if own == replicate and partition != "test"
        }
        risk = np.concatenate([held[partition][1] for partition in ("train", "validation")])
        losses.append(log_loss(site.labels[rows], risk.astype(float)))
    positive = site.labels[rows].sum()
    assert caplog.messages[0].startswith(
        f"3 replicate(s) trained on {len(rows)} encounters ({positive} positive) and "
        f"without each of 5 folds; epochs kept 4, held-out log_loss {min(losses):.4f} to "
        f"{max(losses):.4f}, "
    )


@pytest.mark.parametrize("cross_fits", [True, False])
def test_the_log_says_how_many_validated(
    cross_fits: bool, caplog: pytest.LogCaptureFixture
) -> None:
    site = target_site(count=600)
    train, validation = map(len, site.split.source_parts())
    with caplog.at_level("INFO"):
        train_source(site, BENCH, SETTINGS if cross_fits else PAPER)
    apart = f"and without {validation} of them" if cross_fits else f"validated on {validation}"
    number = train + validation if cross_fits else train
    assert f"on {number} encounters" in caplog.messages[0]
    assert apart in caplog.messages[0]


def test_the_log_names_the_fold(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("INFO"):
        predict_cell(BENCH, folded_site(), "local", "all", SETTINGS)
    assert [message.split(":")[0] for message in caplog.messages] == [
        f"fold {fold} of 3" for fold in (1, 2, 3)
    ]


def test_the_log_counts_the_rarest_of_several_classes(caplog: pytest.LogCaptureFixture) -> None:
    labels = (np.arange(120) % 8).clip(0, 2).astype(np.int8)
    site = target_site(labels=labels)
    train = np.concatenate(site.split.source_parts())
    rarest = np.bincount(labels[train]).min()
    bench = workbench(BLOCK, VECTORS, classes=3)
    with caplog.at_level("INFO"):
        predict_cell(bench, site, "local", "all", SETTINGS)
    assert f"{len(train)} encounters ({rarest} of the rarest class)" in caplog.messages[0]


def test_a_site_may_draw_the_labels_of_another() -> None:
    cohort, keys = target_site(count=600).cohort, [replicate_key(1, 0), replicate_key(1, 1)]
    other = replace(cohort, name="read")
    own, foreign, same = (
        draw_budget(each, 0, "60", keys)
        for each in (cohort, other, replace(other, drawn_as=cohort.name))
    )
    np.testing.assert_array_equal(same.train, own.train)
    np.testing.assert_array_equal(same.validation, own.validation)
    assert not np.array_equal(foreign.train, own.train)


def test_balanced_draws_hold_as_many_of_each_class_and_are_nested() -> None:
    site = target_site(count=600)
    rare = np.where(np.arange(600) % 7 == 0, site.labels, 0).astype(np.int8)
    cohort = replace(site.cohort, labels=rare, balanced=True)
    keys = [replicate_key(1, 0), replicate_key(1, 1)]
    small, large = (draw_budget(cohort, 0, size, keys) for size in ("20", "60"))
    for rows, wider in ((small.train, large.train), (small.validation, large.validation)):
        counts = count_classes(cohort, rows, 2)
        assert (abs(counts[:, 0] - counts[:, 1]) <= 1).all()
        assert all(set(few) <= set(many) for few, many in zip(rows, wider, strict=True))
    pool = site.split.parts(0)[0]
    there = int(rare[pool].sum())
    assert count_classes(cohort, draw_budget(cohort, 0, "200", keys).train, 2)[0, 1] == there
    plain = replace(cohort, balanced=False)
    assert not np.array_equal(draw_budget(plain, 0, "60", keys).train, large.train)
