"""Small histories in memory: random ones, patients who fall ill, and tiny encoders."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from document_data import language_model
from history_data import history

from concept_transfer.cohorts.cohort import Cohort
from concept_transfer.cohorts.splits import split_table
from concept_transfer.inputs.history import History
from concept_transfer.inputs.rows import CompressedRows
from concept_transfer.learners import LEARNERS
from concept_transfer.models.code_encoder import new_model, weights_of
from concept_transfer.pretraining.encoder import EncoderFiles
from concept_transfer.pretraining.pretrain import pretrain
from concept_transfer.pretraining.vocabulary import CodeVocabulary
from concept_transfer.settings.encoders import CodeEncoder
from concept_transfer.sites.site import Site

OUTCOME = "X1"
NAMES = ("sex//F", "sex//M", OUTCOME, "R1", *(f"C{number}" for number in range(12)))
SMALL: dict[str, Any] = {"width": 8, "heads": 2, "layers": 1, "feed_forward": 8, "max_length": 40}


def encoder_settings(**changes: Any) -> CodeEncoder:
    return CodeEncoder.model_validate({"sites": ["north"], **SMALL, **changes})


def history_of_findings(findings: CompressedRows, tokens: int) -> History:
    """Each token an event, two a visit, the codes `T0` and so on."""
    rows = [
        [
            (f"T{token}", 1 + place // 2, 100.0 - 10 * (place // 2))
            for place, token in enumerate(held)
        ]
        for held in findings
    ]
    return history(rows, [f"T{number}" for number in range(tokens)])


def write_encoder(folder: Path, names: Sequence[str], background: int = 0, **settings: Any) -> Path:
    """An untrained encoder in the folder of a first copy."""
    chosen, vocabulary = encoder_settings(**settings), CodeVocabulary(tuple(names), background)
    weights = weights_of(new_model(chosen, len(vocabulary), 1))
    copy = folder / "0"
    copy.mkdir(parents=True, exist_ok=True)
    EncoderFiles(chosen, vocabulary, weights, {}).write(copy)
    return copy


def encoders_for(learner: str) -> tuple[Path, ...]:
    """An untrained encoder that knows the codes of `history_of_findings`, or words, for who takes
    one."""
    kinds = {"codes": _token_encoder, "text": language_model}
    kind = LEARNERS[learner].takes_encoder
    return (kinds[kind](),) if kind else ()


@cache
def _token_encoder() -> Path:
    folder = Path(tempfile.mkdtemp()) / "tiny"
    return write_encoder(folder, [f"T{number}" for number in range(20)], min_count=11)


def ill_site(
    name: str, count: int = 300, seed: int = 0, year: float = 400.0
) -> tuple[Site, History]:
    """Patients of whom some have the risk R1, after which X1 follows more often; a third tests.

    Also their whole records, to pre-train on: with X1, and before it what the cohort has.
    """
    rng = np.random.default_rng(seed)
    before, whole, labels = [], [], []
    for _ in range(count):
        risky = rng.random() < 0.4
        row = [(NAMES[rng.integers(2)], 0, 0.0)]
        for visit in range(1, 5):
            day = year - 80.0 * visit
            common = [(str(code), visit, day) for code in rng.choice(NAMES[4:], 2, False)]
            row += common + ([("R1", visit, day)] if risky and rng.random() < 0.7 else [])
        ill = bool(rng.random() < (0.6 if risky else 0.05))
        before.append(row)
        whole.append([*row, *([(OUTCOME if ill else "C0", 5, 0.0)])])
        labels.append(ill)
    place = np.arange(count)
    ids = [f"{name}{i}" for i in place]
    label = np.array(labels, np.int8)
    fold = np.where(place % 3 == 0, 0, -1).astype(np.int16)
    split = split_table(ids, ids, label, fold, place % 5 == 0)
    cohort = Cohort(name, label, split)
    return Site(cohort, {"history": history(before, NAMES)}), history(whole, NAMES)


@cache
def trained_encoder(seed: int = 0) -> Path:
    """A tiny encoder that has learned from the whole records of a site's training patients."""
    site, whole = ill_site("north", 600, seed)
    settings = encoder_settings(width=16, epochs=25, patience=25, learning_rate=5e-3)
    known = site.split.fold != 0
    files, _ = pretrain([whole], [np.asarray(known)], settings, (1, 0))
    copy = Path(tempfile.mkdtemp()) / "trained" / "0"
    copy.mkdir(parents=True)
    files.write(copy)
    return copy
