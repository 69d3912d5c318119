"""What the combinations of all models are made of."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from concept_transfer.cell import ALL_SITES
from concept_transfer.reporting.columns import Column
from concept_transfer.reporting.formats import Table
from concept_transfer.reporting.looks import model_label
from concept_transfer.reporting.rows import KEYS, arrange, cell_columns
from concept_transfer.study import Study

NAMED = 3  # models of the largest shares


def combination_table(shares: pd.DataFrame, study: Study) -> Table | None:
    """One row a combined cell; None where there is none.

    ``shares``: the rows of `combining.schema.SHARES`.
    """
    if shares.empty:
        return None
    rows = [
        {**dict(zip(KEYS, key, strict=True)), **_made_of(of_cell, study)}
        for key, of_cell in shares.groupby(KEYS, sort=False)
    ]
    raw = arrange(pd.DataFrame(rows), study).drop(columns=["group", "row", "rank"])
    chosen = [
        "–" if size == "0" else f"{times} of {draws}"
        for size, times, draws in raw[["size", "chosen", "draws"]].itertuples(index=False)
    ]
    return Table(
        stem="combinations",
        section="intervals",
        title="What the combinations are made of",
        caption="How often the target's labels chose among the models, of all replicates and "
        "folds: where they were too few, and without labels, the models that need none were "
        "averaged. Shares are means over replicates and folds; the largest are named.",
        raw=raw,
        columns=[
            *cell_columns(raw, study),
            Column("Chosen by labels", "name", chosen),
            Column("Largest shares", "text", raw["models"]),
        ],
    )


def _made_of(of_cell: pd.DataFrame, study: Study) -> dict[str, Any]:
    """How often labels chose in a cell, and its models of the largest mean shares, in words."""
    draws = of_cell.drop_duplicates(["replicate", "fold"])
    gathered = set(of_cell["source"]) == {ALL_SITES}
    words = [
        f"{model['source']}: {_words(model, study)}" if gathered else _words(model, study)
        for model in of_cell["model"]
    ]
    mean = of_cell["share"].groupby(words).sum() / len(draws)
    named = [f"{model} {share:.0%}" for model, share in mean.nlargest(NAMED).items()]
    return {"chosen": int(draws["chosen"].sum()), "draws": len(draws), "models": "; ".join(named)}


def _words(model: Mapping[str, str], study: Study) -> str:
    label = model_label(study, model["embedding"], model["classifier"])
    return f"{label}, {model['strategy']}"
