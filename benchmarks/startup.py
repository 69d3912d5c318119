"""What a training job spends before its first step: ``python -m benchmarks.startup``."""

from __future__ import annotations

import os
import subprocess
import sys
import time

from benchmarks.measure import ROOT, table

TRAINING = "import concept_transfer.training.jobs, concept_transfer.training.setup"
LOADS = {
    "Python": "pass",
    "numpy": "import numpy",
    "pyarrow.parquet": "import pyarrow.parquet",
    "pydantic": "import pydantic",
    "torch": "import torch",
    "torch, exempt at exit": "import torch, gc; gc.freeze()",
    "a job of the concept CNN": f"{TRAINING}, concept_transfer.training.concept_cnn",
    "a job of a simple model": f"{TRAINING}, concept_transfer.training.one_by_one",
}
RESOLUTION = 0.01  # seconds, of the system's clock
HEAVY = ("pandas", "sklearn", "transformers", "matplotlib", "snakemake", "sympy", "networkx")


def processor_seconds(code: str) -> float:
    """Least processor time of five fresh interpreters that run the code."""
    best = float("inf")
    for _ in range(5):
        before = os.times()
        subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)
        after = os.times()
        spent = after.children_user + after.children_system
        best = min(best, spent - before.children_user - before.children_system)
    return best


def heavy_imports(code: str) -> list[str]:
    """Which of the heavy libraries the code loads."""
    show = f"{code}; import sys; print(*[name for name in {HEAVY!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", show], check=True, capture_output=True, text=True)
    return done.stdout.split()


def report() -> str:
    """The section of docs/performance.md."""
    rows = [
        (name, max(processor_seconds(code), RESOLUTION), ", ".join(heavy_imports(code)) or "none")
        for name, code in LOADS.items()
    ]
    return (
        "## Start-up\n\nProcessor time of a fresh interpreter that imports what is named, from "
        f"start to exit, and which of {', '.join(HEAVY)} come along.\n\n"
        + table(("imports", "seconds", "heavy libraries"), rows)
        + "\n\nWhat follows from it: jobs exempt what they have imported from garbage collection, "
        "which spares them part of a second at exit (`concept_transfer.job`); the target "
        "sizes of a strategy and the replicates of a block share one job, because each alone is a "
        "fraction of a second of work, and the job keeps the files of the sizes that are current; "
        "so do the strategies that have a source, and all classifiers without an embedding; "
        "embeddings and directions have jobs of their own, because they are what a config changes "
        "and what a cluster spreads; a site's source model serves as `local` on all its labels."
    )


if __name__ == "__main__":
    begun = time.perf_counter()
    print(report())
