"""Sites whose outcome seems to be coded the other way round."""

from __future__ import annotations

import math

from concept_transfer.cell import ALL_MODELS
from concept_transfer.evaluation.metrics import TESTED
from concept_transfer.evaluation.results import CellResult, Results

CHANCE = 0.5


def reversal_warnings(results: Results) -> list[str]:
    """A sentence a target that every source model ranks the wrong way round.

    That is where the interval of each model's AUROC, used without target labels, lies below 0.5.
    Targets with too few test encounters of the rarer class say nothing.
    """
    unchanged: dict[str, list[CellResult]] = {}
    for cell, result in results.items():
        if cell.source and cell.size == "0" and cell.classifier != ALL_MODELS and result.headline:
            unchanged.setdefault(cell.target, []).append(result)
    warnings = []
    for target, models in unchanged.items():
        if all(_upper(model) < CHANCE for model in models):
            highest = max(model.estimate() for model in models)
            sources = dict.fromkeys(model.cell.source for model in models)
            coded = (
                "in reverse. Compare what their configs call positive and negative."
                if models[0].classes == 2
                else "with classes exchanged. Compare how their configs spell the classes."
            )
            warnings.append(
                f"Every source model ranks the encounters of {target} the wrong way round (AUROC "
                f"{highest:.3f} at most, from {', '.join(sources)}): the outcome of one of these "
                f"sites may be coded {coded}"
            )
    return warnings


def _upper(model: CellResult) -> float:
    """The interval's end; an AUROC of 0 has none."""
    upper = float(model.estimates[TESTED]["upper"])
    return upper if math.isfinite(upper) else model.estimate()
