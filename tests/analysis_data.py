"""Sites in memory, sampled from networks whose distributions are known, for the analysis tests."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from concept_transfer.cohorts.cohort import Cohort
from concept_transfer.cohorts.splits import split_table
from concept_transfer.concepts.vocabulary import Vocabulary
from concept_transfer.inputs.rows import CompressedRows
from concept_transfer.sites.network_files import read_network
from concept_transfer.sites.networks import Network, sample
from concept_transfer.sites.site import Site

STATES = {
    "age": ("young", "old"),
    "season": ("winter", "summer"),
    "temperature": ("high", "low", "normal"),
    "aches": ("present", "absent"),
    "soreness": ("present", "absent"),
    "cough": ("present", "absent"),
}
BASE: dict[str, Any] = {
    "diseases": ["flu", "cold"],
    "age": {"concept": "age", "states": ["young", "old"]},
    "season": {"concept": "season", "states": ["winter", "summer"]},
    "signs": {
        "aches": {"young": [0.3, 0.1], "old": [0.7, 0.2]},
        "cough": [0.5, 0.6],
    },
    "graded": {
        "temperature": {
            "high": [0.5, 0.1],
            "low": {"young": [0.4, 0.2], "old": [0.2, 0.3]},
            "normal": {"young": [0.1, 0.7], "old": [0.3, 0.6]},
        }
    },
    "comorbidity_odds": {"cough": 3.0},
}
COUNTY: dict[str, Any] = {
    "base": "base.yaml",
    "diseases": {"flu": 0.3, "cold": 0.7},
    "ages": {"flu": {"young": 0.4, "old": 0.6}, "cold": {"young": 0.5, "old": 0.5}},
    "seasons": {"flu": {"winter": 0.8, "summer": 0.2}, "cold": {"winter": 0.6, "summer": 0.4}},
    "comorbidity": {"young": 0.1, "old": 0.4},
    "visits": [0.6, 0.3, 0.1],
    "recorded": {
        "usual": {"present": 0.9, "absent": 0.4},
        "cough": {"present": 0.8, "absent": 0.5},
        "temperature": {"high": 0.9, "low": 0.7, "normal": 0.6},
    },
    "wording": {"aches": {"aches": 0.7, "soreness": 0.3}},
}


def a_vocabulary() -> Vocabulary:
    tokens = [(concept, state) for concept, states in STATES.items() for state in states]
    concepts = tuple(concept for concept, _ in tokens)
    return Vocabulary(
        concepts=concepts,
        names=concepts,
        categories=tuple("finding" if "absent" in STATES[c] else c for c in concepts),
        states=tuple(state for _, state in tokens),
        texts=tuple(f"{concept} {state}" for concept, state in tokens),
    )


def a_network(folder: Path, elsewhere: bool = False) -> Network:
    """A county; ``elsewhere`` is one with more influenza and other habits of recording."""
    county = copy.deepcopy(COUNTY)
    if elsewhere:
        county["diseases"] = {"flu": 0.5, "cold": 0.5}
        county["recorded"]["usual"] = {"present": 0.8, "absent": 0.1}
        county["wording"]["aches"] = {"aches": 0.5, "soreness": 0.5}
    (folder / "base.yaml").write_text(yaml.safe_dump(BASE))
    path = folder / f"county{int(elsewhere)}.yaml"
    path.write_text(yaml.safe_dump(county))
    return read_network(path)


def site_of(name: str, tokens: list[list[int]], labels: Any, cluster: Any) -> Site:
    """A site from its encounters' tokens."""
    offsets = np.concatenate([[0], np.cumsum([len(row) for row in tokens])]).astype(np.int64)
    flat = np.array([token for row in tokens for token in sorted(row)], np.int32)
    labels = np.asarray(labels, np.int8)
    ids = [str(number) for number in range(len(labels))]
    split = split_table(
        ids,
        [str(c) for c in cluster],
        labels,
        np.zeros(len(labels), np.int16),
        np.zeros(len(labels), bool),
    )
    return Site(Cohort(name, labels, split), {"findings": CompressedRows(offsets, flat)})


def sampled_site(name: str, network: Network, encounters: int, seed: int) -> Site:
    """Encounters sampled from a network; the label is flu, the cluster the patient."""
    vocabulary = a_vocabulary()
    drawn = sample(network, encounters, seed)
    ids = [
        [*(vocabulary.token(*token) for token in finding.tokens), -1]
        for finding in network.findings
    ]
    tokens = [
        [ids[column][entry] for column, entry in enumerate(row) if ids[column][entry] >= 0]
        for row in drawn.written.tolist()
    ]
    flu = network.diseases.index("flu")
    return site_of(name, tokens, drawn.disease == flu, drawn.patient)


def true_shares(network: Network, label: int | None = None) -> dict[str, np.ndarray]:
    """Concept -> probabilities of its states and of nothing, summed over all causes."""
    joint = network.joint.copy()
    flu = network.diseases.index("flu")
    if label == 1:
        joint[[d for d in range(len(network.diseases)) if d != flu]] = 0
    elif label == 0:
        joint[flu] = 0
    causes = joint.ravel() / joint.sum()
    shares = {concept: np.zeros(len(states) + 1) for concept, states in STATES.items()}
    for finding in network.findings:
        for (concept, state), chance in zip(
            finding.tokens, causes @ network.chances(finding), strict=True
        ):
            shares[concept][STATES[concept].index(state)] += chance
    for values in shares.values():
        values[-1] = max(1 - values[:-1].sum(), 0)
    return shares
