"""The outputs of an extraction study: tables, the figure and the page."""

from __future__ import annotations

from pathlib import Path

import yaml

from concept_transfer.reporting.extraction.evidence import ExtractionEvidence
from concept_transfer.reporting.extraction.figure import f1_by_type
from concept_transfer.reporting.extraction.tables import glance, tables
from concept_transfer.reporting.extraction.words import findings, lead, limitations, methods
from concept_transfer.reporting.figures.canvas import write_drawing
from concept_transfer.reporting.findings import Lead
from concept_transfer.reporting.formats import write_table
from concept_transfer.reporting.page import (
    filled_template,
    provenance_tables,
    sections_of,
    table_context,
)
from concept_transfer.reporting.provenance import Provenance
from concept_transfer.reporting.words import count

SECTIONS = {
    "scores": ("What taggers find", 1),
    "comparisons": ("Paired comparisons", 0),
    "data": ("Corpora", 0),
}


def write_report(
    evidence: ExtractionEvidence,
    provenance: Provenance,
    page: Path,
    tables_folder: Path,
    figures_folder: Path,
) -> None:
    """Write the page, and its tables and its figure into folders beside it."""
    first, others = glance(evidence), list(tables(evidence))
    for table in (first, *others):
        write_table(table, tables_folder)
    drawing = f1_by_type(evidence)
    write_drawing(drawing, figures_folder)
    words = [figures_folder / f"{drawing.caption.stem}.json"]
    study, sections = evidence.study, sections_of(others, words, SECTIONS)
    config = study.model_dump(mode="json", exclude={"resources"})
    text = filled_template(
        sections,
        title=study.title or study.extraction,
        subtitle=" · ".join(
            [
                count(len(study.corpora), "corpus", "corpora"),
                count(len(study.taggers), "tagger"),
                count(study.replicates, "replicate"),
            ]
        ),
        notice=study.notice,
        lead=Lead(lead(evidence)),
        findings=list(findings(evidence)),
        glance=[table_context(first)],
        methods=methods(evidence),
        limitations=limitations(evidence),
        provenance_tables=provenance_tables(provenance),
        config=yaml.safe_dump(config, sort_keys=False, allow_unicode=True),
    )
    page.write_text(text, encoding="utf-8")
