"""What the report says of combinations of all models."""

from __future__ import annotations

from typing import Any

import pandas as pd
from reporting_data import a_study

from concept_transfer.cell import Cell
from concept_transfer.combining.schema import SHARES
from concept_transfer.reporting.combinations import combination_table

STUDY = a_study(target_sizes=[50])
COMBINED = {"source": "north_county", "target": "south_county", "embedding": "none"}
COMBINED |= {"classifier": "all_models", "strategy": "auto"}
LOCAL = Cell("", "south_county", "none", "logistic", "local", "50").as_dict()
DIRECT = Cell("north_county", "south_county", "minilm", "cnn", "direct", "0").as_dict()


def row(size: str, replicate: int, chosen: bool, model: dict[str, str], share: float) -> Any:
    return {
        **COMBINED,
        "size": size,
        "replicate": replicate,
        "fold": 0,
        "chosen": chosen,
        "model": model,
        "share": share,
    }


def test_shares_are_means_over_replicates() -> None:
    rows = [
        row("50", 0, True, LOCAL, 0.9),
        row("50", 0, True, DIRECT, 0.1),
        row("50", 1, False, DIRECT, 1.0),
        row("0", 0, False, DIRECT, 1.0),
    ]
    table = combination_table(pd.DataFrame(rows), STUDY)
    assert table is not None
    shown = {column.name: list(column.values) for column in table.columns}
    assert shown["Model"] == ["all models"] * 2
    assert shown["Labels"] == ["0", "50"]
    assert shown["Chosen by labels"] == ["–", "1 of 2"]
    assert shown["Largest shares"] == [
        "minilm, direct 100%",
        "minilm, direct 55%; logistic regression, local 45%",
    ]


def test_a_study_without_combinations_has_no_such_table() -> None:
    assert combination_table(pd.DataFrame(columns=SHARES.names), STUDY) is None
