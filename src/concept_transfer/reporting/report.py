"""The three outputs of a study: tables, figures and the page."""

from __future__ import annotations

import json
from pathlib import Path

from concept_transfer.reporting.analysis import analysis_figures, analysis_tables
from concept_transfer.reporting.evidence import Evidence
from concept_transfer.reporting.figures.canvas import write_drawing
from concept_transfer.reporting.findings import glance
from concept_transfer.reporting.formats import Table, write_table
from concept_transfer.reporting.gallery import study_figures
from concept_transfer.reporting.methods import markdown, methods_text
from concept_transfer.reporting.page import render_page
from concept_transfer.reporting.provenance import Provenance
from concept_transfer.reporting.published import published, published_provenance
from concept_transfer.reporting.tables import study_tables

INDEX = "index.json"


def write_tables(evidence: Evidence, folder: str | Path) -> list[Path]:
    """Write every table of the study as CSV, Markdown and LaTeX; returns the files."""
    shown = published(evidence)
    tables = [glance(shown), *_tables(shown)]
    return [path for table in tables for path in write_table(table, Path(folder))]


def write_figures(evidence: Evidence, folder: str | Path) -> list[Path]:
    """Write every figure as SVG and PNG with its data (CSV) and words (JSON).

    ``index.json`` lists the stems in the order of the report. Returns the files.
    """
    folder = Path(folder)
    paths: list[Path] = []
    stems = []
    shown = published(evidence)
    drawings = list(study_figures(shown))
    if shown.analysis:
        drawings += analysis_figures(shown.analysis, shown.study)
    for drawing in drawings:
        paths += write_drawing(drawing, folder)
        stems.append(drawing.caption.stem)
    index = folder / INDEX
    index.write_text(json.dumps(stems, indent=1) + "\n", encoding="utf-8")
    return [*paths, index]


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
    return tables
