"""Where an embedding's gain owes to what its vectors mean.

Meaning is claimed of a cell only if the embedding beats three rivals at once: its own vectors on
permuted concepts (by permutation), random vectors and one-hot findings (in pairs), all of equal
length. Permuted vectors can be worse than none, so beating them alone mixes the gain from meaning
with the harm of wrong meaning.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from concept_transfer.cell import Cell
from concept_transfer.comparison.contrasts import SHUFFLED, Contrast, controls_of, one_hot_for
from concept_transfer.comparison.permutations import ShuffleTest
from concept_transfer.evaluation.metrics import TESTED
from concept_transfer.grid import Grid
from concept_transfer.settings.embeddings import control_of
from concept_transfer.study import Study

SAME_LENGTH = 0.05  # difference of log lengths; an embedding's rows vary more than that
RIVALS = {"random": "random control", "one_hot": "against one-hot"}
UNTESTED, ABSENT, OTHER_LENGTH = "untested", "absent", "other length"
NOT_OVER, NOT_OVER_SHUFFLED = "not over", "not over shuffled"
Row = dict[str, Any]


def meaning_rows(
    study: Study,
    contrasts: Sequence[Contrast],
    comparisons: Sequence[Row],
    tests: Mapping[Cell, ShuffleTest],
    lengths: Mapping[str, float],
) -> list[Row]:
    """One row a cell that the config declares for the test of meaning.

    ``comparisons``: the rows of ``contrasts`` in `comparison_rows`; ``lengths``: embedding -> its
    median row length. ``shown`` says whether all three rivals are beaten, ``missing`` what stands
    in the way: pairs of one of the reasons below and a rival (or its kind); of the rivals there
    are ``<rival>`` (its name), ``<rival>_difference`` with its Holm-adjusted bounds and
    ``<rival>_verdict``.
    """
    effects = dict(
        zip(contrasts, (row for row in comparisons if row["metric"] == TESTED), strict=True)
    )
    rows = []
    for cell in Grid(study).shuffled_cells:
        row: Row = {
            name: getattr(cell, name)
            for name in ("embedding", "source", "target", "strategy", "size")
        }
        test = tests.get(cell)
        missing: list[tuple[str, str]] = []
        if test is None:
            missing.append((UNTESTED, ""))
        else:
            row |= {
                "auroc": test.observed,
                "shuffled_lowest": float(test.shuffled.min()),
                "shuffled_mean": float(test.shuffled.mean()),
                "shuffled_highest": float(test.shuffled.max()),
                "shuffles": len(test.shuffled),
                "p_alone": test.p,
                "p_max_t": test.p_max_t,
            }
            if not test.is_shown(study.evaluation.confidence):
                missing.append((NOT_OVER_SHUFFLED, ""))
        for rival, name in _rivals(study, cell.embedding).items():
            if name is None:
                missing.append((ABSENT, rival))
                continue
            row[rival] = name
            contrast = Contrast(RIVALS[rival], (cell,), (replace(cell, embedding=name),))
            effect = effects.get(contrast)
            if effect is not None:
                row |= {
                    f"{rival}_difference": effect["difference"],
                    f"{rival}_difference_lower": effect["lower_holm"],
                    f"{rival}_difference_upper": effect["upper_holm"],
                    f"{rival}_verdict": effect["verdict"],
                }
            if abs(math.log(lengths[name] / lengths[cell.embedding])) > SAME_LENGTH:
                missing.append((OTHER_LENGTH, name))
            elif effect is None or effect["verdict"] != "better":
                missing.append((NOT_OVER, name))
        rows.append({**row, "shown": not missing, "missing": missing})
    return rows


def _rivals(study: Study, embedding: str) -> dict[str, str | None]:
    controls = controls_of(study, embedding)
    random = [name for name in controls if control_of(study.embeddings[name]) == "random"]
    return {"random": next(iter(random), None), "one_hot": one_hot_for(study, embedding)}


def describes_shuffles(contrasts: Sequence[Contrast]) -> bool:
    """Whether the study compares any embedding with its shuffled control."""
    return any(contrast.family == SHUFFLED for contrast in contrasts)
