"""Seconds to evaluate, compare and render a study: ``python -m benchmarks.evaluation``.

2 targets x 6 embeddings x 5 strategies x 10 replicates, 10,000 test encounters a target, two
variables of subgroups; made-up predictions, one process.
"""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pyarrow as pa

from benchmarks.measure import table
from concept_transfer.cell import Cell
from concept_transfer.comparison.comparisons import compare_study
from concept_transfer.comparison.questions import answer_questions
from concept_transfer.comparison.schema import COMPARISONS
from concept_transfer.evaluation.cell_predictions import CellPredictions, LabelledPredictions
from concept_transfer.evaluation.evaluate import evaluate_cells
from concept_transfer.evaluation.results import read_results
from concept_transfer.grid import Grid
from concept_transfer.parquet import write_rows
from concept_transfer.reporting.evidence import read_evidence
from concept_transfer.reporting.provenance import Provenance
from concept_transfer.reporting.report import write_figures, write_page, write_tables
from concept_transfer.study import Study, load_study

ENCOUNTERS, HELD, PREVALENCE, REPLICATES = 10_000, 1000, 0.1, 10
BERT = {"provider": "precomputed", "path": "bert.h5"}
EMBEDDINGS = {
    "one_hot": {"provider": "one_hot"},
    "bert": BERT,
    "bert_unit": {**BERT, "scale": "unit"},
    "bert_shuffled": {"provider": "shuffled", "of": "bert"},
    "bert_random": {"provider": "random", "like": "bert"},
    "openai": {"provider": "precomputed", "path": "openai.h5"},
}


def made_up_study() -> Study:
    """Its files do not exist: only names and settings are used."""
    site = {"adapter": "simulated", "network": "none.yaml"}
    config = {
        "study": "benchmark",
        "vocabulary": "none.tsv",
        "task": {"label": "influenza"},
        "sites": dict.fromkeys(("a", "b"), site),
        "split": {"by": "share"},
        "embeddings": EMBEDDINGS,
        "classifiers": ["cnn"],
        "replicates": REPLICATES,
    }
    return load_study(config)


def predictions(cell: Cell, labels: np.ndarray, rng: np.random.Generator) -> CellPredictions:
    """A cell as good as all the others."""
    ids = pa.array([f"e{i:08d}" for i in range(len(labels))])
    noise = rng.normal(size=(REPLICATES, len(labels)))
    p = (1 / (1 + np.exp(3 - 1.5 * labels - noise))).astype(np.float32)
    fold = np.zeros(len(labels), np.int16)
    validation = [
        LabelledPredictions(ids[:HELD], labels[:HELD], row[:HELD], fold[:HELD]) for row in p
    ]
    return CellPredictions(cell, ids, labels, fold, p, np.arange(REPLICATES), tuple(validation), ())


def measure(folder: Path) -> dict[str, float]:
    """Seconds by step."""
    study, seconds = made_up_study(), dict[str, float]()
    grid = Grid(study)
    rng = np.random.default_rng(0)
    labels = (rng.random(ENCOUNTERS) < PREVALENCE).astype(np.int8)
    names = np.array([f"e{i:08d}" for i in range(ENCOUNTERS)])
    groups = {
        "age group": rng.choice(["child", "adult", "elderly"], ENCOUNTERS).astype(object),
        "period": rng.choice(["2023", "2024"], ENCOUNTERS).astype(object),
    }

    @contextmanager
    def timed(step: str) -> Iterator[None]:
        start = time.perf_counter()
        yield
        seconds[step] = seconds.get(step, 0.0) + time.perf_counter() - start

    folders = []
    for target in grid.targets:
        for embedding in grid.embeddings_of_metrics():
            cells = [predictions(c, labels, rng) for c in grid.cells_of(target, embedding)]
            folders.append(folder / target / embedding)
            with timed("evaluate"):
                evaluate_cells(cells, names, names, study.evaluation, study.seed, groups).write(
                    folders[-1]
                )
    with timed("compare and answer"):
        results = read_results(folders)
        contrasts, rows = compare_study(study, results, {})
        lengths = dict.fromkeys(study.embeddings, 1.0)
        answers = answer_questions(study, contrasts, results, rows, {}, lengths)
        write_rows(folder / "comparisons.parquet", rows, COMPARISONS)
        (folder / "answers.json").write_text(json.dumps(answers))
    files = {
        name: [part / f"{name}.parquet" for part in folders]
        for name in ("estimates", "subgroups", "calibration")
    }
    files |= {"comparisons": [folder / "comparisons.parquet"]}
    files |= {"answers": [folder / "answers.json"]}
    with timed("tables"):
        evidence = read_evidence(study, files)
        write_tables(evidence, folder / "tables")
    with timed("figures"):
        write_figures(evidence, folder / "figures")
    with timed("page"):
        write_page(evidence, folder / "figures", Provenance("", {}, {}), folder / "report.html")
    return seconds


def report() -> str:
    """The section of docs/performance.md."""
    with tempfile.TemporaryDirectory() as folder:
        seconds = measure(Path(folder))
    rows = [*seconds.items(), ("**all**", sum(seconds.values()))]
    return (
        "## Evaluation and report\n\n"
        f"2 targets x 6 embeddings x 5 strategies x {REPLICATES} replicates, {ENCOUNTERS:,} test "
        "encounters a target, 1,000 bootstrap draws, five subgroups, made-up predictions. One "
        "process, one step after the other; the workflow evaluates targets and embeddings side by "
        "side.\n\n" + table(("step", "seconds"), rows)
    )


if __name__ == "__main__":
    print(report())
