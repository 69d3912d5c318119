"""The encoders of codes against formulas, and that no token sees more than its row."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional

from concept_transfer.errors import StudyError
from concept_transfer.models.code_encoder import (
    CodeModel,
    model_of,
    new_model,
    weights_of,
)
from concept_transfer.models.code_layers import (
    Attention,
    Dropout,
    FeedForward,
    Time2Vec,
    rotary_turns,
    turned,
)
from concept_transfer.pretraining.batches import Batch, Sequences, packed
from concept_transfer.pretraining.encoder import EncoderFiles
from concept_transfer.pretraining.vocabulary import PAD, vocabulary_of
from tests.history_data import chains, encoder

VARIANTS = {
    "transformer": {},
    "learned places": {"rotary": False, "swiglu": False, "position": True},
    "bare": {"segments": False, "age": False, "background": False},
    "gru": {"body": "gru"},
}


def some(**settings: object) -> tuple[CodeModel, Sequences, EncoderFiles]:
    data, chosen = chains(12, 1), encoder(**settings)
    vocabulary = vocabulary_of([data], [np.arange(12)], chosen)
    model = new_model(chosen, len(vocabulary), 3).eval()
    files = EncoderFiles(chosen, vocabulary, weights_of(model), {"epochs": 0})
    return model, Sequences.of(data, vocabulary, chosen), files


def test_time2vec_is_its_formula() -> None:
    layer = Time2Vec(6)
    times = torch.tensor([[0.0, 1.5], [-3.0, torch.nan]])
    found = layer(times).detach().numpy()
    w, b = layer.weight.detach().numpy(), layer.bias.detach().numpy()
    for row, column in ((0, 0), (0, 1), (1, 0)):
        time = float(times[row, column])
        expected = [w[0] * time + b[0], *(np.cos(w[k] * time + b[k]) for k in range(1, 6))]
        np.testing.assert_allclose(
            found[row, column], layer.share.item() * np.array(expected), rtol=1e-5
        )
    assert not found[1, 1].any()


@given(st.integers(0, 300), st.integers(0, 300), st.integers(0, 200))
def test_rotary_scores_depend_on_the_distance_alone(first: int, second: int, shift: int) -> None:
    generator = torch.Generator().manual_seed(first)
    query, key = torch.randn(2, 1, 1, 1, 8, generator=generator)
    turns = rotary_turns(501, 8)

    def score(place: int, other: int) -> float:
        here, there = turned(query, turns[[place]]), turned(key, turns[[other]])
        return float((here * there).sum())

    assert score(first, second) == pytest.approx(score(first + shift, second + shift), abs=2e-3)


def test_rotary_is_its_formula() -> None:
    vectors, width = torch.randn(1, 1, 4, 6), 6
    found = turned(vectors, rotary_turns(4, width))
    for place in range(4):
        for k in range(width // 2):
            angle = place * 10_000 ** (-2 * k / width)
            x, y = vectors[0, 0, place, 2 * k : 2 * k + 2].tolist()
            expected = [
                x * np.cos(angle) - y * np.sin(angle),
                x * np.sin(angle) + y * np.cos(angle),
            ]
            np.testing.assert_allclose(found[0, 0, place, 2 * k : 2 * k + 2], expected, atol=1e-5)


@pytest.mark.parametrize("rotary", [False, True])
def test_attention_is_that_of_a_plain_loop(rotary: bool) -> None:
    layer, hidden, length = Attention(encoder()), torch.randn(1, 5, 16), 5
    query, key, value = (
        part.view(5, 2, 8) for part in layer.inward(hidden)[0].detach().split(16, -1)
    )

    def at(vector: torch.Tensor, place: int) -> torch.Tensor:
        pairs = vector.view(4, 2).numpy() @ np.array([1, 1j])
        angles = place * 10_000 ** (-np.arange(4) / 4) * rotary
        rotated = pairs * np.exp(1j * angles)
        return torch.tensor(np.stack([rotated.real, rotated.imag], -1).reshape(8))

    expected = torch.zeros(5, 2, 8)
    for i in range(length):
        for head in range(2):
            scores = torch.stack(
                [at(query[i, head], i) @ at(key[j, head], j) / 8**0.5 for j in range(length)]
            )
            expected[i, head] = (scores.softmax(0)[:, None] * value[:, head]).sum(0)
    found = layer(hidden, rotary_turns(5, 8) if rotary else None, None)[0]
    torch.testing.assert_close(found, layer.outward(expected.view(5, 16)), atol=1e-5, rtol=1e-4)


def test_swiglu_and_gelu_are_their_formulas() -> None:
    hidden = torch.randn(3, 16)
    gated, plain = FeedForward(encoder()), FeedForward(encoder(swiglu=False))
    w, b = gated.inward.weight, gated.inward.bias
    gate, inner = hidden @ w[:32].T + b[:32], hidden @ w[32:].T + b[32:]
    expected = (gate / (1 + (-gate).exp()) * inner) @ gated.outward.weight.T + gated.outward.bias
    torch.testing.assert_close(gated(hidden), expected)
    inner = plain.inward(hidden)
    inner = inner * 0.5 * (1 + torch.erf(inner / 2**0.5))
    torch.testing.assert_close(plain(hidden), plain.outward(inner))


def test_dropout_has_its_rate_and_keeps_the_mean() -> None:
    layer, ones = Dropout(0.25), torch.ones(701, 333)
    torch.manual_seed(0)
    found = layer(ones)
    assert (found == 0).float().mean().item() == pytest.approx(0.25, abs=0.005)
    assert found.mean().item() == pytest.approx(1, abs=0.01)
    assert found[found > 0].unique().tolist() == pytest.approx([4 / 3])
    assert layer.eval()(ones) is ones


@pytest.mark.parametrize("variant", VARIANTS)
def test_rows_and_padding_do_not_meet(variant: str) -> None:
    model, sequences, _ = some(**VARIANTS[variant])
    lengths = sequences.lengths
    together = sequences.batch(np.arange(12))
    said = model(together)
    for row in range(12):
        alone = model(sequences.batch(np.array([row])))[0]
        torch.testing.assert_close(said[row, : lengths[row]], alone, atol=1e-5, rtol=1e-4)
    padding = ~together.real
    spoilt = replace(
        together,
        codes=together.codes.masked_fill(padding, 5),
        segments=together.segments.masked_fill(padding, 2),
        ages=together.ages.masked_fill(padding, 99.0),
        times=together.times.masked_fill(padding, 99.0),
    )
    torch.testing.assert_close(model(spoilt)[together.real], said[together.real])


@pytest.mark.parametrize("variant", VARIANTS)
def test_some_places_alone_are_as_among_all(variant: str) -> None:
    model, sequences, _ = some(**VARIANTS[variant])
    batch = sequences.batch(np.arange(12))
    at = batch.real & (torch.rand(batch.codes.shape) < 0.3)
    torch.testing.assert_close(model(batch, at), model(batch)[at])


@pytest.mark.parametrize("variant", VARIANTS)
def test_every_token_of_a_row_counts(variant: str) -> None:
    """Each of the first tokens changes what is said at the last one, and backwards."""
    model, sequences, _ = some(**VARIANTS[variant])
    batch = sequences.batch(np.array([0]))
    before, length = model(batch)[0], int(batch.lengths[0])
    for place in (1, length - 1):
        codes = batch.codes.clone()
        codes[0, place] = 4 + (codes[0, place] - 3) % 6
        changed = (model(replace(batch, codes=codes))[0] - before).abs().amax(1)
        assert changed[0] > 1e-6
        assert changed[-1] > 1e-6


@pytest.mark.parametrize(("key", "field"), [("age", "ages"), ("position", "times")])
def test_ages_and_times_count_where_asked(key: str, field: str) -> None:
    for asked in (False, True):
        model, sequences, _ = some(**{key: asked})
        batch = sequences.batch(np.array([0]))
        later = replace(batch, **{field: getattr(batch, field) + 5})
        assert torch.equal(model(batch), model(later)) != asked


def test_logits_are_products_with_the_vectors_of_codes() -> None:
    model, sequences, _ = some()
    hidden = model(sequences.batch(np.array([2])))
    expected = hidden @ model.embedding.codes.weight.T + model.code_bias
    torch.testing.assert_close(model.code_logits(hidden), expected)
    assert functional.softmax(expected, -1).sum(-1).allclose(torch.ones(()))


def test_files_are_read_as_they_were_written(tmp_path: Path) -> None:
    model, sequences, files = some(prolonged_stay=7)
    files.write(tmp_path)
    read = EncoderFiles.read(tmp_path)
    assert (read.settings, read.vocabulary, read.facts) == (
        files.settings,
        files.vocabulary,
        files.facts,
    )
    batch = sequences.batch(np.arange(3))
    assert torch.equal(model_of(read)(batch), model(batch))
    (tmp_path / "encoder.json").write_text("{}")
    with pytest.raises(StudyError, match="is damaged"):
        EncoderFiles.read(tmp_path)
    (tmp_path / "weights.safetensors").unlink()
    (tmp_path / "encoder.json").unlink()
    with pytest.raises(StudyError, match="does not exist"):
        EncoderFiles.read(tmp_path)


def test_the_seed_gives_the_weights_and_leaves_the_global_one() -> None:
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    first, again, other = (new_model(encoder(), 20, seed) for seed in (1, 1, 2))
    assert torch.equal(torch.rand(3), expected)
    weights = [weights_of(model) for model in (first, again, other)]
    assert all(np.array_equal(weights[0][name], weights[1][name]) for name in weights[0])
    name = "blocks.0.attention.inward.weight"
    assert not np.array_equal(weights[0][name], weights[2][name])


@given(st.lists(st.integers(1, 60), max_size=80), st.integers(1, 200), st.integers(0, 9))
def test_packing_takes_every_row_once_within_the_budget(
    lengths: list[int], budget: int, seed: int
) -> None:
    array = np.array(lengths, np.int64)
    for generator in (None, np.random.default_rng(seed)):
        batches = packed(array, budget, generator)
        taken = sorted(row for batch in batches for row in batch.tolist())
        assert taken == list(range(len(lengths)))
        for batch in batches:
            assert len(batch) == 1 or len(batch) * array[batch].max() <= budget


def test_packing_leaves_little_padding() -> None:
    lengths = np.random.default_rng(0).gamma(4, 20, 3000).astype(np.int64) + 2
    batches = packed(lengths, 4096, np.random.default_rng(1))
    assert sum(len(batch) * lengths[batch].max() for batch in batches) < 1.06 * lengths.sum()


def test_a_batch_says_where_padding_is() -> None:
    _, sequences, _ = some()
    batch: Batch = sequences.batch(np.arange(12))
    assert torch.equal(batch.real, batch.codes != PAD)
    assert torch.equal(batch.real.sum(1), batch.lengths)
