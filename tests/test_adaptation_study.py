"""Language models in the workflow: adapted to documents that never test, and read as embeddings."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from in_process import run_study
from text_data import save_base

from concept_transfer.concepts.vocabulary import Vocabulary
from concept_transfer.embeddings.cache import VARIABLE
from concept_transfer.embeddings.table import EmbeddingTable
from concept_transfer.errors import StudyError
from concept_transfer.pretraining.text.files import LanguageModelCard
from concept_transfer.study import load_study

WORDS = Path(__file__).resolve().parents[1] / "resources" / "concepts" / "influenza.tsv"
NETWORK = WORDS.parents[1] / "networks" / "north.yaml"


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    monkeypatch.setenv(VARIABLE, str(tmp_path / "cache"))
    tiny = str(save_base("bert", tmp_path / "tiny"))
    texts = {"provider": "transformers", "truncate": True}
    site = {"adapter": "simulated", "network": str(NETWORK), "encounters": 60}
    return {
        "study": "tiny",
        "vocabulary": str(WORDS),
        "task": {"label": "influenza"},
        "sites": {"north": {**site, "seed": 1}, "south": {**site, "seed": 2}},
        "split": {"by": "share"},
        "embeddings": {
            "tiny": {**texts, "model": tiny},
            "read": {**texts, "model": "adapted:base"},
        },
        "encoders": {"base": {"kind": "text", "base": tiny, "pretrain": False}},
        "classifiers": ["logistic"],
        "strategies": ["local"],
    }


def test_a_base_as_it_is_gives_its_own_vectors(tmp_path: Path, config: dict[str, Any]) -> None:
    results = run_study(tmp_path, config, "embeddings")
    vocabulary = Vocabulary.read(WORDS)
    tables = [
        EmbeddingTable.read(results / "embeddings" / f"{name}.safetensors", vocabulary)
        for name in ("tiny", "read")
    ]
    np.testing.assert_array_equal(tables[0].vectors, tables[1].vectors)
    card = LanguageModelCard.read(results / "encoders" / "base" / "0")
    assert card.settings.base == config["encoders"]["base"]["base"]


@pytest.mark.parametrize("name", ["other", "codes"])
def test_only_language_models_of_the_study_are_read(config: dict[str, Any], name: str) -> None:
    config["encoders"]["codes"] = {"sites": ["north"]}
    config["classifiers"].append("history")
    config["embeddings"]["read"]["model"] = f"adapted:{name}"
    with pytest.raises(StudyError, match=rf"embeddings\.read is read by the encoder '{name}'.*are"):
        load_study(config)
