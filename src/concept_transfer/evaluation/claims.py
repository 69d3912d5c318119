"""Claims that the study's config states, put to the test under the conditions it names."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from concept_transfer.evaluation.comparisons import verdict
from concept_transfer.evaluation.contrasts import Contrast
from concept_transfer.evaluation.effects import holm, paired_effect
from concept_transfer.evaluation.results import Results
from concept_transfer.grid import Cell
from concept_transfer.study import ClaimSide, ClaimTest, Study

FAMILY = "claims"


def claim_rows(study: Study, results: Results) -> list[dict[str, Any]]:
    """One row a claim and condition, in the order of the config.

    The mean AUROC difference between the side that the claim calls better and the other, over all
    directions and target sizes, with ``p_holm`` among all rows and the ``verdict`` on the first.
    Cells with few test positives stay out; where none is left the verdict is ``underpowered``.
    """
    rows: list[dict[str, Any]] = []
    for claim in study.claims:
        for test in claim.tests:
            contrasts = [
                contrast
                for contrast in _contrasts(study, test)
                if all(cell in results and results[cell].headline for cell in contrast.cells)
            ]
            row: dict[str, Any] = {
                "claim": claim.text,
                "under": test.under,
                "a": _side(test.better),
                "b": _side(test.than),
                "comparisons": len(contrasts),
            }
            names = ("difference", "lower", "upper", "p", "p_equivalence")
            if contrasts:
                effect = paired_effect(contrasts, results, study.evaluation)
                rows.append({**row, **{name: getattr(effect, name) for name in names}})
            else:
                rows.append({**row, **dict.fromkeys(names, float("nan"))})
    for row, p in zip(rows, holm([row["p"] for row in rows]), strict=True):
        row["p_holm"] = float(p)
        tested = verdict(row, 1 - study.evaluation.confidence)
        row["verdict"] = tested if row["comparisons"] else "underpowered"
    return rows


def _contrasts(study: Study, test: ClaimTest) -> Iterator[Contrast]:
    pairs = [
        (source, target)
        for source, target in study.ordered_pairs()
        if test.source in (None, source)
    ]
    found = [
        Contrast(FAMILY, (_cell(study, test.better, *where),), (_cell(study, test.than, *where),))
        for where in ((*pair, str(size)) for pair in pairs for size in study.target_sizes)
    ]
    yield from dict.fromkeys(found)


def _cell(study: Study, side: ClaimSide, source: str, target: str, size: str) -> Cell:
    kind = study.strategies[side.strategy].kind
    return Cell(
        "" if kind == "local" else source,
        target,
        side.embedding,
        "cnn",
        side.strategy,
        "0" if kind == "direct" else size,
    )


def _side(side: ClaimSide) -> str:
    return f"{side.embedding} {side.strategy}"
