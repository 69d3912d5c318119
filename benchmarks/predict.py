"""A million encounters by `concept-transfer predict`: ``python -m benchmarks.predict``."""

from __future__ import annotations

import json
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

from benchmarks.measure import in_child, peak_memory_mb, table
from concept_transfer.cohorts.cohort import Cohort
from concept_transfer.cohorts.splits import split_table
from concept_transfer.concepts.vocabulary import Vocabulary
from concept_transfer.embeddings.table import EmbeddingTable
from concept_transfer.inputs.rows import CompressedRows
from concept_transfer.learners import LEARNERS
from concept_transfer.settings.training import Training
from concept_transfer.sites.site import Site
from concept_transfer.training.block import Block
from concept_transfer.training.setup import Setup
from concept_transfer.training.source_models import train_source

ENCOUNTERS, CONCEPTS, FINDINGS, LABELLED, REPLICATES = 1_000_000, 90, 30, 1000, 5
LEARNED = ("logistic", "naive_bayes", "gradient_boosting", "extra_trees", "cnn")
FORMS = ("wide.parquet", "wide.csv", "long.parquet")


def vocabulary() -> Vocabulary:
    rows = [
        (f"c{i}", f"concept {i}", "finding", state, f"{state} {i}")
        for i in range(CONCEPTS)
        for state in ("present", "absent")
    ]
    return Vocabulary(*zip(*rows, strict=True))


def write_encounters(folder: Path) -> None:
    """Each encounter records every concept with the same probability, FINDINGS on average."""
    rng = np.random.default_rng(0)
    words = pa.array(["present", "absent", ""])
    codes = rng.random((CONCEPTS, ENCOUNTERS), dtype=np.float32) * CONCEPTS / FINDINGS * 2
    states = np.minimum(codes, 2).astype(np.int8)
    ids = pa.array([f"v{i}" for i in range(ENCOUNTERS)])
    columns = [pa.DictionaryArray.from_arrays(pa.array(row), words) for row in states]
    names = [f"c{i}" for i in range(CONCEPTS)]
    wide = pa.table([ids, *columns], ["encounter", *names])
    pq.write_table(wide, folder / "wide.parquet")
    texts = pa.table([ids, *(column.cast(pa.string()) for column in columns)], wide.column_names)
    options = pa.csv.WriteOptions(quoting_style="none")
    pa.csv.write_csv(texts, folder / "wide.csv", options)
    concept, encounter = np.nonzero(states < 2)
    order = np.argsort(encounter, kind="stable")
    concept, encounter = concept[order].astype(np.int32), encounter[order].astype(np.int32)
    state = pa.array(states[concept, encounter])
    long = {
        "encounter": pa.DictionaryArray.from_arrays(pa.array(encounter), ids),
        "concept": pa.DictionaryArray.from_arrays(pa.array(concept), pa.array(names)),
        "state": pa.DictionaryArray.from_arrays(state, words),
    }
    pq.write_table(pa.table(long), folder / "long.parquet")


def write_bundle(folder: Path, learner: str) -> None:
    """Models fitted on LABELLED encounters, as a source hands them on."""
    words, rng = vocabulary(), np.random.default_rng(1)
    held = [np.sort(rng.choice(2 * CONCEPTS, FINDINGS, False)) for _ in range(LABELLED)]
    labels = np.array([row[0] < 4 for row in held], np.int8)
    offsets = np.arange(LABELLED + 1) * FINDINGS
    findings = CompressedRows(offsets, np.concatenate(held).astype(np.int32))
    ids = [str(i) for i in range(LABELLED)]
    fold, validation = np.full(LABELLED, -1, np.int16), np.arange(LABELLED) % 5 == 0
    split = split_table(ids, ids, labels, fold, validation)
    site = Site(Cohort("here", labels, split), {"findings": findings})
    vectors = rng.normal(size=(len(words), 384)).astype(np.float32)
    takes = LEARNERS[learner].takes_embedding
    vectors_of = EmbeddingTable.create("words", "precomputed", vectors, words) if takes else None
    names = ("benchmark", "outcome", ["no", "yes"], {"kind": learner})
    setup = Setup(*names, Block(0, list(range(REPLICATES))), words, vectors_of, "cpu", 1)
    training = Training.model_validate({"epochs": 3, "fixed_epochs": 3})
    handed_on = train_source(site, setup.bench, training)
    card = setup.card(handed_on, site, training, source="", strategy=None, target_size="all")
    setup.write(folder, setup.bench, handed_on, card)


def measure(bundle: str, encounters: str, out: str) -> dict[str, float]:
    """Seconds by the clock and of the processor, and peak memory, of one call in this process."""
    from concept_transfer.command import main

    begin, spent = time.perf_counter(), time.process_time()
    files = ["--encounters", encounters, "--out", out, "--force"]
    assert main(["predict", "--bundle", bundle, *files]) == 0
    return {
        "clock": time.perf_counter() - begin,
        "processor": time.process_time() - spent,
        "memory": peak_memory_mb(),
    }


def report() -> str:
    """The section of docs/performance.md."""
    rows = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_encounters(folder)
        for learner in LEARNED:
            write_bundle(folder / learner, learner)
            for form in FORMS if learner == LEARNED[0] else FORMS[:1]:
                found = in_child("predict", folder / learner, folder / form, folder / "out.parquet")
                rows.append((LEARNERS[learner].title, form, *found.values()))
    return (
        f"## Predictions\n\n`concept-transfer predict`: {ENCOUNTERS:,} encounters of "
        f"{CONCEPTS} concepts, {FINDINGS} recorded on average, by {REPLICATES} replicates, from a "
        "file to a file.\n\n"
        + table(("models", "file", "seconds", "processor seconds", "peak memory, MB"), rows)
    )


if __name__ == "__main__":
    print(json.dumps(measure(*sys.argv[1:])) if sys.argv[1:] else report())
