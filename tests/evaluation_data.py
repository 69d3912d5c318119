"""Invented predictions, in memory and as files, for the tests of the evaluation."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from scipy.stats import norm

from concept_transfer.cell import Cell
from concept_transfer.evaluation.cell_predictions import CellPredictions, LabelledPredictions
from concept_transfer.evaluation.evaluate import evaluate_cells
from concept_transfer.evaluation.results import CellResult, read_results
from concept_transfer.grid import Grid
from concept_transfer.study import Study, load_study


def a_cell(**changes: str) -> Cell:
    names = {
        "source": "north",
        "target": "south",
        "embedding": "minilm",
        "classifier": "cnn",
        "strategy": "full",
        "size": "200",
    }
    return Cell(**{**names, **changes})


def predictions(
    cell: Cell,
    labels: np.ndarray,
    probability: np.ndarray,
    validation: tuple[np.ndarray, np.ndarray] | None = None,
) -> CellPredictions:
    """Labels [n], probability [replicates, n] or [replicates, n, classes]; ``validation``: labels
    [m], probability."""
    count = len(probability)
    ids = pa.array([f"e{i:07d}" for i in range(len(labels))])
    nothing = (np.empty(0, np.int8), np.empty((count, 0, *probability.shape[2:])))
    held = nothing if validation is None else validation
    names = pa.array([f"v{i:07d}" for i in range(len(held[0]))])
    return CellPredictions(
        cell=cell,
        encounters=ids,
        labels=labels.astype(np.int8),
        probability=probability.astype(np.float32),
        replicates=np.arange(count),
        fold=np.zeros(len(labels), np.int16),
        validation=tuple(
            LabelledPredictions(names, held[0].astype(np.int8), p, np.zeros(len(names), np.int16))
            for p in held[1]
        ),
        records=(),
    )


def encounter_ids(cell: CellPredictions) -> np.ndarray:
    return cell.encounters.to_numpy(zero_copy_only=False).astype(str)


def write_block(
    path: Path,
    cell: Cell,
    rows: list[tuple[int, str, str, int, float]],
    failed: dict[int, str] | None = None,
) -> Path:
    """Rows are (replicate, partition, encounter, label, probability), all of fold 0."""
    columns = list(zip(*rows, strict=True))
    table = pa.table(
        {
            "replicate": pa.array(columns[0], pa.int16()),
            "fold": pa.array([0] * len(rows), pa.int16()),
            "partition": pa.array(columns[1], pa.string()),
            "encounter": pa.array(columns[2], pa.string()),
            "label": pa.array(columns[3], pa.int8()),
            "probability": pa.array(columns[4], pa.float32()),
        }
    )
    records = [
        {"replicate": number, "fold": 0, "status": (failed or {}).get(number, "ok")}
        for number in sorted(set(columns[0]))
    ]
    metadata = {"cell": json.dumps(cell.as_dict()), "replicates": json.dumps(records)}
    pq.write_table(table.replace_schema_metadata(metadata), path)
    return path


def clustered_scores(
    rng: np.random.Generator,
    clusters: int,
    size: int,
    replicates: int,
    separation: float = 1.5,
    prevalence: float = 0.2,
    models: int = 1,
    replicate_sd: float = 0.1,
    epidemic: bool = False,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Cluster ids [n], labels [n], probabilities [models, replicates, n] of equally good models.

    Scores are normal with unit variance in either class; half of it belongs to the encounter for
    all models, a quarter to the model, a quarter to the replicate. Half of the first two belongs
    to the cluster. A replicate's separation varies about ``separation``. ``epidemic``: most
    clusters have few positives and some have many.
    """
    n = clusters * size
    cluster = np.arange(n) // size
    of_cluster = rng.beta(0.5, 0.5 / prevalence - 0.5, clusters) if epidemic else prevalence
    labels = (rng.random(n) < np.broadcast_to(of_cluster, clusters)[cluster]).astype(np.int8)

    def shared(shape: tuple[int, ...]) -> np.ndarray:
        of_cluster = rng.normal(size=(*shape, clusters))[..., cluster]
        return np.sqrt(0.5) * (of_cluster + rng.normal(size=(*shape, n)))

    noise = np.sqrt(0.5) * shared(()) + np.sqrt(0.25) * shared((models, 1))
    noise = noise + np.sqrt(0.25) * rng.normal(size=(models, replicates, n))
    centre = separation + replicate_sd * rng.normal(size=(models, replicates, 1))
    ids = np.array([f"c{number:05d}" for number in cluster])
    return ids, labels, 1 / (1 + np.exp(2 - centre * labels - noise))


def true_auroc(separation: float = 1.5, replicate_sd: float = 0.1) -> float:
    """Expected AUROC of `clustered_scores`, over replicates and encounters of two clusters."""
    return float(norm.cdf(separation / np.sqrt(2 + replicate_sd**2)))


def a_study(**changes: Any) -> Study:
    """Two sites, a pretrained embedding with its controls, one-hot, at two scales."""
    site = {"adapter": "simulated", "network": "network.yaml"}
    config = {
        "study": "invented",
        "vocabulary": "vocabulary.tsv",
        "task": {"label": "influenza"},
        "sites": {"north": site, "south": site},
        "pairs": [["north", "south"]],
        "split": {"by": "share"},
        "embeddings": {
            "one_hot": {"provider": "one_hot"},
            "one_hot_15": {"provider": "one_hot", "scale": {"norm": 15}},
            "minilm": {"provider": "precomputed", "path": "minilm.npz"},
            "minilm_15": {"provider": "scaled", "of": "minilm", "scale": {"norm": 15}},
            "minilm_shuffled": {"provider": "shuffled", "of": "minilm"},
            "minilm_random": {"provider": "random", "like": "minilm"},
        },
        "classifiers": ["cnn", "logistic"],
        "strategies": {
            "local": None,
            "direct": None,
            "full": {"learning_rate": 0.1},
            "full_slow": {"kind": "full", "learning_rate": 0.01},
        },
        "target_sizes": [50, "all"],
        "replicates": 5,
        "evaluation": {"draws": 200},
    }
    return load_study({**config, **changes})


def evaluate_study(
    study: Study,
    folder: Path,
    rng: np.random.Generator,
    separation: Callable[[Cell], float],
    cluster_size: int = 3,
    clusters: int = 200,
) -> dict[Cell, CellResult]:
    """Evaluate every cell of a study, with scores as good as ``separation`` says, to files."""
    grid = Grid(study)
    for target in grid.targets:
        cells = [cell for cell in grid.cells if cell.target == target]
        shape = (rng, clusters, cluster_size, study.replicates)
        state = rng.bit_generator.state
        scores = {}
        for cell in cells:
            rng.bit_generator.state = state  # the same encounters and noise for every cell
            scores[cell] = clustered_scores(*shape, separation=separation(cell), replicate_sd=0.02)
        half = clusters // 2 * cluster_size
        for embedding in grid.embeddings_of_metrics():
            evaluated = []
            for cell in grid.cells_of(target, embedding):
                ids, labels, p = scores[cell]
                noisy = p[0] + 0.01 * rng.random(p[0].shape)
                held = (labels[:half], noisy[:, :half] / 1.01)
                evaluated.append(predictions(cell, labels[half:], noisy[:, half:] / 1.01, held))
            result = evaluate_cells(
                evaluated, encounter_ids(evaluated[0]), ids[half:], study.evaluation, study.seed
            )
            result.write(folder / target / embedding)
    return read_results(sorted(path for path in folder.glob("*/*")))
