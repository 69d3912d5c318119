"""Time and memory of finding which codes belong together, and what is reached on NHAMCS.

``python -m benchmarks.interconnections``; with a folder of results
(``results/nhamcs_interconnections/interconnections``) it prints what that study reached.
"""

from __future__ import annotations

import json
import runpy
import sys
import tempfile
import time
from collections import UserDict
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pyarrow.parquet as pq

from benchmarks.measure import ROOT, in_child, peak_memory_mb, table
from concept_transfer.inputs.rows import CompressedRows
from concept_transfer.interconnections.code_sets import CodeSets
from concept_transfer.interconnections.nodes import Nodes
from concept_transfer.interconnections.schemas import TABLES
from concept_transfer.settings.interconnections import Interconnections

CODES, PATIENTS, EACH = 1000, 1_200_000, 10
METHODS = ["shrunken", "fisher", "odds_ratio", "pmi", "jaccard", "phi", "cooccurrence", "marginals"]
TEXT = """## Interconnections

The job `interconnect`, files in and out: {codes:,} codes of {patients:,} patients, {pairs:,} pairs
of a patient and a code. All pairs of codes by {methods} methods, adjusted for age and sex in 12
groups, from both halves of the clusters, judged on the other half with 200 bootstrap draws,
agreement with 199 permutations, graphs and communities.

{table}"""


def made_up(patients: int, codes: int, each: int, seed: int = 0) -> CodeSets:
    """Patients with about `each` codes, the frequencies of codes falling as in Zipf's law, half of
    them from a theme of ten codes that come together."""
    rng = np.random.default_rng(seed)
    share = 1 / (np.arange(codes) + 20)
    drawn = rng.choice(codes, (patients, each), p=share / share.sum()).astype(np.int32)
    theme = rng.integers(codes // 10, size=patients)[:, None] * 10
    themed = rng.random((patients, each)) < 0.3
    drawn = np.where(themed, theme + rng.integers(10, size=drawn.shape), drawn).astype(np.int32)
    drawn.sort(axis=1)
    first = np.ones(drawn.shape, bool)
    first[:, 1:] = np.diff(drawn, axis=1) > 0
    offsets = np.concatenate([[0], first.sum(axis=1).cumsum()]).astype(np.int64)
    values = drawn[first]
    return CodeSets(
        CompressedRows(offsets, values),
        np.full(len(values), np.nan, np.float32),
        np.arange(patients),
        rng.integers(0, 5000, patients),
        np.array(["a", "b", "c", "d", "e", "f"])[rng.integers(0, 6, patients)],
        np.array(["f", "m"])[rng.integers(0, 2, patients)],
        tuple(f"C{number:04d}" for number in range(codes)),
    )


class Files(UserDict[str, str]):
    """A rule's files by name, as its script finds them."""

    def __getattr__(self, name: str) -> str:
        return self.data[name]


def write_files(folder: Path, patients: int, codes: int, each: int) -> int:
    """What the job reads; how many pairs of a patient and a code that is."""
    sets = made_up(patients, codes, each)
    names, chapter = sets.names, tuple(name[:3] for name in sets.names)
    Nodes(names, names, names, names, chapter, chapter).write(folder / "nodes.tsv")
    sets.write(folder / "here.npz")
    return len(sets.codes.values)


def run(folder: str) -> dict[str, float]:
    """The job's script: seconds of processor and clock, and the largest memory in MB."""
    here = Path(folder)
    settings = Interconnections.model_validate({"methods": METHODS})
    snakemake = SimpleNamespace(
        input=SimpleNamespace(
            nodes=[f"{here}/nodes.tsv"],
            codes=[f"{here}/here.npz"],
            vectors=[],
            encoders=[],
            prepared=[],
        ),
        output=Files({name: f"{here}/{name}.parquet" for name in TABLES}),
        params=SimpleNamespace(
            interconnections=settings.model_dump_json(),
            read_by="{}",
            simulated="{}",
            evaluation=json.dumps({"small_cells": 11, "confidence": 0.95}),
            seed=1,
        ),
        log=[f"{here}/job.log"],
    )
    script = ROOT / "workflow" / "scripts" / "interconnect.py"
    before, cpu = time.perf_counter(), time.process_time()
    runpy.run_path(str(script), init_globals={"snakemake": snakemake})
    return {
        "clock": time.perf_counter() - before,
        "cpu": time.process_time() - cpu,
        "memory": peak_memory_mb(),
    }


def report() -> str:
    with tempfile.TemporaryDirectory() as folder:
        pairs = write_files(Path(folder), PATIENTS, CODES, EACH)
        found = in_child("interconnections", "run", folder)
    return TEXT.format(
        codes=CODES,
        patients=PATIENTS,
        pairs=pairs,
        methods=len(METHODS),
        table=table(
            ["processor seconds", "seconds by the clock", "largest memory, MB"],
            [[f"{found['cpu']:.0f}", f"{found['clock']:.0f}", f"{found['memory']:,.0f}"]],
        ),
    )


def accuracy(folder: Path) -> str:
    """What a study of NHAMCS reached: means over both halves, and on all patients."""
    frame = pq.read_table(folder / "performance.parquet").to_pandas()
    halves = frame["judged"].str.startswith("half")
    whole = ~halves & frame["learned"].eq("")
    asked = {
        "precision": (halves, "precision", "all", "significant"),
        "second truth": (halves, "precision", "all", "strong"),
        "AUROC, common": (halves, "auroc", "common", "significant"),
        "AUROC, new": (halves, "auroc", "new", "significant"),
        "all patients, all pairs": (whole, "auroc", "all", "significant"),
        "all patients, common": (whole, "auroc", "common", "significant"),
    }
    rows = []
    for method in dict.fromkeys(frame["method"]):
        row = [method]
        for where, measure, stratum, truth in asked.values():
            own = frame[where & frame["method"].eq(method) & frame["measure"].eq(measure)]
            own = own[own["stratum"].eq(stratum) & own["truth"].eq(truth)]
            row.append(f"{own['value'].mean():.3f}" if len(own) else "")
        rows.append(row)
    return table(["method", *asked], rows)


if __name__ == "__main__":
    if sys.argv[1:2] == ["run"]:
        print(json.dumps(run(sys.argv[2])))
    elif len(sys.argv) > 1:
        print(accuracy(Path(sys.argv[1])))
    else:
        print(report())
