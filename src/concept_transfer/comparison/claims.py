"""Claims that the study's config states, put to the test under the conditions it names."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from concept_transfer.cell import ALL_MODELS, ALL_SITES, NO_EMBEDDING, Cell
from concept_transfer.comparison.comparisons import (
    NAN,
    decide,
    effect_columns,
    permutation_columns,
)
from concept_transfer.comparison.contrasts import Contrast
from concept_transfer.comparison.effects import Effect, paired_effect
from concept_transfer.comparison.permutations import ShuffleTest
from concept_transfer.evaluation.intervals import tail
from concept_transfer.evaluation.results import Results
from concept_transfer.settings.claims import ClaimSide, ClaimTest
from concept_transfer.settings.embeddings import control_of, parents_of
from concept_transfer.study import Study

FAMILY = "claims"
NO_WORSE = "no worse"
NOTHING = Effect(NAN, NAN, NAN, NAN, NAN, NAN, 0, NAN, NAN, "")


def claim_rows(
    study: Study, results: Results, shuffled: Mapping[Cell, ShuffleTest]
) -> list[dict[str, Any]]:
    """One row a claim, condition, direction and target size, in the order of the config.

    The AUROC difference between the side that the claim calls better and the other, with
    ``p_holm`` among all rows and the ``verdict`` on the first side. Where the claim leaves a
    ``margin``, the same test asks whether the difference is above minus the margin, and the side is
    ``no worse`` (a margin of 0 could be refuted, but no data would ever bear it out); its interval
    leaves out minus the margin just where there is a verdict. A claim over a shuffled control
    is tested by permutation, apart from the others (``p_holm`` is then its max-T p). Cells with few
    test encounters of the rarer class are ``underpowered``, and ``not estimable`` if no model could
    be fitted.
    """
    rows: list[dict[str, Any]] = []
    for claim in study.claims:
        for test in claim.tests:
            for contrast in _contrasts(study, test):
                better, than = contrast.cells
                known = all(_is_known(results, cell) for cell in contrast.cells)
                powered = known and all(results[cell].headline for cell in contrast.cells)
                effect = paired_effect([contrast], results, study.evaluation) if known else NOTHING
                row = {
                    "claim": claim.text,
                    "under": test.under,
                    "source": better.source or than.source,
                    "target": better.target,
                    "size": next((c.size for c in contrast.cells if c.size != "0"), "0"),
                    "a": test.better.model_dump(exclude_none=True),
                    "b": test.than.model_dump(exclude_none=True),
                    "margin": test.margin,
                    **effect_columns(effect),
                }
                if not powered:
                    row |= {"p": NAN, "verdict": "underpowered" if known else "not estimable"}
                elif test.margin:
                    above = effect.difference + test.margin
                    row["p"] = 2 * tail(abs(above), effect.standard_error, effect.freedom)
                elif _is_shuffled(study, better, than):
                    row |= permutation_columns(shuffled.get(better), study.evaluation)
                rows.append(row)
    decide([row for row in rows if not row["verdict"]], study.evaluation)
    for row in rows:
        if row["margin"] and row["verdict"] == "better":
            row["verdict"] = NO_WORSE
    return rows


def _is_shuffled(study: Study, better: Cell, than: Cell) -> bool:
    """Whether the claim is that an embedding beats its own shuffled vectors."""
    control = study.embeddings.get(than.embedding)
    same = replace(better, embedding="") == replace(than, embedding="")
    return (
        control is not None
        and same
        and control_of(control) == "shuffled"
        and better.embedding in parents_of(control)
    )


def _is_known(results: Results, cell: Cell) -> bool:
    return cell in results and math.isfinite(results[cell].estimate())


def _contrasts(study: Study, test: ClaimTest) -> Iterator[Contrast]:
    pairs = [
        (source, target)
        for source, target in study.ordered_pairs()
        if test.source in (None, source)
    ]
    sizes = study.target_sizes if test.target_sizes is None else test.target_sizes
    contrasts = [
        Contrast(FAMILY, (_cell(study, test.better, *where),), (_cell(study, test.than, *where),))
        for where in ((*pair, str(size)) for pair in pairs for size in sizes)
    ]
    yield from dict.fromkeys(contrasts)


def _cell(study: Study, side: ClaimSide, source: str, target: str, size: str) -> Cell:
    strategy = study.strategy(side.strategy)
    return Cell(
        ALL_SITES if strategy.gathers else source if strategy.has_source else "",
        target,
        side.embedding or NO_EMBEDDING,
        ALL_MODELS if strategy.combine else study.classifier_of(side),
        side.strategy,
        size if strategy.uses_labels else "0",
    )
