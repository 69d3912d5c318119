"""Everything the report is made from, read once and checked."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from concept_transfer.errors import StudyError
from concept_transfer.reporting.analysis import Analysis, read_analysis
from concept_transfer.study import Study

CELL = ("source", "target", "embedding", "classifier", "strategy", "size")
ESTIMATES = (
    *CELL,
    *("metric", "estimate", "lower", "upper", "replicate_sd", "no_skill"),
    *("encounters", "positives", "replicates", "not_estimable", "flag"),
)
COMPARISONS = (
    *CELL,
    *("family", "question", "metric", "a", "b"),
    *("difference", "lower", "upper", "p", "p_holm", "verdict"),
)


@dataclass(frozen=True)
class Evidence:
    """The results of a study.

    ``estimates`` and ``comparisons`` are the tidy tables of docs/contracts.md, all targets
    together; ``answers`` the study's named questions with their answers; ``reports`` and
    ``cards`` map a site or an embedding to its JSON; ``ceilings`` maps a target to its
    Bayes-optimal AUROC where it can be computed; ``analysis`` holds site shift and geometry.
    """

    study: Study
    estimates: pd.DataFrame
    comparisons: pd.DataFrame
    answers: list[dict[str, Any]]
    reports: Mapping[str, dict[str, Any]] = field(default_factory=dict)
    cards: Mapping[str, dict[str, Any]] = field(default_factory=dict)
    ceilings: Mapping[str, float] = field(default_factory=dict)
    analysis: Analysis | None = None


def read_evidence(
    study: Study,
    estimates: Iterable[str | Path],
    comparisons: str | Path,
    answers: str | Path,
    reports: Iterable[str | Path] = (),
    cards: Iterable[str | Path] = (),
    ceilings: str | Path | None = None,
    analysis: str | Path | None = None,
) -> Evidence:
    """Read the results from their files.

    ``estimates``: ``metrics/<target>/<embedding>/estimates.parquet``; ``reports``:
    ``encounters/<site>/report.json``; ``cards``: ``embeddings/<name>.json``; ``ceilings``: JSON
    object, target -> AUROC; ``analysis``: the folder of site shift and embedding geometry.
    Raises StudyError where a table lacks a column or has no row.
    """
    tables = [_read_table(Path(path), ESTIMATES) for path in estimates]
    if not any(len(table) for table in tables):
        raise StudyError("The study has no estimates to report; evaluate its cells first.")
    return Evidence(
        study,
        pd.concat(tables, ignore_index=True),
        _read_table(Path(comparisons), COMPARISONS),
        _read_json(Path(answers)),
        {Path(path).parent.name: _read_json(Path(path)) for path in reports},
        {Path(path).stem: _read_json(Path(path)) for path in cards},
        {} if ceilings is None else _read_json(Path(ceilings)),
        None if analysis is None else read_analysis(analysis),
    )


def _read_table(path: Path, columns: tuple[str, ...]) -> pd.DataFrame:
    """A table in which missing text reads as an empty string."""
    frame = pd.read_parquet(path)
    if frame.empty and not len(frame.columns):
        return pd.DataFrame(columns=list(columns))
    missing = [column for column in columns if column not in frame.columns]
    if missing:
        raise StudyError(
            f"{path} lacks the column '{missing[0]}'; the report needs the columns "
            f"{', '.join(columns)}."
        )
    text = [name for name in (*CELL, "flag") if name in frame.columns]
    return frame.assign(**{name: frame[name].fillna("") for name in text})


def _read_json(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))
