"""Random numbers of pre-training, all of which follow from the study's seed."""

from __future__ import annotations

import numpy as np


def generator(seed: tuple[int, int], purpose: int, number: int = 0) -> np.random.Generator:
    """The random numbers of a purpose; seed: that of the study, and the number of the copy;
    number: of the epoch or the step."""
    return np.random.Generator(np.random.Philox(np.random.SeedSequence([*seed, purpose, number])))
