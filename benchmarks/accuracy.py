"""Does the engine trade accuracy for speed? The gao2024 study beside the plain model.

``python -m benchmarks.accuracy [replicates]`` needs a finished ``results/gao2024``.
The plain model shares nothing with the engine but the data: torch's own initial weights, batches
in a DataLoader's order, torch's dropout; every epoch's weights are kept if their validation AUROC
is the best so far, as the paper's protocol says.
"""

from __future__ import annotations

import copy
import os
import sys
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from sklearn.metrics import roc_auc_score
from torch import Tensor, nn

from benchmarks.engine import SETTINGS, published_optimizer
from benchmarks.measure import ROOT, table
from concept_transfer.concepts.vocabulary import Vocabulary
from concept_transfer.embeddings.table import EmbeddingTable
from concept_transfer.sites.site import Site
from tests.plain_reference import PlainCNN, pad, train

STUDY = ROOT / "results" / "gao2024"
TABLES = ("one_hot", "one_hot_norm15", "bert_norm15")
CELLS = {"distance5": "direct", "target": "local"}


def read_site(name: str) -> Site:
    """A site of the study."""
    return Site.read(STUDY / "encounters" / name, STUDY / "splits" / f"{name}.parquet")


def batch(site: Site, rows: np.ndarray, padding: int) -> tuple[Tensor, Tensor]:
    """Padded token ids [n, findings] and labels [n]."""
    held = [site.inputs["findings"][i].tolist() for i in rows]
    return pad(held, padding), torch.from_numpy(site.labels[rows]).long()


def scores(model: PlainCNN, tokens: Tensor) -> np.ndarray:
    """Margins [n]."""
    with torch.no_grad():
        logits = torch.cat([model(part) for part in tokens.split(1000)])
    return (logits[:, 1] - logits[:, 0]).numpy()


def plain_auroc(embedding: str, origin: str, seed: int) -> float:
    """AUROC on the target's test encounters of a plain model trained on ``origin``."""
    torch.set_num_threads(1)
    torch.manual_seed(seed)
    vocabulary = Vocabulary.read(ROOT / "resources" / "concepts" / "influenza.tsv")
    path = STUDY / "embeddings" / f"{embedding}.safetensors"
    vectors = torch.from_numpy(EmbeddingTable.read(path, vocabulary).vectors.copy())
    site, target = read_site(origin), read_site("target")
    train_rows, held_rows = site.split.source_parts()
    tokens, labels = batch(site, train_rows, len(vectors))
    held, held_labels = batch(site, held_rows, len(vectors))
    model = PlainCNN(vectors, SETTINGS.filters)
    optimizer = published_optimizer(model)
    dropout = nn.Dropout(SETTINGS.dropout)
    shares = torch.full((SETTINGS.batch_size,), 1 / SETTINGS.batch_size)
    best, kept, order = -1.0, copy.deepcopy(model.state_dict()), torch.empty(0, dtype=torch.int64)
    for _ in range(SETTINGS.epochs):
        for _ in range(SETTINGS.iterations or 1):
            if len(order) < SETTINGS.batch_size:
                order = torch.randperm(len(labels))
            rows, order = order[: SETTINGS.batch_size], order[SETTINGS.batch_size :]
            scale = dropout(torch.ones(len(rows), SETTINGS.filters))
            train(model, optimizer, [(tokens[rows], labels[rows], shares, scale)])
        area = roc_auc_score(held_labels, scores(model, held))
        if area > best:
            best, kept = area, copy.deepcopy(model.state_dict())
    model.load_state_dict(kept)
    tested = target.split.parts(0)[2]
    test, test_labels = batch(target, tested, len(vectors))
    return float(roc_auc_score(test_labels, scores(model, test)))


def engine_auroc(embedding: str, origin: str) -> np.ndarray:
    """The study's AUROC on the same encounters, one a replicate."""
    frame = pd.read_parquet(STUDY / "metrics" / "target" / embedding / "replicates.parquet")
    source = "" if origin == "target" else origin
    wanted = {"partition": "test", "metric": "auroc", "source": source, "strategy": CELLS[origin]}
    return frame.loc[(frame[list(wanted)] == list(wanted.values())).all(axis=1), "value"].to_numpy()


def report(replicates: int) -> str:
    """The text of docs/accuracy.md."""
    cells = [(embedding, origin) for origin in CELLS for embedding in TABLES]
    rows = []
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        jobs = {
            cell: [pool.submit(plain_auroc, *cell, seed) for seed in range(replicates)]
            for cell in cells
        }
        for (embedding, origin), running in jobs.items():
            plain = np.array([job.result() for job in running])
            engine = engine_auroc(embedding, origin)
            error = np.sqrt(plain.var(ddof=1) / len(plain) + engine.var(ddof=1) / len(engine))
            shown = [f"{x.mean():.4f} ({x.std(ddof=1):.4f})" for x in (plain, engine)]
            difference = f"{engine.mean() - plain.mean():+.4f} +- {error:.4f}"
            rows.append((origin, CELLS[origin], embedding, *shown, difference))
    columns = ("trained on", "strategy", "embedding", "plain (SD)", "engine (SD)", "difference")
    return (
        "# Accuracy of the engine\n\n"
        "Written by `python -m benchmarks.accuracy`. AUROC on the target of `config/gao2024.yaml`: "
        f"{replicates} runs of the plain model (`nn.Conv1d`, `torch.optim.SGD`, torch's own random "
        "numbers, the paper's protocol) beside the study's replicates, mean (standard deviation) "
        "and difference with its standard error.\n\n" + table(columns, rows) + "\n"
    )


if __name__ == "__main__":
    if not Path(STUDY / "metrics").is_dir():
        sys.exit(f"{STUDY} holds no finished study; run config/gao2024.yaml first")
    written = report(int(sys.argv[1]) if sys.argv[1:] else 5)
    (ROOT / "docs" / "accuracy.md").write_text(written, encoding="utf-8")
    print(written)
