"""Notes stay on their machine: a study reads them on every road while servers listen, and what
it has learned from them is asked to leave."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from chat_server import MODEL as CHAT_MODEL
from chat_server import ChatServer
from embedding_data import save_tiny_model
from embedding_server import KEY, MODEL, Server
from in_process import run_study
from safetensors.numpy import load_file
from workflow_runs import tiny_study

from concept_transfer.concepts.vocabulary import Vocabulary
from concept_transfer.embeddings.cache import VARIABLE
from concept_transfer.extraction.dictionary import Dictionary
from concept_transfer.extraction.kept import keep
from concept_transfer.extraction.names import FINDING, names_of
from concept_transfer.extraction.settings import DictionaryTagger
from concept_transfer.extraction.words import words

REPOSITORY = Path(__file__).resolve().parents[1]
VOCABULARY = Vocabulary.read(REPOSITORY / "resources" / "concepts" / "influenza.tsv")
WORD = "Quetzalcoatl"
COUNT = 160


class Listener(Server):
    """Answers with vectors that cost nothing, and keeps all that was sent."""

    def __enter__(self) -> Listener:
        self.RequestHandlerClass = type(
            "Handler", (self.RequestHandlerClass,), {"vectors": lambda _, texts: _vectors(texts)}
        )
        super().__enter__()
        return self


def _vectors(texts: list[str]) -> np.ndarray:
    digests = [hashlib.sha256(text.encode()).digest() for text in texts]
    return np.array([list(digest) for digest in digests], float) / 255


@pytest.fixture(scope="module")
def sent(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str], list[str]]:
    """Results; texts that the embedding server got; prompts that the chat server got."""
    folder = tmp_path_factory.mktemp("notes")
    style = (REPOSITORY / "resources/notes/north.yaml").read_text(encoding="utf-8")
    planted = f'  filler:\n    - "{WORD} called."\n'
    (folder / "style.yaml").write_text(style.replace("  filler:\n", planted), encoding="utf-8")
    model = str(save_tiny_model("bert", folder / "model"))
    local = {"provider": "transformers", "truncate": True}
    (folder / "tagger").mkdir()
    tagger = Dictionary(dict.fromkeys([*names_of(VOCABULARY).tokens, (WORD.casefold(),)], FINDING))
    keep(tagger, DictionaryTagger(kind="dictionary"), [FINDING], folder / "tagger")
    scratch = {"width": 16, "layers": 1, "heads": 2, "feed_forward": 16}
    site = {
        "adapter": "simulated_notes",
        "network": f"{REPOSITORY}/resources/networks/north.yaml",
        "encounters": COUNT,
        "style": "style.yaml",
        "extraction": {"tagger": "tagger", "embedding": "local", "cosine": 0.01},
    }
    with (
        Listener() as server,
        ChatServer(lambda prompt: "none") as chat,
        pytest.MonkeyPatch.context() as env,
    ):
        env.setenv(VARIABLE, str(folder / "cache"))
        env.setenv("OPENAI_API_KEY", KEY)
        env.setenv("OPENAI_BASE_URL", server.url)
        config = {
            **tiny_study(),
            "sites": {"north": {**site, "seed": 1}, "south": {**site, "seed": 2}},
            "pairs": [["north", "south"]],
            "embeddings": {
                "api": {"provider": "openai", "model": MODEL, "base_url": server.url},
                "local": {**local, "model": model},
                "read": {**local, "model": "adapted:own"},
                "half": {"provider": "pca", "of": "read", "width": 4},
            },
            "encoders": {
                "own": {"kind": "text", "sites": ["north"], "scratch": scratch, "steps": 3},
            },
            "classifiers": ["cnn", "document", "tfidf"],
            "strategies": ["local"],
            "target_sizes": ["all"],
            "replicates": 1,
            "training": {"epochs": 1, "fixed_epochs": 1, "filters": 8},
            "keep": {"licence": "none"},
            "interconnections": {
                "codes": {"read": "findings", "min_patients": 40, "ontology": None},
                "methods": {
                    "asked": {"kind": "chat", "model": CHAT_MODEL, "base_url": chat.url},
                    "jaccard": {},
                },
                "draws": 20,
                "permutations": 19,
            },
        }
        results = run_study(folder, config, "export_models", "interconnections")
        return results, [text for batch in server.batches for text in batch], chat.prompts


def test_words_of_notes_are_compared_by_meaning_here(
    sent: tuple[Path, list[str], list[str]],
) -> None:
    """A mention whose letters are like no name's: there is something that could leave."""
    mentions = pd.read_parquet(sent[0] / "encounters/north/mentions.parquet").set_index("synonym")
    assert mentions.loc[WORD.casefold(), "kind"] == "embedding"


def test_servers_get_concepts_and_no_note(sent: tuple[Path, list[str], list[str]]) -> None:
    results, texts, prompts = sent
    assert (
        WORD.casefold().encode()
        in (results / "encounters/north/text_data.npy").read_bytes().lower()
    )
    assert set(texts) == set(VOCABULARY.texts)
    assert prompts
    told = " ".join(prompts)
    assert WORD.casefold() not in told.casefold()
    segments = list((results.parents[1] / "cache").rglob("*.safetensors"))
    cached = {bytes(row) for path in segments for row in load_file(path)["texts"]}
    assert cached == {hashlib.sha256(text.encode()).digest() for text in VOCABULARY.texts}
    for file in results.glob("encounters/*/text_data.npy"):
        for sentence in bytes(np.load(file)).decode().split("\n"):
            assert len(words(sentence)) < 4 or sentence.strip() not in told


def test_what_documents_have_taught_stays(sent: tuple[Path, list[str], list[str]]) -> None:
    """Of the base, and of vectors that were bought, models may leave; of an adapted model, and of
    what was made from its vectors, none."""
    index = pd.read_csv(sent[0] / "exports/index.tsv", sep="\t", keep_default_na=False)
    own = index[index["classifier"] == "cnn"].set_index("embedding")
    assert dict(zip(own.index, own["exported"], strict=True)) == {
        "api": "yes",
        "local": "yes",
        "read": "no",
        "half": "no",
    }
    reasons = own.loc[["read", "half"], "reason"]
    assert reasons.str.contains("learned from documents").all()
    assert (index.loc[index["classifier"] != "cnn", "exported"] == "no").all()
    assert not list((sent[0] / "exports").glob("**/read"))
