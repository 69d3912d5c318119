"""How time and memory grow with encounters, findings and vocabulary.

``python -m benchmarks.scaling``
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from pathlib import Path

import torch

from benchmarks.data import random_dataset, random_vectors, read_dataset, trainer_for
from benchmarks.measure import anonymous_memory_mb, cpu_ms, in_child, peak_memory_mb, table
from concept_transfer.cohorts.budget import replicate_key
from concept_transfer.settings.training import Training
from concept_transfer.training.draws import initial_weights
from concept_transfer.training.engine import fit

ENCOUNTERS = (10_000, 100_000, 1_000_000)
FINDINGS = (5, 20, 90)
VOCABULARIES = ((180, 768), (2_000, 768), (2_000, 2_000), (50_000, 768))
ONE_EPOCH = Training.model_validate(
    {"fixed_epochs": 1, "max_iterations": 10**9, "weight_decay": 1e-3}
)


def epoch(folder: str, replicates: int) -> dict[str, float]:
    """Seconds of one pass over 80 % of the encounters and one validation, and peak memory."""
    dataset = read_dataset(Path(folder))
    keys = torch.tensor([replicate_key(0, replicate) for replicate in range(replicates)])
    rows = torch.arange(len(dataset)).expand(replicates, -1)
    cut = len(dataset) * 4 // 5
    vectors = random_vectors(180, 768)
    start = initial_weights(keys, 768, ONE_EPOCH.filters)
    begun = time.process_time()
    fit(
        *(dataset, vectors, rows[:, :cut], rows[:, cut:], keys, start, ONE_EPOCH),
        early_stopping=[False] * replicates,
    )
    seconds = time.process_time() - begun
    return {"seconds": seconds, "peak": peak_memory_mb(), "anonymous": anonymous_memory_mb()}


def step(findings: int, tokens: int, width: int, replicates: int) -> float:
    """Milliseconds a step and model."""
    with tempfile.TemporaryDirectory() as folder:
        dataset = random_dataset(20_000, findings, tokens, Path(folder))
        rows = torch.arange(len(dataset)).expand(replicates, -1)
        engine = trainer_for(dataset, random_vectors(tokens, width), rows, ONE_EPOCH)

        def work() -> None:
            for _ in range(8):
                engine.step()

        return cpu_ms(work, 8) / 8 / replicates


def report() -> str:
    """The section of docs/performance.md."""
    epochs = []
    for count in ENCOUNTERS:
        with tempfile.TemporaryDirectory() as folder:
            random_dataset(count, 90, 180, Path(folder))
            for replicates in (1, 10) if count == ENCOUNTERS[-1] else (1,):
                found = in_child("scaling", "epoch", folder, replicates)
                epochs.append((count, replicates, *found.values()))
    sizes = [
        (*case, in_child("scaling", "step", *case, 3))
        for case in (
            *((findings, 180, 768) for findings in FINDINGS),
            *((90, tokens, width) for tokens, width in VOCABULARIES[1:]),
        )
    ]
    return (
        "## Scaling\n\n"
        "One epoch over memory-mapped encounters of 90 findings (180 tokens, width 768): four "
        "fifths train in batches of 32, one fifth validates. Processor time on one thread. *Peak* "
        "counts the pages of the mapped files that were read, which the system may take back at "
        "any time; *own* is what the process allocated.\n\n"
        + table(("encounters", "replicates", "seconds", "peak, MB", "own, MB"), epochs)
        + "\n\nOne step of one of 3 models. Width equal to the vocabulary is one-hot.\n\n"
        + table(("findings", "tokens", "width", "ms"), sizes)
    )


if __name__ == "__main__":
    torch.set_num_threads(1)
    match sys.argv[1:]:
        case ["epoch", folder, replicates]:
            print(json.dumps(epoch(folder, int(replicates))))
        case ["step", *numbers]:
            print(json.dumps(step(*map(int, numbers))))
        case _:
            print(report())
