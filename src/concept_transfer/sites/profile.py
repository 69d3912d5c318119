"""What a site holds, part by part: for the check before a study and for its report."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow.compute as pc
from numpy.typing import NDArray

from concept_transfer.cohorts.classes import class_counts
from concept_transfer.cohorts.splits import Split
from concept_transfer.concepts.vocabulary import Vocabulary
from concept_transfer.inputs.rows import CompressedRows
from concept_transfer.settings.task import Task
from concept_transfer.sites.extract import Extract

RECORDED = "recorded "
_BLOCK = 100_000


def site_profile(
    extract: Extract, split: Split, vocabulary: Vocabulary, task: Task
) -> list[dict[str, Any]]:
    """One row a part of the site: all, training and validation (as a source), test by fold.

    Keys: part, encounters, positives and prevalence, or of more than two classes `with <class>`
    (encounters of each), clusters, findings (mean number an encounter),
    first, last (day, ISO; None without time), and `recorded <category>`: the share of a
    category's concepts with a token at an encounter, on average.
    """
    training, validation = split.source_parts()
    parts = {"all": np.arange(len(split)), "training": training, "validation": validation}
    for fold in split.folds:
        name = "test" if len(split.folds) == 1 else f"test fold {fold}"
        parts[name] = split.parts(fold)[2]
    categories = list(dict.fromkeys(vocabulary.categories))
    counts = _counts(extract.inputs["findings"], vocabulary, categories)
    concepts = np.array([_concepts(vocabulary, category) for category in categories])
    rows = []
    for part, index in parts.items():
        size = len(index)
        recorded = counts[index].sum(axis=0) / max(size, 1)
        times = extract.encounters.table.column("time").take(index)
        days = pc.min_max(times).as_py()
        rows.append(
            {
                "part": part,
                "encounters": size,
                **_outcomes(split.label[index], task),
                "clusters": len(pc.unique(split.table.column("cluster").take(index))),
                "findings": float(recorded.sum()),
                "first": days["min"] and days["min"].isoformat(),
                "last": days["max"] and days["max"].isoformat(),
            }
            | {
                f"{RECORDED}{category}": float(share)
                for category, share in zip(categories, recorded / concepts, strict=True)
            }
        )
    return rows


def _outcomes(labels: NDArray[np.int8], task: Task) -> dict[str, Any]:
    counts = class_counts(labels, task)
    if len(counts) > 2:
        return {f"with {name}": count for name, count in counts.items()}
    positives = counts[task.class_names[1]]
    return {"positives": positives, "prevalence": positives / len(labels) if len(labels) else None}


def _concepts(vocabulary: Vocabulary, category: str) -> int:
    pairs = zip(vocabulary.concepts, vocabulary.categories, strict=True)
    return len({concept for concept, its in pairs if its == category})


def _counts(
    findings: CompressedRows, vocabulary: Vocabulary, categories: list[str]
) -> NDArray[np.int32]:
    """Tokens of every encounter in every category, int32 [n, categories]."""
    category_of = np.array([categories.index(category) for category in vocabulary.categories])
    blocks = []
    for start in range(0, len(findings), _BLOCK):
        part = findings.part(start, start + _BLOCK)
        cell = part.owners * len(categories) + category_of[part.values]
        count = np.bincount(cell, minlength=len(part) * len(categories))
        blocks.append(count.reshape(-1, len(categories)).astype(np.int32))
    return np.concatenate(blocks)
