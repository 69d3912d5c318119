"""The sides of comparisons in words: labels for files, and what readers see."""

from __future__ import annotations

import pandas as pd

from concept_transfer.cell import NO_EMBEDDING, Cell
from concept_transfer.comparison.schema import LABELLED
from concept_transfer.reporting.families import question_of
from concept_transfer.reporting.looks import learner_title
from concept_transfer.study import Study

Side = tuple[Cell, ...]


def labelled(comparisons: pd.DataFrame) -> pd.DataFrame:
    """The comparison table with the words that it lacks.

    Its sides ``a`` and ``b`` become labels, beside the columns ``a_cells`` and ``b_cells`` that
    hold their cells, and every row gets the ``question`` of its family.
    """
    sides = {
        name: [tuple(Cell(**cell) for cell in side) for side in comparisons[name]]
        for name in ("a", "b")
    }
    fields = [apart(*both) for both in zip(*sides.values(), strict=True)]
    labels = {
        name: [
            " + ".join(" ".join(getattr(cell, field) for field in own) for cell in side)
            for side, own in zip(cells, fields, strict=True)
        ]
        for name, cells in sides.items()
    }
    cells = {f"{name}_cells": cells for name, cells in sides.items()}
    questions = [question_of(family) for family in comparisons["family"]]
    family = comparisons.columns.tolist().index("family")
    frame = comparisons.assign(
        **{name: pd.Series(own, comparisons.index, dtype="str") for name, own in labels.items()},
        **{name: pd.Series(own, comparisons.index, dtype=object) for name, own in cells.items()},
    )
    frame.insert(family + 1, "question", pd.Series(questions, comparisons.index, dtype="str"))
    return frame


def apart(a: Side, b: Side) -> list[str]:
    """The fields in which the cells of a comparison differ."""
    return [name for name in LABELLED if len({getattr(cell, name) for cell in (*a, *b)}) > 1]


def side_words(study: Study, side: Side, other: Side) -> str:
    """A side as readers see it, by what tells it from the other."""
    fields = apart(side, other)
    return " + ".join(_cell_words(study, cell, fields) for cell in side)


def _cell_words(study: Study, cell: Cell, fields: list[str]) -> str:
    if "classifier" not in fields:
        return " ".join(getattr(cell, field) for field in fields)
    words = {
        "embedding": "" if cell.embedding == NO_EMBEDDING else cell.embedding,
        "classifier": learner_title(study, cell.classifier),
        "strategy": cell.strategy,
    }
    return ", ".join(words[field] for field in fields if words[field])
