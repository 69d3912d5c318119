"""What to use at a target with so many labels, what it gains there, and how likely it harms."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from concept_transfer.cell import Cell
from concept_transfer.comparison.comparisons import seen_before
from concept_transfer.comparison.contrasts import BEST_LOCAL, Contrast
from concept_transfer.comparison.effects import Effect, paired_effect
from concept_transfer.comparison.schema import LABELLED
from concept_transfer.evaluation.intervals import tail
from concept_transfer.evaluation.metrics import TESTED
from concept_transfer.evaluation.results import CellResult, Results
from concept_transfer.settings.evaluation import Evaluation
from concept_transfer.study import Study

CALIBRATION = ("calibration_intercept", "calibration_slope")
NAN = float("nan")


def advice_rows(
    study: Study,
    contrasts: Sequence[Contrast],
    results: Results,
    settings: Evaluation,
) -> list[dict[str, Any]]:
    """One row a source, target and target size ("0" first): the model to use.

    That is a strategy's that combines the study's models where there is one, or else what
    validation chooses (`seen_before`); test encounters choose nothing. What learned from no label
    anywhere was seen nowhere before the test, so it is advised as part of a combination alone.
    ``auroc`` and calibration are expected of it, with intervals; ``gain`` over the target-only
    model that validation chooses among equally many labels, with ``harm``, the probability that the
    gain is negative (the confidence distribution of the paired difference; NaN without a rival);
    ``caught_up``: the smallest target size of the study at which that rival is estimated to be as
    good as the advised model at this size, "" where none is.
    """
    validation = {cell: seen_before(result) for cell, result in results.items()}
    rivals = {
        (contrast.plus[0], contrast.minus[0].size): contrast
        for contrast in contrasts
        if contrast.family == BEST_LOCAL
    }
    rows = []
    for source, target in study.directions():
        local = {
            contrast.minus[0].size: results[contrast.minus[0]].estimate()
            for (cell, _), contrast in rivals.items()
            if (cell.source, cell.target) == (source, target)
        }
        for size in ("0", *map(str, study.target_sizes)):
            cell = _advised(study, results, validation, source, target, size)
            if cell is None:
                continue
            contrast = rivals.get((cell, size))
            effect = paired_effect([contrast], results, settings) if contrast else None
            rows.append(
                {
                    "source": source,
                    "target": target,
                    "size": size,
                    **{name: getattr(cell, name) for name in LABELLED},
                    **_expected(results[cell]),
                    **_gain(effect),
                    "rival": _named(contrast.minus[0]) if contrast else {},
                    "flag": results[cell].estimates[TESTED]["flag"],
                    "caught_up": _caught_up(study, local, results[cell].estimate()),
                }
            )
    return rows


def _advised(
    study: Study,
    results: Results,
    validation: Mapping[Cell, float],
    source: str,
    target: str,
    size: str,
) -> Cell | None:
    """The model for a target size among those that a site can have with that many labels."""
    able = offered(study, results, source, target, size)
    combining = study.combining_strategies()
    for name in combining:
        for cell in able:
            if (cell.strategy, cell.size) == (name, size):
                return cell
    known = [
        cell
        for cell in able
        if cell.strategy not in combining and math.isfinite(validation.get(cell, NAN))
    ]
    free = [cell for cell in known if cell.size == "0"]
    # What needs no label is judged on its source's encounters, which are no measure for the others.
    of_size = [cell for cell in known if cell.size == size]
    unjudged = [cell for cell in able if cell.size == "0" and not cell.source]
    best = max(of_size or free, key=lambda cell: validation[cell], default=None)
    return best or next(iter(unjudged), None)


def offered(study: Study, results: Results, source: str, target: str, size: str) -> list[Cell]:
    """The estimated models that a target can have with so many labels; controls are none."""
    return [
        cell
        for cell, result in results.items()
        if cell.target == target
        and cell.source in ("", source)
        and cell.size in ("0", size)
        and not math.isnan(result.estimate())
        and not study.is_control(cell.embedding)
    ]


def _expected(result: CellResult) -> dict[str, float]:
    """AUROC and calibration of a cell with their bounds; NaN where they are not estimated."""
    columns = {"": "estimate", "_lower": "lower", "_upper": "upper"}
    return {
        f"{metric}{end}": float(result.estimates.get(metric, {}).get(column, NAN))
        for metric in (TESTED, *CALIBRATION)
        for end, column in columns.items()
    }


def _gain(effect: Effect | None) -> dict[str, float]:
    if effect is None:
        return dict.fromkeys(("gain", "gain_lower", "gain_upper", "harm"), NAN)
    return {
        "gain": effect.difference,
        "gain_lower": effect.lower,
        "gain_upper": effect.upper,
        "harm": tail(effect.difference, effect.standard_error, effect.freedom),
    }


def _named(cell: Cell) -> dict[str, str]:
    return {name: getattr(cell, name) for name in LABELLED}


def _caught_up(study: Study, local: Mapping[str, float], reached: float) -> str:
    """The smallest size whose target-only model is as good; sizes as the study lists them."""
    sizes: Iterable[str] = sorted(
        map(str, study.target_sizes), key=lambda s: float("inf") if s == "all" else int(s)
    )
    return next((size for size in sizes if local.get(size, -1.0) >= reached), "")
