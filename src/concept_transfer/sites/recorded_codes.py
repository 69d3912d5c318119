"""Codes of a site that are no findings of a study, such as the diagnoses of the visit itself."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class RecordedCodes:
    """Codes of n encounters, in the order of the cohort.

    rows, codes: [values], which encounter has which code, in any order, repeated or not; ages:
    float64 [n], in years, NaN where unknown; sexes: [n], in words, '' where unknown.
    """

    rows: NDArray[np.int64]
    codes: NDArray[np.str_]
    ages: NDArray[np.float64]
    sexes: NDArray[np.str_]
