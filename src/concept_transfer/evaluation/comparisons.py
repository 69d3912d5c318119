"""The comparison table: paired, corrected for the number of comparisons in each family."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from concept_transfer.evaluation.contrasts import FAMILIES, Contrast, study_contrasts
from concept_transfer.evaluation.effects import TESTED, holm, paired_effect
from concept_transfer.evaluation.results import Results
from concept_transfer.grid import Cell
from concept_transfer.settings.evaluation import Evaluation
from concept_transfer.study import Study

DESCRIBED = ("auprc", "brier", "log_loss")
LABELLED = ("embedding", "classifier", "strategy")
NAN = float("nan")
_NAMES = ("family", "question", "target", "source", *LABELLED, "size", "a", "b", "metric")
_NUMBERS = ("difference", "lower", "upper", "standard_error")
SCHEMA = pa.schema(
    [
        *((name, pa.string()) for name in _NAMES),
        *((name, pa.float64()) for name in _NUMBERS),
        ("test", pa.string()),
        *((name, pa.float64()) for name in ("p", "p_holm", "p_equivalence")),
        ("verdict", pa.string()),
    ]
)


def compare_study(study: Study, results: Results) -> tuple[list[Contrast], list[dict[str, Any]]]:
    """All contrasts of the study and their comparison table."""
    validation = {cell: result.mean("validation") for cell, result in results.items()}
    contrasts = study_contrasts(study, validation)
    return contrasts, comparison_rows(contrasts, results, study.evaluation)


def comparison_rows(
    contrasts: Iterable[Contrast], results: Results, settings: Evaluation
) -> list[dict[str, Any]]:
    """The comparison table: one row a contrast and metric.

    Only AUROC is tested and has ``p``, ``p_holm`` (within the family) and a ``verdict`` on side
    ``a``: better, worse, equivalent (if a margin is asked for), no evidence, underpowered (fewer
    test positives than ``min_positives``; not part of the Holm correction) or not estimable. The
    other metrics describe the size of the effect.
    """
    rows: list[dict[str, Any]] = []
    for contrast in contrasts:
        flagged = any(results[c].estimates[TESTED]["flag"] for c in contrast.cells)
        for metric in (TESTED, *DESCRIBED):
            found = paired_effect([contrast], results, settings, metric)
            tested = metric == TESTED
            rows.append(
                {
                    **_names(contrast),
                    "metric": metric,
                    "difference": found.difference,
                    "lower": found.lower,
                    "upper": found.upper,
                    "standard_error": found.standard_error,
                    "test": found.test if tested else "",
                    "p": found.p if tested else NAN,
                    "p_holm": NAN,
                    "p_equivalence": found.p_equivalence,
                    "verdict": "underpowered" if tested and flagged else "",
                }
            )
    for family in FAMILIES:
        headline = [
            row
            for row in rows
            if row["family"] == family and row["metric"] == TESTED and not row["verdict"]
        ]
        decide(headline, settings)
    return rows


def decide(rows: Sequence[dict[str, Any]], settings: Evaluation) -> None:
    """Give the rows of one family ``p_holm`` and a ``verdict`` on their side ``a``.

    Holm's correction serves the tests of difference and, apart, those of equivalence.
    """
    alpha = 1 - settings.confidence
    same = holm([row["p_equivalence"] for row in rows])
    for row, p, p_same in zip(rows, holm([row["p"] for row in rows]), same, strict=True):
        row["p_holm"] = float(p)
        if np.isnan(p):
            row["verdict"] = "not estimable"
        elif p < alpha:
            row["verdict"] = "better" if row["difference"] > 0 else "worse"
        else:
            row["verdict"] = "equivalent" if p_same < alpha else "no evidence"


def _names(contrast: Contrast) -> dict[str, str]:
    """What both sides share as columns, and what tells them apart as labels ``a`` and ``b``."""
    cells = contrast.cells
    sizes = {cell.size for cell in cells if cell.size != "0"}
    shared = {
        field: getattr(cells[0], field)
        for field in LABELLED
        if len({getattr(cell, field) for cell in cells}) == 1
    }
    apart = [field for field in LABELLED if field not in shared]

    def label(side: tuple[Cell, ...]) -> str:
        return " + ".join(" ".join(getattr(cell, f) for f in apart) for cell in side)

    return {
        "family": contrast.family,
        "question": FAMILIES[contrast.family],
        "target": cells[0].target,
        "source": contrast.plus[0].source,
        **{field: shared.get(field, "") for field in LABELLED},
        "size": sizes.pop() if len(sizes) == 1 else "0" if not sizes else "",
        "a": label(contrast.plus),
        "b": label(contrast.minus),
    }
