"""Seconds to evaluate and compare 2 targets x 6 embeddings x 5 strategies x 10 replicates.

``python benchmarks/bench_evaluation.py [encounters] [prevalence]``; exits 1 beyond a minute.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow as pa

from concept_transfer.evaluation.cells import CellPredictions, Sample
from concept_transfer.evaluation.comparisons import compare_study
from concept_transfer.evaluation.evaluate import evaluate_cells
from concept_transfer.evaluation.questions import answer_questions
from concept_transfer.evaluation.results import read_results
from concept_transfer.grid import Grid
from concept_transfer.study import load_study

LIMIT = 60.0
REPLICATES = 10
EMBEDDINGS = {
    "one_hot": {"provider": "one_hot"},
    "bert": {"provider": "precomputed", "path": "bert.h5"},
    "bert_unit": {"provider": "precomputed", "path": "bert.h5", "scale": "unit"},
    "bert_shuffled": {"provider": "shuffled", "of": "bert"},
    "bert_random": {"provider": "random", "like": "bert"},
    "openai": {"provider": "precomputed", "path": "openai.h5"},
}


def main(encounters: int = 10_000, prevalence: float = 0.1) -> float:
    study = load_study(
        {
            "study": "benchmark",
            "vocabulary": "none.tsv",
            "task": {"label": "influenza"},
            "sites": {
                name: {"adapter": "simulated", "network": "none.yaml"} for name in ("a", "b")
            },
            "split": {"by": "share"},
            "embeddings": EMBEDDINGS,
            "classifiers": ["cnn"],
        }
    )
    grid = Grid(study)
    rng = np.random.default_rng(0)
    labels = (rng.random(encounters) < prevalence).astype(np.int8)
    ids = np.array([f"e{i:08d}" for i in range(encounters)])
    held = Sample(pa.array(ids[:1000]), labels[:1000], np.empty(0), np.zeros(1000, np.int16))
    seconds = {"evaluate": 0.0, "write": 0.0}
    with tempfile.TemporaryDirectory() as folder:
        folders = []
        for target in grid.targets:
            for embedding in grid.embeddings_of_metrics():
                cells = []
                for cell in grid.cells_of(target, embedding):
                    noise = rng.normal(size=(REPLICATES, encounters))
                    p = (1 / (1 + np.exp(3 - 1.5 * labels - noise))).astype(np.float32)
                    validation = tuple(
                        Sample(held.encounters, held.labels, row[:1000], held.fold) for row in p
                    )
                    cells.append(
                        CellPredictions(
                            cell,
                            pa.array(ids),
                            labels,
                            np.zeros(encounters, np.int16),
                            p,
                            np.arange(REPLICATES),
                            validation,
                            (),
                        )
                    )
                start = time.perf_counter()
                evaluation = evaluate_cells(cells, ids, ids, study.evaluation, study.seed)
                seconds["evaluate"] += time.perf_counter() - start
                start = time.perf_counter()
                folders.append(Path(folder) / target / embedding)
                evaluation.write(folders[-1])
                seconds["write"] += time.perf_counter() - start
        start = time.perf_counter()
        results = read_results(folders)
        seconds["read"] = time.perf_counter() - start
        start = time.perf_counter()
        contrasts, rows = compare_study(study, results)
        seconds["compare"] = time.perf_counter() - start
        start = time.perf_counter()
        answers = answer_questions(study, contrasts, results)
        seconds["answer"] = time.perf_counter() - start
    total = sum(seconds.values())
    parts = ", ".join(f"{name} {value:.1f}" for name, value in seconds.items())
    for answer in answers:
        print(f"{answer['question']}\n    {answer['answer']}")
    print(f"{len(results)} cells, {len(rows)} comparison rows: {total:.1f} s ({parts})")
    return total


if __name__ == "__main__":
    given = [float(text) for text in sys.argv[1:3]]
    sys.exit(main(*map(int, given[:1]), *given[1:]) > LIMIT)
