"""Small valid studies, drawn at random (hypothesis)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np
from hypothesis import strategies as st
from workflow_runs import REPOSITORY, tiny_study

from concept_transfer.concepts.vocabulary import Vocabulary

SITES = ("east", "north", "south")
EMBEDDINGS: dict[str, dict[str, Any]] = {
    "one_hot": {"provider": "one_hot"},
    "one_hot_4": {"provider": "one_hot", "scale": {"norm": 4}},
    "published": {"provider": "precomputed", "path": "vectors.h5"},
    "random": {"provider": "random", "like": "published"},
    "shuffled": {"provider": "shuffled", "of": "published"},
    "projected": {"provider": "pca", "of": "published", "width": 3},
}
STRATEGIES: dict[str, dict[str, Any]] = {
    "local": {"kind": "local"},
    "direct": {"kind": "direct"},
    "linear": {"kind": "linear"},
    "full": {"kind": "full"},
    "gentle": {"kind": "full", "learning_rate": 0.001},
    "pooled": {"kind": "pooled"},
    "mostly_own": {"kind": "pooled", "source_weight": 0.2},
    "importance_weighted": {"kind": "importance_weighted"},
    "coral": {"kind": "coral"},
    "dann": {"kind": "dann"},
}
SPLITS = (
    {"by": "share"},
    {"by": "folds", "folds": 2},
    {"by": "time", "test_from": "2024-07-01"},
)


def write_vectors(folder: Path) -> None:
    """The file of the precomputed embedding: eight numbers for every token."""
    vocabulary = Vocabulary.read(REPOSITORY / "resources" / "concepts" / "influenza.tsv")
    rng = np.random.default_rng(0)
    with h5py.File(folder / "vectors.h5", "w") as file:
        for concept, state in zip(vocabulary.concepts, vocabulary.states, strict=True):
            file[f"{concept} {state}"] = rng.normal(size=8).astype(np.float32)


@st.composite
def studies(draw: st.DrawFn) -> dict[str, Any]:
    """Configs that are valid and whose target sizes the sites can supply."""
    sites = SITES[: draw(st.sampled_from([2, 3]))]
    directions = [[a, b] for a in sites for b in sites if a != b]
    names = draw(st.lists(st.sampled_from(list(EMBEDDINGS)), min_size=1, unique=True))
    if {"random", "shuffled", "projected"} & set(names):
        names = [*dict.fromkeys(["published", *names])]
    strategies = draw(st.lists(st.sampled_from(list(STRATEGIES)), min_size=1, unique=True))
    classifiers = draw(
        st.lists(
            st.sampled_from(["cnn", "logistic", "gradient_boosting"]), min_size=1, unique=True
        ).filter(lambda chosen: "cnn" in chosen or untuned(strategies))
    )
    config = {
        **tiny_study(),
        "study": "drawn",
        "sites": {
            site: {
                "adapter": "simulated",
                "network": str(REPOSITORY / "resources/networks" / f"{network}.yaml"),
                "encounters": draw(st.sampled_from([80, 150])),
                "seed": number,
            }
            for number, (site, network) in enumerate(
                zip(sites, ("north", "north", "south"), strict=False)
            )
        },
        "split": draw(st.sampled_from(SPLITS)),
        "pairs": draw(
            st.one_of(
                st.just("all"), st.lists(st.sampled_from(directions), min_size=1, unique_by=tuple)
            )
        ),
        "embeddings": {name: EMBEDDINGS[name] for name in names},
        "classifiers": classifiers,
        "strategies": {name: STRATEGIES[name] for name in strategies},
        "target_sizes": draw(st.lists(st.sampled_from([10, 20, "all"]), min_size=1, unique=True)),
        "replicates": draw(st.sampled_from([1, 2])),
        "block_size": draw(st.sampled_from([1, 2])),
        "meaning": {"shuffles": 2},
        "training": {"epochs": 1, "fixed_epochs": 1, "filters": 5},
        "evaluation": {
            "draws": 100,
            "small_cells": draw(st.sampled_from([0, 11])),
            "min_positives": draw(st.sampled_from([11, 1000])),
            "margin": draw(st.sampled_from([None, 0.05])),
        },
    }
    if "cnn" in classifiers and draw(st.booleans()):
        side = st.fixed_dictionaries(
            {"embedding": st.sampled_from(names), "strategy": st.sampled_from(strategies)}
        )
        test = {"under": "these conditions", "better": draw(side), "than": draw(side)}
        config["claims"] = [{"text": "One is better than the other.", "tests": [test]}]
    return config


def untuned(strategies: list[str]) -> bool:
    """Whether a simple model can follow any of the strategies."""
    follows = ("local", "direct", "pooled", "importance_weighted")
    return any(STRATEGIES[name]["kind"] in follows for name in strategies)
