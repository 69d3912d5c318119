"""The engine against the plain model, step by step and as a whole."""

from __future__ import annotations

import pytest
import torch
from engine_data import (
    Encounters,
    dataset,
    keys,
    random_encounters,
    reference_batches,
    train_reference,
    training,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from plain_reference import PlainCNN, pad
from sklearn.metrics import log_loss, roc_auc_score
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from concept_transfer.models.cnn import Weights, predict
from concept_transfer.models.dataset import Dataset
from concept_transfer.settings.training import Training
from concept_transfer.training.batches import Batches
from concept_transfer.training.bodies import TrainedBody
from concept_transfer.training.convolution import DirectConvolution, GramConvolution
from concept_transfer.training.draws import initial_weights
from concept_transfer.training.engine import ALL_WEIGHTS, Tuning, body_for, fit, trained_weights
from concept_transfer.training.optimizers import Decay
from concept_transfer.training.trainer import Trainer
from concept_transfer.training.validation import auroc, macro_auroc

STEPS = 200
NO_ROWS = torch.empty(0, dtype=torch.int64)


def labels_of(encounters: Encounters, seed: int = 0, classes: int = 2) -> list[int]:
    """Labels that depend on the findings, so that there is something to learn."""
    noise = torch.rand(len(encounters), generator=torch.Generator().manual_seed(seed))
    if classes > 2:
        return [
            int(sum(tokens) + (u < 0.2)) % classes
            for tokens, u in zip(encounters, noise.tolist(), strict=True)
        ]
    return [
        int((sum(tokens) % 3 == 0) != (u < 0.2))
        for tokens, u in zip(encounters, noise.tolist(), strict=True)
    ]


def vectors_of(*shape: int, seed: int = 0, dtype: torch.dtype = torch.float64) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator, dtype=torch.float64).to(dtype)


def cross_entropy(scores: Tensor, truth: Tensor) -> Tensor:
    """[R, n] of margins or logits [R, n, S] and the probabilities that they should give."""
    if scores.shape[2] == 1:
        return binary_cross_entropy_with_logits(scores, truth, reduction="none")[..., 0]
    return -(scores.log_softmax(2) * truth).sum(2)


def train_engine(
    data: Dataset,
    vectors: Tensor,
    rows: Tensor,
    own_keys: Tensor,
    start: Weights,
    settings: Training,
    steps: int,
    tuning: Tuning = ALL_WEIGHTS,
) -> tuple[Weights, list[list[float]], TrainedBody]:
    """Weights after so many steps, and every replicate's loss before each step."""
    body = body_for(data, vectors, rows.flatten(), start, settings.optimizer, own_keys, tuning)
    batches = Batches(data, rows, own_keys, settings, start.classes)
    trainer = Trainer(body, batches, start, settings, tuning.decay)
    losses = []
    for step in range(steps):
        batch = batches.take(step, body, start.linear.dtype)
        scores = trainer.step()
        each = cross_entropy(scores, batch.truth)
        losses.append((each * batch.shares[..., 0]).sum(1).tolist())
    return trained_weights(body, trainer.parameters, start), losses, body


def compare(
    encounters: Encounters,
    vectors: Tensor,
    settings: Training,
    replicates: int = 2,
    steps: int = STEPS,
    dtype: torch.dtype = torch.float64,
    tolerance: float = 1e-12,
    start: Weights | None = None,
    tuning: Tuning = ALL_WEIGHTS,
    weights: Tensor | None = None,
    classes: int = 2,
) -> TrainedBody:
    """Train both and compare losses, weights and predictions of every replicate."""
    data = dataset(encounters, labels_of(encounters, classes=classes), weights)
    own_keys = keys(*range(replicates))
    rows = torch.stack([torch.randperm(len(encounters)) for _ in range(replicates)])
    width = vectors.shape[-1]
    start = start or initial_weights(own_keys, width, settings.filters, classes, torch.float64)
    found, losses, body = train_engine(
        data, vectors.to(dtype), rows, own_keys, start.to(dtype=dtype), settings, steps, tuning
    )
    everyone = torch.arange(len(encounters))
    probability = predict(found, vectors.to(dtype), data, everyone)
    for i in range(replicates):
        own_vectors = vectors[i] if vectors.dim() == 3 else vectors
        model, expected = train_reference(
            encounters,
            data,
            rows[i],
            own_keys[i : i + 1],
            settings,
            steps,
            own_vectors,
            start.select([i]),
            tuning.frozen,
            tuning.decay.pull is not None,
        )
        close = {"rtol": tolerance, "atol": tolerance}
        torch.testing.assert_close(
            torch.tensor([step[i] for step in losses]), torch.tensor(expected), **close
        )
        for name, value in vars(model.weights()).items():
            torch.testing.assert_close(
                getattr(found, name)[i : i + 1].double(), value.double(), **close
            )
        with torch.no_grad():
            truth = model(pad(encounters, model.padding)).softmax(1)
        torch.testing.assert_close(probability[i], truth, **close)
    return body


ENCOUNTERS = random_encounters(45, 12, 6, seed=1)


FORMS = pytest.mark.parametrize(
    ("width", "optimizer", "form"),
    [(30, "sgd", GramConvolution), (7, "sgd", DirectConvolution), (30, "adamw", DirectConvolution)],
)


@pytest.mark.parametrize("classes", [2, 3, 6])
@pytest.mark.parametrize("dropout", [0.0, 0.5])
@FORMS
def test_two_hundred_steps_equal_the_plain_model(
    classes: int, dropout: float, width: int, optimizer: str, form: type
) -> None:
    settings = training(dropout=dropout, optimizer=optimizer, learning_rate=0.02)
    body = compare(ENCOUNTERS, vectors_of(12, width), settings, classes=classes)
    assert isinstance(body.convolution, form)


@pytest.mark.parametrize("classes", [2, 3])
@FORMS
def test_decay_towards_the_start_equals_a_penalty_on_the_way_from_it(
    classes: int, width: int, optimizer: str, form: type
) -> None:
    """On the convolution itself, in both forms of it; a decay that is strong enough to tell."""
    settings = training(optimizer=optimizer, learning_rate=0.02, weight_decay=0.3)
    source = initial_weights(keys(7, 8), width, 5, classes, torch.float64)
    towards_start = Tuning(decay=Decay(lambda parameters, start: parameters - start))
    body = compare(
        *(ENCOUNTERS, vectors_of(12, width), settings),
        start=source,
        tuning=towards_start,
        classes=classes,
    )
    assert isinstance(body.convolution, form)


@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
def test_the_strength_of_decay_may_differ_from_the_settings(optimizer: str) -> None:
    vectors, chosen = vectors_of(12, 30), training(optimizer=optimizer, weight_decay=0.2)
    told = Tuning(decay=Decay(lambda parameters, _: parameters, strength=0.2))
    expected = run(ENCOUNTERS, vectors, chosen, [0, 1])
    result = run(*(ENCOUNTERS, vectors, training(optimizer=optimizer), [0, 1]), tuning=told)
    torch.testing.assert_close(result.weights.linear, expected.weights.linear)


def test_a_strong_decay_towards_the_start_stays_there() -> None:
    """Also for those of its replicates that go on when others have stopped."""
    chosen = training(weight_decay=15, epochs=30, patience=2)
    towards_start = Tuning(decay=Decay(lambda parameters, start: parameters - start))
    start = initial_weights(keys(0, 1, 2), 30, 5, dtype=torch.float64)
    result = run(
        *(ENCOUNTERS, vectors_of(12, 30), chosen, [0, 1, 2]), start=start, tuning=towards_start
    )
    assert len(set(result.epochs)) > 1
    torch.testing.assert_close(result.weights.linear, start.linear, atol=0.1, rtol=0)


@pytest.mark.parametrize("width", [30, 7])
def test_float32_stays_within_a_ten_thousandth(width: int) -> None:
    """200 steps in float32 against float64: rounding alone, no bias of the method."""
    vectors = vectors_of(12, width).float().double()
    compare(ENCOUNTERS, vectors, training(dropout=0.5), dtype=torch.float32, tolerance=1e-4)


def test_orthogonal_vectors_need_no_gram_product() -> None:
    body = compare(ENCOUNTERS, torch.eye(12, 15, dtype=torch.float64) * 2, training())
    assert body.convolution.gram.shape[-1] == 1


@pytest.mark.parametrize("width", [30, 7])
def test_replicates_may_have_tables_of_their_own(width: int) -> None:
    compare(ENCOUNTERS, vectors_of(3, 12, width), training(), replicates=3)


@pytest.mark.parametrize("width", [300, 7])
def test_batches_that_touch_a_small_part_of_the_vocabulary(width: int) -> None:
    encounters = random_encounters(60, 200, 4, seed=2)
    body = compare(encounters, vectors_of(2, 200, width) / width**0.5, training(), steps=60)
    assert body.convolution.tokens < 200
    rows = torch.arange(8).expand(1, 2, 8)
    assert body.inputs(rows)[0].touched is not None


@pytest.mark.parametrize("classes", [2, 4])
@pytest.mark.parametrize("frozen", [True, False])
def test_tuning_starts_from_the_source_weights(frozen: bool, classes: int) -> None:
    settings = training(learning_rate=0.01)
    source = initial_weights(keys(7, 8), 30, 5, classes, torch.float64)
    compare(
        *(ENCOUNTERS, vectors_of(12, 30), settings),
        start=source,
        tuning=Tuning(frozen),
        classes=classes,
    )


@pytest.mark.parametrize("classes", [2, 4])
@pytest.mark.parametrize("class_weight", ["none", "balanced"])
def test_weighted_encounters_and_classes(class_weight: str, classes: int) -> None:
    weights = torch.linspace(0.1, 2, len(ENCOUNTERS))
    settings = training(class_weight=class_weight)
    compare(ENCOUNTERS, vectors_of(12, 30), settings, weights=weights, classes=classes)


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.lists(st.integers(0, 8), max_size=5), min_size=1, max_size=20),
    st.integers(1, 14),
    st.integers(1, 3),
    st.sampled_from([1, 4, 64]),
    st.sampled_from([0.0, 0.3]),
    st.booleans(),
    st.integers(2, 5),
)
def test_any_shape_equals_the_plain_model(
    encounters: Encounters,
    width: int,
    replicates: int,
    batch: int,
    dropout: float,
    own_tables: bool,
    classes: int,
) -> None:
    """One finding, none, repeated ones; vocabularies on either side of the width."""
    shape = (replicates, 9, width) if own_tables else (9, width)
    chosen = training(batch_size=batch, dropout=dropout, filters=3)
    compare(encounters, vectors_of(*shape), chosen, replicates, steps=12, classes=classes)


def run(
    encounters: Encounters,
    vectors: Tensor,
    chosen: Training,
    replicates: list[int],
    early: bool = True,
    validation: int = 15,
    classes: int = 2,
    **options: object,
):
    """`fit` on the encounters, the last of which validate."""
    data = dataset(encounters, labels_of(encounters, classes=classes))
    split = len(encounters) - validation
    rows = torch.arange(len(encounters)).expand(len(replicates), -1)
    width = vectors.shape[-1]
    start = initial_weights(keys(*replicates), width, chosen.filters, classes, vectors.dtype)
    arguments = {"start": start} | options
    return fit(
        data,
        vectors,
        rows[:, :split],
        rows[:, split:],
        keys(*replicates),
        settings=chosen,
        early_stopping=[early] * len(replicates),
        **arguments,
    )


@pytest.mark.parametrize("classes", [2, 4])
@pytest.mark.parametrize(("tokens", "longest"), [(12, 6), (400, 5)])
@pytest.mark.parametrize("width", [500, 30, 7])
@pytest.mark.parametrize("frozen", [True, False])
def test_a_replicate_does_not_depend_on_its_company(
    classes: int, tokens: int, longest: int, width: int, frozen: bool
) -> None:
    """Bit for bit, also after others stopped earlier."""
    encounters = random_encounters(90, tokens, longest, seed=1)
    vectors = vectors_of(tokens, width, dtype=torch.float32) * (3 / width**0.5)
    chosen = training(epochs=20, patience=3, filters=20)
    options = {"classes": classes, "tuning": Tuning(frozen)}
    together = run(encounters, vectors, chosen, list(range(10)), **options)
    alone = run(encounters, vectors, chosen, [7], **options)
    assert len(set(together.epochs)) > 1
    assert together.epochs[7] == alone.epochs[0]
    for name, value in vars(alone.weights).items():
        assert torch.equal(getattr(together.weights, name)[7:8], value)
    data = dataset(encounters, [0] * len(encounters))
    every = torch.arange(len(encounters))
    in_company, by_itself = (
        predict(each.weights, vectors, data, every) for each in (together, alone)
    )
    assert torch.equal(in_company[7], by_itself[0])


@pytest.mark.parametrize(("tokens", "tolerance"), [(12, 0.0), (400, 1e-5)])
@pytest.mark.parametrize("width", [500, 30, 7])
@pytest.mark.parametrize("rank", [1, 3, 8])
def test_an_update_of_low_rank_does_not_depend_on_its_company(
    tokens: int, tolerance: float, width: int, rank: int
) -> None:
    """Bit for bit, or but for rounding where batches touch a part of a large vocabulary."""
    encounters = random_encounters(90, tokens, 6, seed=1)
    vectors = vectors_of(tokens, width, dtype=torch.float32) * (3 / width**0.5)
    chosen, tuning = training(epochs=20, patience=3, filters=20), Tuning(rank=rank)
    together = run(encounters, vectors, chosen, list(range(10)), tuning=tuning)
    alone = run(encounters, vectors, chosen, [7], tuning=tuning)
    assert len(set(together.epochs)) > 1
    assert together.epochs[7] == alone.epochs[0]
    for name, value in vars(alone.weights).items():
        found = getattr(together.weights, name)[7:8]
        torch.testing.assert_close(found, value, atol=tolerance, rtol=0)


@pytest.mark.parametrize("frozen", [True, False])
def test_large_sites_train_as_small_ones_do(frozen: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is too large to keep is made again, in parts, and the result is the same."""
    vectors = vectors_of(12, 30, dtype=torch.float32)
    chosen = training(epochs=5, patience=2)
    small = run(ENCOUNTERS, vectors, chosen, [0, 1], tuning=Tuning(frozen))
    monkeypatch.setattr("concept_transfer.training.bodies.STORED_NUMBERS", 0)
    monkeypatch.setattr("concept_transfer.training.validation.ENCOUNTERS_KEPT_READY", 0)
    monkeypatch.setattr("concept_transfer.training.validation.ENCOUNTERS_AT_ONCE", 8)
    monkeypatch.setattr("concept_transfer.training.stacking.MATRIX_NUMBERS", 0)
    monkeypatch.setattr("concept_transfer.training.batches.NUMBERS_AT_ONCE", 1)
    large = run(ENCOUNTERS, vectors, chosen, [0, 1], tuning=Tuning(frozen))
    assert large.epochs == small.epochs
    for name, value in vars(small.weights).items():
        assert torch.equal(getattr(large.weights, name), value)


@pytest.mark.parametrize("monitor", ["log_loss", "auroc"])
@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("start_competes", [False, True])
def test_early_stopping_keeps_the_best_epoch_of_a_plain_loop(
    start_competes: bool, classes: int, monitor: str
) -> None:
    """Where the start competes, it is epoch 0 of the loop."""
    chosen = training(epochs=15, patience=4, learning_rate=0.1, monitor=monitor)
    vectors, tuning = vectors_of(12, 30), Tuning(start_competes=start_competes)
    result = run(ENCOUNTERS, vectors, chosen, [0, 1, 2], classes=classes, tuning=tuning)
    labels = labels_of(ENCOUNTERS, classes=classes)
    data = dataset(ENCOUNTERS, labels)
    start = initial_weights(keys(0, 1, 2), 30, 5, classes, torch.float64)
    rows = torch.arange(30)
    for i in range(3):
        best, kept, epoch = float("inf"), None, -1 if start_competes else 0
        while epoch < chosen.epochs and epoch - (kept[0] if kept else 0) < chosen.patience:
            epoch += 1
            model, _ = train_reference(
                ENCOUNTERS, data, rows, keys(i), chosen, 4 * epoch, vectors, start.select([i])
            )
            with torch.no_grad():
                probability = model(pad(ENCOUNTERS[30:], model.padding)).softmax(1)
            score = validation_score(labels[30:], probability, monitor)
            if score < best:
                best, kept = score, (epoch, model.weights())
        assert result.epochs[i] == kept[0]
        assert result.scores[i] == pytest.approx(best, abs=1e-9)
        torch.testing.assert_close(result.weights.convolution[i], kept[1].convolution[0])


def validation_score(labels: list[int], probability: Tensor, monitor: str) -> float:
    """What scikit-learn says, lower is better; probability: [n, K]."""
    classes = probability.shape[1]
    if monitor == "log_loss":
        return log_loss(labels, probability, labels=range(classes))
    scores = probability[:, 1] if classes == 2 else probability
    return -roc_auc_score(labels, scores, multi_class="ovr", labels=range(classes))


def test_the_paper_s_protocol_is_fifty_times_a_hundred_batches() -> None:
    """Batches go on from pass to pass: an epoch is so many batches, not the data once."""
    chosen = training(protocol="gao2024", filters=2, monitor="auroc")
    assert (chosen.epochs, chosen.iterations, chosen.learning_rate) == (50, 100, 0.05)
    vectors = vectors_of(12, 30)
    result = run(ENCOUNTERS, vectors, chosen, [0], early=False)
    assert result.epochs == [50]
    data = dataset(ENCOUNTERS, labels_of(ENCOUNTERS))
    start = initial_weights(keys(0), 30, 2, dtype=torch.float64)
    rows = torch.arange(30)[None]
    stepped, _, _ = train_engine(data, vectors, rows, keys(0), start, chosen, 50 * 100)
    assert torch.equal(result.weights.convolution, stepped.convolution)


def test_batches_are_passes_over_all_rows() -> None:
    data = dataset(ENCOUNTERS, labels_of(ENCOUNTERS))
    seen = reference_batches(ENCOUNTERS, data, torch.arange(45), keys(0), training(), 12, 12)
    sizes = [len(labels) for _, labels, _, _ in seen]
    assert sizes == [8, 8, 8, 8, 8, 5] * 2


def test_an_encounter_without_findings_has_the_zero_feature() -> None:
    start = initial_weights(keys(0, 1), 4, 5)
    data = dataset([[], [1], []], [0, 1, 0])
    probability = predict(start, torch.ones(2, 4), data, torch.arange(3))
    bias = start.linear_bias
    expected = (bias[:, 1] - bias[:, 0]).double().sigmoid()
    torch.testing.assert_close(probability[:, 0, 1], expected)
    assert torch.equal(probability[:, 0], probability[:, 2])


@pytest.mark.parametrize(
    "encounters",
    [[[0]] * 20, [[]] * 20, [[], [0]] * 10],
    ids=["one token", "nothing at all", "empty and one token"],
)
def test_a_vocabulary_of_one_token(encounters: Encounters) -> None:
    for width in (1, 3):
        compare(encounters, vectors_of(1, width), training(), steps=20)


def test_single_class_data_trains_to_certainty() -> None:
    data = dataset(ENCOUNTERS, [1] * 45)
    rows, chosen = torch.arange(45)[None], training(epochs=30, class_weight="balanced")
    start = initial_weights(keys(0), 30, 5, dtype=torch.float64)
    result = fit(data, vectors_of(12, 30), rows, rows, keys(0), start, chosen, [True])
    assert not result.diverged[0]
    assert float(predict(result.weights, vectors_of(12, 30), data, rows[0])[..., 1].min()) > 0.9


def test_no_validation_rows() -> None:
    result = run(ENCOUNTERS, vectors_of(12, 30), training(fixed_epochs=3), [0, 1], False, 0)
    assert result.epochs == [3, 3]
    assert result.diverged == [False, False]


def test_a_nan_in_one_replicate_s_vectors_is_a_divergence() -> None:
    vectors = vectors_of(3, 12, 30, dtype=torch.float32)
    broken = vectors.clone()
    broken[1, 4, 2] = torch.nan
    chosen = training(epochs=5)
    healthy = run(ENCOUNTERS, vectors, chosen, [0, 1, 2])
    result = run(ENCOUNTERS, broken, chosen, [0, 1, 2])
    assert result.diverged == [False, True, False]
    for i in (0, 2):
        assert torch.equal(result.weights.convolution[i], healthy.weights.convolution[i])


@pytest.mark.parametrize("width", [30, 7])
@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
def test_a_learning_rate_that_diverges_is_recorded(width: int, optimizer: str) -> None:
    """Values run to infinity and NaN without an exception."""
    chosen = training(learning_rate=1e12, epochs=60, weight_decay=0.1, optimizer=optimizer)
    vectors = vectors_of(12, width, dtype=torch.float32) * 1e6
    result = run(ENCOUNTERS, vectors, chosen, [0, 1])
    assert result.diverged == [True, True]


def test_a_diverging_replicate_leaves_the_others_alone() -> None:
    vectors = vectors_of(2, 12, 30, dtype=torch.float32)
    vectors[0] *= 1e15
    chosen = training(epochs=6)
    result = run(ENCOUNTERS, vectors, chosen, [0, 1])
    alone = run(ENCOUNTERS, vectors[1:], chosen, [1])
    assert result.diverged == [True, False]
    assert torch.equal(result.weights.convolution[1], alone.weights.convolution[0])


def test_balanced_classes_count_alike() -> None:
    """Equal to weights inverse to the class's frequency among the training rows."""
    labels = torch.tensor(labels_of(ENCOUNTERS))
    share = labels.double().mean()
    data = dataset(ENCOUNTERS, labels.tolist())
    weighted = dataset(
        ENCOUNTERS, labels.tolist(), torch.where(labels == 1, 0.5 / share, 0.5 / (1 - share))
    )
    rows, vectors = torch.arange(45)[None], vectors_of(12, 30)
    start = initial_weights(keys(0), 30, 5, dtype=torch.float64)
    fits = [
        fit(each, vectors, rows, rows, keys(0), start, training(class_weight=kind), [False])
        for each, kind in ((data, "balanced"), (weighted, "none"))
    ]
    torch.testing.assert_close(fits[0].weights.convolution, fits[1].weights.convolution)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 6), st.integers(0, 1)), min_size=2, max_size=30))
def test_auroc_equals_scikit_learn(rows: list[tuple[int, int]]) -> None:
    scores, labels = torch.tensor(rows).T
    found = auroc(scores[None].double(), labels[None])
    if 0 < labels.sum() < len(labels):
        assert float(found) == pytest.approx(roc_auc_score(labels, scores), abs=1e-12)
    else:
        assert bool(found.isnan())


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 30)), min_size=1, max_size=30))
def test_macro_auroc_is_the_mean_over_the_classes_that_are_there(
    rows: list[tuple[int, int]],
) -> None:
    labels, numbers = torch.tensor(rows).T
    probability = (numbers[:, None] * torch.arange(1, 5) % 7 / 3.0).double().softmax(1)
    present = [one for one in range(4) if 0 < int((labels == one).sum()) < len(labels)]
    areas = [roc_auc_score(labels == one, probability[:, one]) for one in present]
    found = macro_auroc(probability[None], labels[None])
    expected = sum(areas) / len(areas) if areas else float("nan")
    assert float(found) == pytest.approx(expected, abs=1e-12, nan_ok=True)


def test_validation_of_one_class_alone_is_judged_by_its_log_loss() -> None:
    data = dataset(ENCOUNTERS, [0, 1, 2] * 10 + [1] * 15)
    rows, vectors = torch.arange(45)[None], vectors_of(12, 30)
    start = initial_weights(keys(0), 30, 5, 3, torch.float64)
    chosen = training(monitor="auroc", epochs=4)
    result = fit(data, vectors, rows[:, :30], rows[:, 30:], keys(0), start, chosen, [True])
    risk = predict(result.weights, vectors, data, rows[0, 30:])[0, :, 1]
    assert result.scores[0] == pytest.approx(float(-risk.log().mean()))


def test_the_reference_is_the_paper_s_model() -> None:
    """Against the formula, on one encounter: max over findings of ReLU(w.x + b), then linear."""
    vectors = vectors_of(6, 4)
    model = PlainCNN(vectors, 3)
    hidden = (vectors[[1, 5]] @ model.convolution.weight[:, :, 0].T + model.convolution.bias).relu()
    expected = hidden.max(0).values @ model.linear.weight.T + model.linear.bias
    found = model(torch.tensor([[1, 5, 6]]))
    torch.testing.assert_close(found[0], expected)
