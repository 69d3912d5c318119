"""Histories that are cut off and asked for the next visit, against a plain reading of them."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from concept_transfer.inputs.history import History
from concept_transfer.models.code_encoder import model_of
from concept_transfer.models.history_reader import Reader, Reading
from concept_transfer.pretraining.batches import Batch, Sequences
from concept_transfer.pretraining.next_visits import cut_off
from concept_transfer.pretraining.pretrain import pretrain
from concept_transfer.pretraining.vocabulary import MASK, SPECIALS, CodeVocabulary
from tests.history_data import chains, encoder, history

KNOWN = CodeVocabulary(("S/F", "S/M", *(f"D/{code:02d}" for code in range(8))), 2)


def some(seed: int) -> Batch:
    """Of 40 patients, of whose 12 codes eight are known."""
    return Sequences.of(chains(40, seed), KNOWN, encoder(max_length=24)).batch(np.arange(40))


@given(st.integers(0, 99), st.sampled_from([0.0, 0.5, 1.0]))
@settings(max_examples=20, deadline=None)
def test_a_row_ends_before_the_visit_that_is_asked_for(seed: int, share: float) -> None:
    batch = some(seed)
    found = cut_off(batch, KNOWN, share, np.random.default_rng(seed))
    answers = iter(found.answers)
    for row in range(len(batch)):
        before, length = int(batch.lengths[row]), int(found.batch.lengths[row])
        if not found.asked[row].any():
            assert length == before
            assert torch.equal(found.batch.codes[row, :length], batch.codes[row, :before])
            assert torch.equal(found.batch.segments[row, :length], batch.segments[row, :before])
            continue
        last = length - 1
        assert found.asked[row].nonzero().flatten().tolist() == [last]
        assert found.batch.codes[row, last] == MASK
        assert found.batch.segments[row, last] == 1
        assert torch.equal(found.batch.codes[row, :last], batch.codes[row, :last])
        asked = int(batch.segments[row, last])
        assert (batch.segments[row, last:before] <= asked).all()
        moved = [segment and segment - asked + 1 for segment in batch.segments[row, :last].tolist()]
        assert found.batch.segments[row, :last].tolist() == moved
        assert min(segment for segment in moved if segment) == 2
        visit = batch.codes[row, batch.segments[row] == asked]
        codes = sorted({code for code in visit.tolist() if code >= KNOWN.first_event})
        expected = torch.zeros(len(KNOWN)).index_fill_(0, torch.tensor(codes), 1 / len(codes))
        torch.testing.assert_close(next(answers), expected)
        for field in ("ages", "times"):
            start, own, end = (
                getattr(of, field)[row, place]
                for of, place in ((batch, last - 1), (found.batch, last), (batch, last))
            )
            assert start <= own <= end
    assert next(answers, None) is None
    assert (found.batch.codes[~found.batch.real] == 0).all()
    assert share or not found.asked.any()


def test_every_visit_but_the_first_is_asked_for_alike() -> None:
    row = [(f"D/{visit:02d}", 1 + visit, 50.0 - visit) for visit in range(5)]
    data = history([row] * 4000, [code for code, _, _ in row])
    batch = Sequences.of(data, KNOWN, encoder()).batch(np.arange(4000))
    found = cut_off(batch, KNOWN, 0.5, np.random.default_rng(0))
    assert len(found.answers) == pytest.approx(2000, abs=5 * 1000**0.5)
    counts = found.answers.sum(0)[SPECIALS + 2 :][:5].tolist()
    assert counts[0] == 0
    assert counts[1:] == pytest.approx([500] * 4, abs=5 * 500**0.5)


def test_one_visit_and_nothing_known_stay_whole() -> None:
    data = history(
        [[("D/00", 1, 3.0), ("D/01", 1, 3.0)], [("D/00", 1, 9.0), ("X", 2, 3.0)], []],
        ["D/00", "D/01", "X"],
    )
    batch = Sequences.of(data, KNOWN, encoder()).batch(np.arange(3))
    found = cut_off(batch, KNOWN, 1.0, np.random.default_rng(0))
    assert torch.equal(found.batch.codes, batch.codes)
    assert not found.asked.any()


def first_occurrences(patients: int, seed: int) -> History:
    """Who has D/00 or D/01 at each of eight visits; four fifths of those with D/00 come to have X,
    for good, and a tenth of those with D/01."""
    rng, rows = np.random.default_rng(seed), []
    for _ in range(patients):
        own = rng.random() < 0.5
        begins = rng.integers(3, 9) if rng.random() < (0.8 if own else 0.1) else 99
        row = []
        for visit in range(1, 9):
            day = 1000.0 - 100 * visit
            row.append(("D/00" if own else "D/01", visit, day))
            row.append((f"D/{2 + rng.integers(4):02d}", visit, day))
            if visit >= begins:
                row.append(("X", visit, day))
        rows.append(row)
    return history(rows, [*(f"D/{code:02d}" for code in range(6)), "X"])


def test_what_leads_to_a_first_occurrence_is_learned() -> None:
    """Of a patient without X, a next visit's X is likelier after what leads to X."""
    data = first_occurrences(400, 0)
    chosen = encoder(width=32, batch_tokens=512, epochs=6, learning_rate=5e-3)
    files, _ = pretrain([data], [np.ones(400, bool)], chosen, (1, 0))
    early = history(
        [
            [(code, visit, 100.0 * (3 - visit)) for visit in range(1, 3)]
            for code in ("D/00", "D/01")
        ],
        data.names,
    )
    reader = Reader(model_of(files), Reading("next_visit_mask", "cls", ("X",)), files.vocabulary)
    batch = Sequences.of(early, files.vocabulary, chosen).batch(np.arange(2), reader.asked)
    with torch.inference_mode():
        risky, other = reader(batch)[:, 0].tolist()
    assert risky > other + 0.5
