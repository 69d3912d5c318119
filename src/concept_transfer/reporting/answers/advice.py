"""What to use with so many labels, in a sentence a direction and size."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from concept_transfer.cell import ALL_MODELS
from concept_transfer.reporting.answers.phrases import (
    UNDERPOWERED,
    Row,
    direction,
    is_shown,
    labels,
    model_of,
    signed,
)
from concept_transfer.reporting.words import site_words
from concept_transfer.study import Study

QUESTION = "What should a site use, with how many labels?"


def labelled(study: Study, row: Row) -> Row:
    numbers = {name: row[name] for name in row if name not in ("embedding", "classifier")}
    rival = _model(study, row["rival"]) if row["rival"] else ""
    named = {"source": site_words(row["source"]), "strategy": _model(study, row), "rival": rival}
    return {**numbers, **named}


def _model(study: Study, cell: Mapping[str, str]) -> str:
    """``auto``, or ``minilm full``."""
    of = "" if cell["classifier"] == ALL_MODELS else f"{model_of(study, cell)} "
    return f"{of}{cell['strategy']}"


def sentences(study: Study, rows: Sequence[Row]) -> list[str]:
    told = [_sentence(row) for row in rows if is_shown(row) and not row["flag"]]
    return told or [UNDERPOWERED]


def _sentence(row: Row) -> str:
    expected = f"expect AUROC {_interval(row, 'auroc')}"
    if not math.isnan(row["calibration_slope"]):
        expected += (
            f", calibration intercept {_interval(row, 'calibration_intercept')} and slope "
            f"{_interval(row, 'calibration_slope')}"
        )
    return (
        f"{direction(row)} with {labels(row['size'])}: use {row['strategy']}; {expected}"
        f"{_against_own(row)}; {_caught_up(row)}."
    )


def _against_own(row: Row) -> str:
    if math.isnan(row["gain"]):
        return ""
    bounds = f"{signed(row['gain_lower'])} to {signed(row['gain_upper'])}"
    return (
        f"; {signed(row['gain'])} ({bounds}) over the target's own best model by validation "
        f"({row['rival']}), probability of harm {row['harm']:.2g}"
    )


def _caught_up(row: Row) -> str:
    if row["caught_up"]:
        return f"the target's own models are as good with {labels(row['caught_up'])}"
    return "the target's own models are as good with none of the study's target sizes"


def _interval(row: Mapping[str, Any], name: str) -> str:
    bounds = (f"{row[f'{name}_{side}']:.2f}" for side in ("lower", "upper"))
    return f"{row[name]:.2f} [{', '.join(bounds)}]"
