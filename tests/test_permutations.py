"""The permutation test of meaning: exact p values, corrected for each other, on shared draws."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
from cell_data import from_source, workbench
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score
from test_cells import SETTINGS, TOKENS, target_site

from concept_transfer.cell import Cell
from concept_transfer.comparison.permutations import max_t
from concept_transfer.concepts.vocabulary import Vocabulary
from concept_transfer.embeddings.controls import generator, permuted_rows
from concept_transfer.embeddings.table import EmbeddingTable, TableCard
from concept_transfer.evaluation.shuffles import shuffled_rows
from concept_transfer.training.block import Block
from concept_transfer.training.shuffles import ShuffledBlock, Use, apply_shuffled


def cells(count: int) -> list[Cell]:
    return [Cell("north", "south", f"model{i}", "cnn", "direct", "0") for i in range(count)]


@settings(max_examples=50, deadline=None)
@given(seed=st.integers(0, 10_000), count=st.integers(1, 4), shuffles=st.integers(1, 30))
def test_p_values_equal_a_plain_reference(seed: int, count: int, shuffles: int) -> None:
    values = np.random.default_rng(seed).normal(0.8, 0.02, (count, 1 + shuffles)).round(3)
    found = max_t(dict(zip(cells(count), values, strict=True)))
    spread = values.std(axis=1)
    gains = [
        (row - row.mean()) / (s if s > 0 else 1.0) for row, s in zip(values, spread, strict=True)
    ]
    order = sorted(range(count), key=lambda i: -gains[i][0])
    largest_before = 0.0
    for place, own in enumerate(order):
        rest = order[place:]
        reached = [
            max(gains[i][s] for i in rest) >= gains[own][0] - 1e-12 for s in range(1 + shuffles)
        ]
        largest_before = max(largest_before, float(np.mean(reached)))
        test = found[cells(count)[own]]
        if len({gains[i][0] for i in order}) == count:  # ties may come in any order
            assert test.p_max_t == pytest.approx(largest_before)
        assert test.p == pytest.approx(np.mean(values[own] >= values[own][0] - 1e-12))
        assert 1 / (1 + shuffles) <= test.p <= test.p_max_t <= 1


def test_no_shuffles_no_miracle() -> None:
    """Five shuffles cannot give less than one in six, however far the real one stands out."""
    found = max_t({cells(1)[0]: np.array([0.99, 0.5, 0.51, 0.5, 0.52, 0.5])})
    assert found[cells(1)[0]].p_max_t == pytest.approx(1 / 6)


def test_family_wise_error_of_dependent_cells() -> None:
    rng = np.random.default_rng(3)
    wrong = 0
    for _ in range(400):
        shared = rng.normal(size=40)
        values = 0.8 + 0.02 * (shared + rng.normal(size=(4, 40)))
        found = max_t(dict(zip(cells(4), values, strict=True)))
        wrong += any(test.p_max_t <= 0.05 for test in found.values())
    assert wrong / 400 <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / 400)


def a_vocabulary(concepts: int) -> Vocabulary:
    rows = [(f"c{i}", f"c{i}", "finding", s, f"{s} {i}") for i in range(concepts) for s in "pa"]
    return Vocabulary(*(tuple(column) for column in zip(*rows, strict=True)))


def test_every_exchange_of_concepts_is_equally_likely() -> None:
    """Unlike the shuffled control, which leaves no concept in place."""
    vocabulary = a_vocabulary(3)
    known = np.ones(len(vocabulary), bool)
    seen = [
        tuple(
            (permuted_rows(vocabulary, known, generator(1, s, "permutation"))[1::2] // 2).tolist()
        )
        for s in range(3000)
    ]
    for order in permutations(range(3)):
        assert seen.count(order) == pytest.approx(500, abs=5 * np.sqrt(500))


def test_a_shuffle_trains_what_its_vectors_would_train_alone() -> None:
    """A block over shuffles and replicates equals plain blocks on the permuted tables."""
    source, target = target_site("north", 160, seed=1), target_site("south", seed=2)
    vocabulary = a_vocabulary(TOKENS // 2)
    vectors = np.random.default_rng(4).normal(size=(TOKENS, 14)).astype(np.float32)
    card = TableCard("minilm", "precomputed", vocabulary.digest, "", 14, {})
    block = ShuffledBlock.of(7, [3, 9], [0, 1])
    training = SETTINGS.model_dump()
    uses = {
        "direct": Use.of({"kind": "direct"}, training, "0"),
        "full": Use.of({"kind": "full"}, training, "50"),
    }
    drawn = block.vectors(EmbeddingTable(vectors, card), vocabulary)
    bench = workbench(block, drawn)
    found = {
        name: predictions
        for _, name, predictions in apply_shuffled(bench, source, [target], SETTINGS, uses)
    }
    for place, (shuffle, replicate) in enumerate(block.drawn):
        rng = generator(7, shuffle, "permutation")
        permuted = vectors[permuted_rows(vocabulary, np.ones(TOKENS, bool), rng)]
        alone = workbench(Block(7, [replicate]), permuted)
        plain = {
            name: from_source(alone, target, use.strategy.kind, use.size, SETTINGS, source)
            for name, use in uses.items()
        }
        for name, predictions in plain.items():
            np.testing.assert_allclose(
                found[name].tested(place)[1], predictions.tested(replicate)[1], atol=1e-5
            )
    rows = shuffled_rows(cells(1)[0], found["direct"], block.drawn)
    assert [(row["shuffle"], row["replicate"]) for row in rows] == list(block.drawn)
    labels, probability, _ = found["direct"].tested(2)
    assert rows[2]["auroc"] == pytest.approx(roc_auc_score(labels, probability))
