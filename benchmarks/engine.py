"""The engine against the plain model: ``python -m benchmarks.engine``.

The plain model is the published architecture with nn.Conv1d, a DataLoader and torch.optim, one
model at a time, on the same encounters and batch size. Both run on one thread, in turns.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import DataLoader, TensorDataset

from benchmarks.data import random_dataset, random_vectors, trainer_for
from benchmarks.measure import cpu_ms, in_child, peak_memory_mb, table
from concept_transfer.models.dataset import Dataset
from concept_transfer.settings.training import Training
from concept_transfer.training.trainer import Trainer
from tests.plain_reference import PlainCNN, train

WIDTHS = (180, 768, 3072)
REPLICATES = (1, 3, 10)
ENCOUNTERS, FINDINGS, TOKENS = 6000, 87, 180
SETTINGS = Training.model_validate({"protocol": "gao2024"})


def published_optimizer(model: PlainCNN) -> torch.optim.Optimizer:
    """As the paper trains."""
    keys = {"learning_rate": "lr", "momentum": "momentum", "weight_decay": "weight_decay"}
    values: dict[str, Any] = {name: getattr(SETTINGS, key) for key, name in keys.items()}
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    return torch.optim.SGD(trained, nesterov=True, **values)


class Plain:
    """The plain model about to train."""

    def __init__(self, dataset: Dataset, width: int) -> None:
        tokens = dataset.tokens.view(len(dataset), -1).long()
        data = TensorDataset(tokens, dataset.labels.long())
        self.loader = DataLoader(data, SETTINGS.batch_size, shuffle=True)
        self.model = PlainCNN(random_vectors(TOKENS, width), SETTINGS.filters)
        self.optimizer = published_optimizer(self.model)
        self.batches = self.forever()

    def forever(self) -> Iterator[tuple[Tensor, Tensor]]:
        while True:
            yield from self.loader

    def steps(self, count: int) -> None:
        for _ in range(count):
            tokens, labels = next(self.batches)
            kept = (torch.rand(len(labels), SETTINGS.filters) >= SETTINGS.dropout).float()
            scale = kept / (1 - SETTINGS.dropout)
            shares = torch.full((len(labels),), 1 / len(labels))
            train(self.model, self.optimizer, [(tokens, labels, shares, scale)])


def measure(width: int) -> dict[str, float]:
    """Milliseconds a step and model of the plain model (`plain`) and of so many replicates."""
    with tempfile.TemporaryDirectory() as folder:
        dataset = random_dataset(ENCOUNTERS, FINDINGS, TOKENS, Path(folder))
        plain = Plain(dataset, width)
        rows = torch.arange(len(dataset))
        vectors = random_vectors(TOKENS, width)
        engines = {
            count: trainer_for(dataset, vectors, rows.expand(count, -1), SETTINGS)
            for count in REPLICATES
        }
        found = {"plain": float("inf")} | {str(count): float("inf") for count in REPLICATES}
        for _ in range(12):
            found["plain"] = min(found["plain"], cpu_ms(lambda: plain.steps(3), 1) / 3)
            for count, engine in engines.items():
                steps = 64 // count

                def work(engine: Trainer = engine, steps: int = steps) -> None:
                    for _ in range(steps):
                        engine.step()

                found[str(count)] = min(found[str(count)], cpu_ms(work, 4) / steps / count)
    return found


def memory(width: int, replicates: int) -> float:
    """Peak memory in MB of a process that takes 50 steps; 0 replicates: the plain model."""
    with tempfile.TemporaryDirectory() as folder:
        dataset = random_dataset(ENCOUNTERS, FINDINGS, TOKENS, Path(folder))
        if replicates:
            rows = torch.arange(len(dataset)).expand(replicates, -1)
            engine = trainer_for(dataset, random_vectors(TOKENS, width), rows, SETTINGS)
            for _ in range(50):
                engine.step()
        else:
            Plain(dataset, width).steps(50)
    return peak_memory_mb()


def report() -> str:
    """The section of docs/performance.md."""
    rows = []
    for width in WIDTHS:
        times = in_child("engine", "measure", width)
        plain_memory = in_child("engine", "memory", width, 0)
        for count in REPLICATES:
            mine = times[str(count)]
            ratio = f"{times['plain'] / mine:.0f}"
            used = in_child("engine", "memory", width, count)
            rows.append((width, count, times["plain"], mine, ratio, plain_memory, used))
    columns = (
        "width",
        "replicates",
        "plain, ms",
        "engine, ms",
        "ratio",
        "plain, MB",
        "engine, MB",
    )
    return (
        "## A training step\n\n"
        f"Processor time of one step of one model on one thread, batch {SETTINGS.batch_size}, "
        f"{FINDINGS} findings an encounter, {TOKENS} tokens, {SETTINGS.filters} filters; least of "
        "several rounds taken in turns. *Plain*: the published architecture with `nn.Conv1d`, "
        "`DataLoader` and `torch.optim.SGD`. Memory: the whole process at its peak, Python and "
        "torch included. Width 180 is one-hot.\n\n" + table(columns, rows)
    )


if __name__ == "__main__":
    torch.set_num_threads(1)
    match sys.argv[1:]:
        case ["measure", width]:
            print(json.dumps(measure(int(width))))
        case ["memory", width, replicates]:
            print(json.dumps(memory(int(width), int(replicates))))
        case _:
            print(report())
