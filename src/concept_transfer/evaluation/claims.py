"""Claims that the study's config states, put to the test under the conditions it names."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from concept_transfer.evaluation.comparisons import decide
from concept_transfer.evaluation.contrasts import Contrast
from concept_transfer.evaluation.effects import paired_effect
from concept_transfer.evaluation.results import Results
from concept_transfer.grid import Cell
from concept_transfer.settings.evaluation import ClaimSide, ClaimTest
from concept_transfer.study import Study

FAMILY = "claims"
NUMBERS = ("difference", "lower", "upper", "p", "p_equivalence")


def claim_rows(study: Study, results: Results) -> list[dict[str, Any]]:
    """One row a claim and condition, in the order of the config.

    The mean AUROC difference between the side that the claim calls better and the other, over all
    directions and target sizes (``planned``; ``comparisons`` of them could be made), with
    ``p_holm`` among all rows and the ``verdict`` on the first side. Cells with few test positives
    stay out: where nothing is left the verdict is ``underpowered``, or ``not estimable`` if no
    model could be fitted.
    """
    rows: list[dict[str, Any]] = []
    for claim in study.claims:
        for test in claim.tests:
            planned = list(_contrasts(study, test))
            fitted = [c for c in planned if all(_is_known(results, cell) for cell in c.cells)]
            made = [c for c in fitted if all(results[cell].headline for cell in c.cells)]
            effect = paired_effect(made, results, study.evaluation) if made else None
            rows.append(
                {
                    "claim": claim.text,
                    "under": test.under,
                    "a": _side(test.better),
                    "b": _side(test.than),
                    "planned": len(planned),
                    "comparisons": len(made),
                    **{name: getattr(effect, name, float("nan")) for name in NUMBERS},
                    "verdict": "underpowered" if fitted else "not estimable",
                }
            )
    decide([row for row in rows if row["comparisons"]], study.evaluation)
    return rows


def _is_known(results: Results, cell: Cell) -> bool:
    return cell in results and results[cell].estimate() == results[cell].estimate()


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
