"""The comparison table: paired, corrected for the number of comparisons in each family."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from concept_transfer.cell import Cell
from concept_transfer.comparison.contrasts import FAMILIES, SHUFFLED, Contrast, study_contrasts
from concept_transfer.comparison.effects import Effect, holm, holm_levels, paired_effect
from concept_transfer.comparison.permutations import ShuffleTest
from concept_transfer.comparison.schema import LABELLED
from concept_transfer.evaluation.intervals import interval_within
from concept_transfer.evaluation.metrics import METRICS, TESTED
from concept_transfer.evaluation.results import CellResult, Results
from concept_transfer.settings.evaluation import Evaluation
from concept_transfer.study import Study

DESCRIBED = (
    "auprc",
    "brier",
    "log_loss",
    "accuracy",
    "macro_f1",
)  # without a test, beside the tested metric
FEWEST_REPLICATES = 5
PERMUTATION = "permutation of concepts"
NAN = float("nan")


def compare_study(
    study: Study, results: Results, shuffled: Mapping[Cell, ShuffleTest]
) -> tuple[list[Contrast], list[dict[str, Any]]]:
    """All contrasts of the study and their comparison table."""
    contrasts = study_contrasts(study, {cell: seen_before(r) for cell, r in results.items()})
    return contrasts, comparison_rows(contrasts, results, study.evaluation, shuffled)


def seen_before(result: CellResult) -> float:
    """The mean AUROC by which a cell can be chosen before any test: on its own validation labels.

    A source model that meets the target without labels (size "0") is known at its source only.
    """
    return result.mean("source" if result.cell.size == "0" else "validation")


def comparison_rows(
    contrasts: Iterable[Contrast],
    results: Results,
    settings: Evaluation,
    shuffled: Mapping[Cell, ShuffleTest],
) -> list[dict[str, Any]]:
    """The comparison table: one row a contrast and metric.

    Only AUROC (of more than two classes its macro mean) is tested and has ``p``, ``p_holm`` (within
    the family) and a ``verdict`` on side ``a``, see `decide`; cells with too few test encounters of
    the rarest class are ``underpowered`` and no part of the correction. A difference from the
    shuffled control is tested by permutation, where the study declares the cell (``shuffled``), and
    else ``not tested``. The other metrics describe the size of the effect.
    """
    rows: list[dict[str, Any]] = []
    for contrast in contrasts:
        flagged = any(results[c].estimates[TESTED]["flag"] for c in contrast.cells)
        measured = results[contrast.cells[0]].metrics
        for metric in (TESTED, *(name for name in DESCRIBED if name in measured)):
            effect = paired_effect([contrast], results, settings, metric)
            row = {**_sides(contrast), "metric": metric, **effect_columns(effect)}
            if metric != TESTED:
                row |= {"test": "", "p": NAN}
            elif flagged:
                row["verdict"] = "underpowered"
            elif contrast.family == SHUFFLED:
                row |= permutation_columns(shuffled.get(contrast.plus[0]), settings)
            rows.append(row)
    for family in FAMILIES:
        headline = [
            row
            for row in rows
            if row["family"] == family and row["metric"] == TESTED and not row["verdict"]
        ]
        decide(headline, settings)
    return rows


def effect_columns(effect: Effect) -> dict[str, Any]:
    """An effect as columns, its verdict still open."""
    return {
        "difference": effect.difference,
        "lower": effect.lower,
        "upper": effect.upper,
        "lower_holm": NAN,
        "upper_holm": NAN,
        "standard_error": effect.standard_error,
        "freedom": effect.freedom,
        "reach": effect.reach,
        "replicates": effect.replicates,
        "test": effect.test,
        "p": effect.p,
        "p_holm": NAN,
        "p_equivalence": effect.p_equivalence,
        "verdict": "",
    }


def permutation_columns(test: ShuffleTest | None, settings: Evaluation) -> dict[str, Any]:
    """What a permutation test over shuffles says of a cell, in place of a paired t test.

    The difference is that from the mean over shuffles, and its bounds are those from the middle
    95 % (or as the config says) of the shuffles.
    """
    if test is None:
        return {"test": "", "p": NAN, "p_equivalence": NAN, "verdict": "not tested"}
    shown = test.is_shown(settings.confidence)
    outside = (1 - settings.confidence) / 2
    low, high = np.quantile(test.shuffled, [outside, 1 - outside])
    return {
        "difference": test.observed - float(test.shuffled.mean()),
        "lower": test.observed - float(high),
        "upper": test.observed - float(low),
        "standard_error": NAN,
        "freedom": NAN,
        "replicates": test.replicates,
        "test": PERMUTATION,
        "p": test.p,
        "p_holm": test.p_max_t,
        "p_equivalence": NAN,
        "verdict": "better" if shown else "no evidence",
    }


def decide(rows: Sequence[dict[str, Any]], settings: Evaluation) -> None:
    """Give the rows of one family ``p_holm``, an interval and a ``verdict`` on their side ``a``.

    Holm's correction serves the tests of difference and, apart, those of equivalence. The interval
    ``lower_holm`` to ``upper_holm`` has the level at which Holm's procedure judges the row, so it
    leaves out 0 just where the verdict is ``better`` or ``worse``. Other verdicts: ``equivalent``
    (if a margin is asked for), ``no evidence``, ``not estimable``, and ``too few replicates``: with
    fewer than `FEWEST_REPLICATES` the spread between training runs is not known well enough to
    test anything (simulated type-I errors reach 36 % with two), and the row counts in no
    correction. A row's ``margin``, if it has one, stands below 0 where 0 is said here: its p is
    that of the difference from there.
    """
    alpha = 1 - settings.confidence
    tested = []
    for row in rows:
        if np.isnan(row["p"]):
            row["verdict"] = "not estimable"
        elif row["replicates"] < FEWEST_REPLICATES:
            row |= {"p": NAN, "p_equivalence": NAN, "verdict": "too few replicates"}
        else:
            tested.append(row)
    apart = [row["p"] for row in tested]
    same = holm([row["p_equivalence"] for row in tested])
    levels = holm_levels(apart, alpha)
    for row, p, p_same, level in zip(tested, holm(apart), same, levels, strict=True):
        row["p_holm"] = float(p)
        row["lower_holm"], row["upper_holm"] = interval_within(
            row["difference"], row["standard_error"], row["freedom"], 1 - level, row["reach"]
        )
        if p < alpha:
            higher = row["difference"] > -row.get("margin", 0.0)
            row["verdict"] = "better" if higher == METRICS[TESTED].higher_is_better else "worse"
        else:
            row["verdict"] = "equivalent" if p_same < alpha else "no evidence"


def _sides(contrast: Contrast) -> dict[str, Any]:
    """The cells of both sides, and what all of them share."""
    cells = contrast.cells
    sizes = {cell.size for cell in cells if cell.size != "0"}
    shared = {field: {getattr(cell, field) for cell in cells} for field in LABELLED}
    return {
        "family": contrast.family,
        "target": cells[0].target,
        "source": contrast.plus[0].source,
        **{field: values.pop() if len(values) == 1 else "" for field, values in shared.items()},
        "size": sizes.pop() if len(sizes) == 1 else "0" if not sizes else "",
        "a": [cell.as_dict() for cell in contrast.plus],
        "b": [cell.as_dict() for cell in contrast.minus],
    }
