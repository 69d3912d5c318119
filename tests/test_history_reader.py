"""What is read off an encoder: poolings against plain formulas, and nothing after the index."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from encoder_data import write_encoder
from synthea_meds import Event, write_meds
from test_meds import COHORT, TASK, WORDS, an_event, site

from concept_transfer.inputs.history import History
from concept_transfer.models.history_models import Body
from concept_transfer.models.history_reader import Pool, Reading
from concept_transfer.pretraining.batches import Batch
from concept_transfer.pretraining.encoder import EncoderFiles
from concept_transfer.sites.meds import read_histories, read_meds
from concept_transfer.sites.meds_site import MedsSite

WIDTH, LENGTHS = 6, (5, 1, 3)
TELL_TALE = "TOLD//afterwards"


def a_batch() -> tuple[torch.Tensor, Batch]:
    """Hidden vectors of three histories; what stands in the padding would show."""
    shape = len(LENGTHS), max(LENGTHS)
    hidden = torch.randn(*shape, WIDTH, generator=torch.Generator().manual_seed(3))
    codes, nothing = torch.ones(shape, dtype=torch.int64), torch.zeros(shape)
    for row, length in enumerate(LENGTHS):
        codes[row, length:] = 0
        hidden[row, length:] = 1e3
    return hidden, Batch(codes, codes, nothing, nothing, torch.tensor(LENGTHS))


def drawn(pooling: str) -> Pool:
    """With weights away from their start."""
    pool = Pool(pooling, WIDTH)
    generator = torch.Generator().manual_seed(4)
    with torch.no_grad():
        for weight in pool.parameters():
            weight.copy_(torch.randn(weight.shape, generator=generator) / 3)
    return pool


def last_state(gru: torch.nn.GRU, vectors: torch.Tensor, suffix: str) -> torch.Tensor:
    """Cho et al. 2014 in the form of torch's documentation, one step after the other."""
    weight = dict(gru.named_parameters())
    of_input, of_state = (weight[f"weight_{kind}_l0{suffix}"] for kind in ("ih", "hh"))
    input_bias, state_bias = (weight[f"bias_{kind}_l0{suffix}"] for kind in ("ih", "hh"))
    state = torch.zeros(gru.hidden_size)
    for vector in vectors:
        seen = (of_input @ vector + input_bias).chunk(3)
        held = (of_state @ state + state_bias).chunk(3)
        reset, update = (torch.sigmoid(seen[gate] + held[gate]) for gate in (0, 1))
        new = torch.tanh(seen[2] + reset * held[2])
        state = (1 - update) * new + update * state
    return state


def test_pooling_by_a_gru_is_a_walk_from_either_end() -> None:
    (hidden, batch), pool = a_batch(), drawn("gru")
    with torch.no_grad():
        found = pool(hidden, batch)
        for row, length in enumerate(LENGTHS):
            own = hidden[row, :length]
            ends = [last_state(pool.gru, own, ""), last_state(pool.gru, own.flip(0), "_reverse")]
            torch.testing.assert_close(found[row], torch.cat(ends))


def test_pooling_by_attention_is_a_weighted_mean_of_real_tokens() -> None:
    (hidden, batch), pool = a_batch(), drawn("attention")
    with torch.no_grad():
        found = pool(hidden, batch).double().numpy()
    query = pool.query.detach().double().numpy()
    vectors = hidden.double().numpy()
    for row, length in enumerate(LENGTHS):
        scores = np.array([vector @ query for vector in vectors[row]])
        scores[length:] = -np.inf
        weights = np.exp(scores - scores.max())
        weights /= weights.sum()
        assert weights[length:].sum() == 0
        assert length == 1 or weights.max() < 0.999
        expected = sum(w * v for w, v in zip(weights, vectors[row], strict=True))
        np.testing.assert_allclose(found[row], expected, rtol=1e-5)


# From the files to the features


def patients(*more: Event) -> list[Event]:
    found = [an_event(subject, -9000, "MEDS_BIRTH") for subject in (1, 2, 3)]
    found += [an_event(subject, 300, "DX//Z00") for subject in (1, 2, 3)]
    found += [an_event(subject, day, "DX//R05") for subject, day in ((1, 3), (2, 5), (2, 80))]
    found += [an_event(subject, 100, "VISIT//A") for subject in (1, 2, 3)]
    return [*found, an_event(3, 110, "DX//J10"), an_event(3, 50, "DX//R50"), *more]


def histories(folder: Path, events: list[Event]) -> History:
    dataset: MedsSite = site(write_meds(folder, events), age=None, cohort=COHORT)
    extract = read_meds(dataset, WORDS, TASK, folder)
    return read_histories(dataset, extract.encounters, TASK, folder).cohort


@pytest.mark.parametrize("head", ["classification", "token_sum", "next_visit_mask"])
def test_what_is_recorded_at_the_index_or_later_reaches_no_feature(
    head: str, tmp_path: Path
) -> None:
    """The encoder knows the code, so that it would show."""
    known = ["DX//J10", "DX//R05", "DX//R50", "DX//Z00", TELL_TALE, "VISIT//A"]
    files = EncoderFiles.read(write_encoder(tmp_path / "tiny", known))
    body = Body.of(files, Reading(head, "mean", ("DX//J10",)), 0)

    def features(name: str, *days: float) -> np.ndarray:
        told = [an_event(3, day, TELL_TALE) for day in days]
        history = histories(tmp_path / name, patients(*told))
        return body.features(history, np.arange(len(history)))

    without = features("without")
    assert len(without) == 3
    np.testing.assert_array_equal(features("later", 100, 100.001, 111, 250), without)
    before = features("before", 99.999)
    np.testing.assert_array_equal(before[:2], without[:2])
    assert (before[2] != without[2]).any()
