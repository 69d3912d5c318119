"""Random streams of the analysis: the same numbers for the same study on every machine."""

from __future__ import annotations

import hashlib

import numpy as np


def generator(seed: int, *purpose: str) -> np.random.Generator:
    """A stream that depends on the study's seed and on what it is for, nothing else."""
    digest = hashlib.sha256("\0".join(purpose).encode()).digest()
    return np.random.default_rng([seed, int.from_bytes(digest[:8], "little")])
