"""The AUROC of models on permuted vectors, as ``shuffles/`` holds it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from concept_transfer.cell import Cell
from concept_transfer.evaluation.delong import auroc
from concept_transfer.training.predictions import Predictions


def shuffled_rows(
    cell: Cell, predictions: Predictions, drawn: Sequence[tuple[int, int]]
) -> list[dict[str, object]]:
    """Test AUROC of models on permuted vectors, a row a (shuffle, replicate) of ``drawn``."""
    rows = []
    for place, (shuffle, replicate) in enumerate(drawn):
        labels, probability, fold = predictions.tested(place)
        known = not np.isnan(probability).any()
        area = auroc(labels, probability, fold) if known else float("nan")
        rows.append({**cell.as_dict(), "shuffle": shuffle, "replicate": replicate, "auroc": area})
    return rows
