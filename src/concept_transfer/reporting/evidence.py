"""Everything the report is made from, read once and checked."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa

from concept_transfer.cell import CELL_COLUMNS
from concept_transfer.combining.schema import SHARES
from concept_transfer.comparison.schema import COMPARISONS
from concept_transfer.errors import StudyError
from concept_transfer.evaluation.schemas import CALIBRATION, CLASS, ESTIMATES, SUBGROUPS
from concept_transfer.parquet import read_table
from concept_transfer.reporting.analysis import Analysis, read_analysis
from concept_transfer.reporting.classes import of_all, of_each
from concept_transfer.reporting.interconnections import Connected, read_connected
from concept_transfer.reporting.sides import labelled
from concept_transfer.study import Study


@dataclass(frozen=True)
class Evidence:
    """The results of a study.

    ``estimates`` and ``comparisons`` are the tidy tables of docs/contracts.md, all targets
    together; ``answers`` the study's named questions with their answers; ``reports`` and ``cards``
    map a site or an embedding to its JSON; ``ceilings`` maps a target to its Bayes-optimal AUROC
    (estimate, lower, upper) where it can be computed; ``analysis`` holds site shift and geometry;
    ``subgroups`` and ``calibration`` are tidy too (estimates by group, bins of the curves);
    ``connected`` says which codes belong together, where the study asks;
    ``combinations`` say what combined cells are made of; ``warnings`` are sentences about the
    sites. Of an outcome with more than two classes, ``class_estimates`` and ``calibration`` name in
    ``class`` the class that is told from all others; all else is about the classes together.
    """

    study: Study
    estimates: pd.DataFrame
    comparisons: pd.DataFrame
    answers: list[dict[str, Any]]
    reports: Mapping[str, dict[str, Any]] = field(default_factory=dict)
    cards: Mapping[str, dict[str, Any]] = field(default_factory=dict)
    ceilings: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    analysis: Analysis | None = None
    subgroups: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=SUBGROUPS.names))
    calibration: pd.DataFrame = field(
        default_factory=lambda: pd.DataFrame(columns=CALIBRATION.names)
    )
    combinations: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=SHARES.names))
    warnings: Sequence[str] = ()
    connected: Connected | None = None
    class_estimates: pd.DataFrame = field(
        default_factory=lambda: pd.DataFrame(columns=ESTIMATES.names)
    )

    @property
    def many_classes(self) -> bool:
        """Whether the outcome has more than two classes."""
        return not self.class_estimates.empty

    def rows_of(self, question: str) -> list[dict[str, Any]]:
        """The rows that answer a question; none where it was not asked."""
        return [row for each in self.answers if each["name"] == question for row in each["rows"]]


def read_evidence(study: Study, files: Mapping[str, Sequence[str | Path]]) -> Evidence:
    """Read the results from their files, which come by name.

    ``estimates``, ``subgroups``, ``calibration``: tables of ``metrics/<target>/<embedding>/``;
    ``comparisons``, ``answers``, ``ceilings``: one file each; ``reports``:
    ``encounters/<site>/report.json``; ``cards``: ``embeddings/<name>.json``; ``analysis``: the
    files of site shift and embedding geometry, in one folder; ``extraction``: those on findings
    read from notes, in the same; ``combinations``: tables of ``combinations/<pair>/``;
    ``interconnections``: files of that folder; ``warnings``: one file. All but ``estimates``,
    ``comparisons`` and ``answers`` may be absent. Raises StudyError where a table lacks a column or
    has no row.
    """
    estimates = _read_tables(files["estimates"], ESTIMATES)
    if estimates.empty:
        raise StudyError("The study has no estimates to report; evaluate its cells first.")
    named = {name: files.get(name, ()) for name in ("reports", "cards", "ceilings")}
    connected = files.get("interconnections", ())
    return Evidence(
        study=study,
        estimates=of_all(estimates),
        class_estimates=of_each(estimates),
        comparisons=labelled(of_all(_read_tables(files["comparisons"], COMPARISONS))),
        answers=_read_json(Path(files["answers"][0])),
        reports={Path(path).parent.name: _read_json(Path(path)) for path in named["reports"]},
        cards={Path(path).stem: _read_json(Path(path)) for path in named["cards"]},
        ceilings=_read_json(Path(named["ceilings"][0])) if named["ceilings"] else {},
        analysis=_analysis(study, files),
        connected=read_connected(Path(connected[0]).parent) if connected else None,
        subgroups=of_all(_read_tables(files.get("subgroups", ()), SUBGROUPS)),
        calibration=_read_tables(files.get("calibration", ()), CALIBRATION),
        combinations=_read_tables(files.get("combinations", ()), SHARES),
        warnings=[text for path in files.get("warnings", ()) for text in _read_json(Path(path))],
    )


def _analysis(study: Study, files: Mapping[str, Sequence[str | Path]]) -> Analysis | None:
    if not files.get("analysis"):
        return None
    folder = Path(files["analysis"][0]).parent
    return read_analysis(folder, bool(study.document_encoders()), bool(files.get("extraction")))


def _read_tables(paths: Sequence[str | Path], schema: pa.Schema) -> pd.DataFrame:
    """The tables one below the other, missing text as an empty string."""
    tables = [read_table(path, schema) for path in paths]
    frame: pd.DataFrame = pa.concat_tables([schema.empty_table(), *tables]).to_pandas()
    text = [name for name in (*CELL_COLUMNS, CLASS, "flag") if name in frame]
    return frame.assign(**{name: frame[name].fillna("") for name in text})


def _read_json(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))
