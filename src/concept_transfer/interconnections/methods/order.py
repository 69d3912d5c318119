"""The method `order`: which code comes first."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from concept_transfer.interconnections.methods.method import Learned, Method, MethodSettings


class Order(MethodSettings):
    """Whether one code tends to come before the other, of patients who have both on different days
    (a sign test, as a z-value)."""

    kind: Literal["order"]


def scores(settings: Order, learned: Learned) -> NDArray[np.float64]:
    from concept_transfer.interconnections.counts import orders

    before = orders(learned.sets).astype(float)
    total = before + before.T
    with np.errstate(invalid="ignore", divide="ignore"):
        found = np.where(total > 0, (before - before.T) / np.sqrt(total), 0.0)
    np.fill_diagonal(found, np.nan)
    return found


METHOD = Method(
    settings=Order,
    title="which comes first",
    methods=lambda settings: "how surely one code is recorded before the other, by a sign test",
    scores=scores,
    directed=True,
)
