"""The grid of Gao et al. 2024 on made-up encounters, scheduling included.

``python -m benchmarks.paper_grid``: two sites in both directions, each with 6,000 training, 1,500
validation and 1,500 test encounters of 87 findings; one-hot and random tables of the published
widths; target data alone, direct sharing, tuning the linear layer and tuning everything; three
replicates of the paper's protocol (50 x 100 steps of 32).
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml

from benchmarks.engine import measure
from benchmarks.measure import ROOT, table
from benchmarks.study_time import COLUMNS, by_rule, total

CONCEPTS, ENCOUNTERS, CORES, REPLICATES = 87, 9000, 2, 3
WIDTHS = {"table_a": 768, "table_b": 768, "table_c": 768, "table_d": 1536, "table_e": 3072}
STEPS = 50 * 100
FITS = 2 * 4  # two sites: a source model and `local`; two directions: `linear` and `full`


def write_study(folder: Path) -> Path:
    """Write vocabulary, sites, tables and config; returns the config."""
    rng = np.random.default_rng(0)
    names = [f"C{i:03d}" for i in range(CONCEPTS)]
    tokens = [(name, state) for name in names for state in ("present", "absent")]
    lines = [f"{name}\t{name}\tfinding\t{state}\t{name} {state}" for name, state in tokens]
    header = "concept\tname\tcategory\tstate\ttext"
    (folder / "concepts.tsv").write_text("\n".join([header, *lines]) + "\n", encoding="utf-8")
    effects = rng.normal(0, 0.5, CONCEPTS)
    for site in ("a", "b"):
        present = rng.random((ENCOUNTERS, CONCEPTS)) < rng.uniform(0.1, 0.6, CONCEPTS)
        risk = 1 / (1 + np.exp(1.5 - (present - present.mean(0)) @ effects))
        frame = pd.DataFrame(np.where(present, "P", "A"), columns=names)
        frame["label"] = np.where(rng.random(ENCOUNTERS) < risk, "yes", "no")
        frame.to_csv(folder / f"{site}.csv", index=False)
    for name, width in WIDTHS.items():
        vectors = rng.normal(size=(len(tokens), width)).astype(np.float32) * 15 / width**0.5
        keys = np.array([f"{name} {state}" for name, state in tokens])
        np.savez(folder / f"{name}.npz", keys=keys, vectors=vectors)
    path = folder / "config.yaml"
    path.write_text(yaml.safe_dump(study_config(folder), sort_keys=False), encoding="utf-8")
    return path


def study_config(folder: Path) -> dict[str, Any]:
    """The study; a sixth of each site tests and a fifth of the rest validates."""
    label = {"column": "label", "positive": ["yes"], "negative": ["no"]}
    tables = {
        name: {"provider": "precomputed", "path": str(folder / f"{name}.npz")} for name in WIDTHS
    }
    return {
        "study": "paper_grid",
        "vocabulary": str(folder / "concepts.tsv"),
        "task": {"label": "label"},
        "sites": {
            site: {"adapter": "tabular", "path": str(folder / f"{site}.csv"), "label": label}
            for site in ("a", "b")
        },
        "split": {"by": "share", "test_share": 1 / 6},
        "embeddings": {"one_hot": {"provider": "one_hot"}, **tables},
        "classifiers": ["cnn"],
        "strategies": {
            "local": None,
            "direct": None,
            "linear": {"learning_rate": 0.01},
            "full": {"learning_rate": 0.01},
        },
        "target_sizes": ["all"],
        "replicates": REPLICATES,
        "training": {"protocol": "gao2024"},
    }


def plain_hours() -> float:
    """Hours that one core would train the same models with the plain model, from its step."""
    widths = [2 * CONCEPTS, *WIDTHS.values()]
    step = {width: measure(width)["plain"] for width in set(widths)}
    return sum(step[width] for width in widths) * STEPS * FITS * REPLICATES / 3.6e6


def report() -> str:
    """The section of docs/performance.md."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        config = write_study(folder)
        command = [sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "Snakefile")]
        command += ["--directory", str(folder), "--cores", str(CORES), "--configfile", str(config)]
        paths = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
        start = time.perf_counter()
        done = subprocess.run(command, capture_output=True, text=True, check=False, env=paths)
        seconds = time.perf_counter() - start
        if done.returncode:
            raise RuntimeError(done.stderr)
        rows = by_rule(folder / "results" / "paper_grid" / "benchmarks")
    hours = plain_hours()
    return (
        "## The paper's grid\n\n"
        f"Two sites in both directions, {ENCOUNTERS:,} encounters each (two thirds train, a sixth "
        f"validates, a sixth tests) of {CONCEPTS} findings; one-hot, three tables of 768 columns, "
        "one of 1,536 and one of 3,072; `local`, `direct`, `linear` and `full`; "
        f"{REPLICATES} replicates of 50 x 100 steps of 32. `snakemake --cores {CORES}` took "
        f"**{seconds:.0f} s**, from reading the tables to the report. The plain model would train "
        f"for {hours:.1f} hours on one core (its step, timed in the same run, times the steps).\n\n"
        + table(COLUMNS, [*rows, total(rows)])
    )


if __name__ == "__main__":
    print(report())
