"""The three outputs of a study: tables, figures and the page."""

from __future__ import annotations

import json
import multiprocessing
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from concept_transfer.reporting.analysis import analysis_figures, analysis_tables
from concept_transfer.reporting.evidence import Evidence
from concept_transfer.reporting.findings import glance
from concept_transfer.reporting.formats import Table, write_table
from concept_transfer.reporting.interconnections import connected_figures, connected_tables
from concept_transfer.reporting.methods import markdown, methods_text
from concept_transfer.reporting.page import render_page
from concept_transfer.reporting.provenance import Provenance
from concept_transfer.reporting.published import published, published_provenance
from concept_transfer.reporting.tables import study_tables

if TYPE_CHECKING:
    from concept_transfer.reporting.figures.canvas import Drawing

INDEX = "index.json"


def write_tables(evidence: Evidence, folder: str | Path) -> list[Path]:
    """Write every table of the study as CSV, Markdown and LaTeX; returns the files."""
    shown = published(evidence)
    tables = [glance(shown), *_tables(shown)]
    return [path for table in tables for path in write_table(table, Path(folder))]


def write_figures(evidence: Evidence, folder: str | Path, processes: int = 1) -> list[Path]:
    """Write every figure as SVG and PNG with its data (CSV) and words (JSON).

    ``index.json`` lists the stems in the order of the report. Returns the files.
    """
    from concept_transfer.reporting.figures.canvas import drawing_files
    from concept_transfer.reporting.gallery import study_figures

    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    shown = published(evidence)
    drawings = list(study_figures(shown))
    if shown.analysis:
        drawings += analysis_figures(shown.analysis, shown.study)
    if shown.connected:
        drawings += connected_figures(shown.connected, shown.study)
    shares = [drawings[first::processes] for first in range(processes)]
    fork = multiprocessing.get_context("fork")  # a share of the drawings is inherited, not sent
    helpers = [fork.Process(target=_write_all, args=(share, folder)) for share in shares[1:]]
    for helper in helpers:
        helper.start()
    _write_all(shares[0], folder)
    for helper in helpers:
        helper.join()
        if helper.exitcode:
            raise RuntimeError(f"a process that writes figures ended with code {helper.exitcode}")
    stems = [drawing.caption.stem for drawing in drawings]
    index = folder / INDEX
    index.write_text(json.dumps(stems, indent=1) + "\n", encoding="utf-8")
    return [*(path for stem in stems for path in drawing_files(stem, folder)), index]


def _write_all(drawings: Sequence[Drawing], folder: Path) -> None:
    from concept_transfer.reporting.figures.canvas import write_drawing

    for drawing in drawings:
        write_drawing(drawing, folder)


def write_page(
    evidence: Evidence,
    figures: str | Path,
    provenance: Provenance,
    page: str | Path,
) -> None:
    """Write the page to ``page`` and its methods section beside it as ``methods.md``.

    ``figures`` is the folder of `write_figures`.
    """
    folder, page = Path(figures), Path(page)
    stems = json.loads((folder / INDEX).read_text(encoding="utf-8"))
    words = [folder / f"{stem}.json" for stem in stems]
    shown, rests_on = published(evidence), published_provenance(provenance, evidence)
    page.parent.mkdir(parents=True, exist_ok=True)
    page.write_text(render_page(shown, _tables(shown), words, rests_on), encoding="utf-8")
    methods = methods_text(evidence.study, evidence.cards, provenance.packages)
    page.with_name("methods.md").write_text(markdown(methods), encoding="utf-8")


def _tables(evidence: Evidence) -> list[Table]:
    tables = list(study_tables(evidence))
    if evidence.analysis:
        tables += analysis_tables(evidence.analysis, evidence.study)
    if evidence.connected:
        tables += connected_tables(evidence.connected, evidence.study)
    return tables
