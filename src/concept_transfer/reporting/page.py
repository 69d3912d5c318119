"""The report: one HTML file that needs nothing but itself."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterable, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

import jinja2
import pandas as pd
import yaml
from markupsafe import Markup, escape

from concept_transfer.reporting.evidence import Evidence
from concept_transfer.reporting.findings import findings, glance, lead
from concept_transfer.reporting.formats import Table, csv
from concept_transfer.reporting.limitations import limitations
from concept_transfer.reporting.methods import methods_text
from concept_transfer.reporting.provenance import Provenance
from concept_transfer.reporting.svg import inline_svg
from concept_transfer.reporting.words import count

NUMBER = re.compile(r"<?([−-]?[\d,]*\.?\d+)( \[.*\])?")
WORDS_AMONG_NUMBERS = {"", "–", "all", "not estimable", "suppressed"}
MOST_CHOICES = 24
LONG_NAME = 16
LONG, CHOOSABLE = 26, 48  # characters of a cell that may wrap, and of one that a menu offers
SECTIONS = {
    "heat maps": ("Embeddings and strategies", 2),
    "intervals": ("Performance with intervals", 1),
    "learning curves": ("How many labels the target needs", 2),
    "comparisons": ("Paired comparisons", 2),
    "calibration": ("Calibration", 1),
    "subgroups": ("Groups of patients", 0),
    "site shift": ("How different the sites are", 2),
    "geometry": ("What the embeddings know", 2),
    "answers": ("Numbers behind the answers", 0),
    "data": ("Sites and embeddings", 0),
}


def render_page(
    evidence: Evidence,
    tables: Sequence[Table],
    figures: Iterable[Path],
    provenance: Provenance,
) -> str:
    """The page's HTML.

    ``tables`` come from `study_tables`; ``figures`` are the ``.json`` files that `write_drawing`
    left beside its SVG files, in the order of the report.
    """
    study = evidence.study
    config = study.model_dump(mode="json", exclude={"resources"})
    sections = _sections(tables, figures)
    templates = files("concept_transfer.reporting") / "templates"
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True
    )
    template = environment.from_string((templates / "report.html.j2").read_text("utf-8"))
    return template.render(
        title=study.title or study.study,
        subtitle=_subtitle(evidence),
        notice=study.notice,
        style=Markup((templates / "style.css").read_text("utf-8")),
        script=Markup((templates / "table.js").read_text("utf-8")),
        contents=[
            ("findings", "Findings"),
            *((section["anchor"], section["title"]) for section in sections),
            ("methods", "Methods"),
            ("limitations", "Limitations"),
            ("provenance", "Provenance"),
        ],
        lead=lead(evidence),
        findings=findings(evidence),
        glance=[table_context(glance(evidence))],
        sections=sections,
        methods=methods_text(study, evidence.cards, provenance.packages),
        limitations=limitations(evidence),
        provenance_tables=[table_context(table) for table in _provenance(provenance)],
        config=yaml.safe_dump(config, sort_keys=False, allow_unicode=True),
    )


def table_context(table: Table) -> dict[str, Any]:
    """What the template needs of a table: columns, and cells with their numbers for sorting."""
    rows = table.rows()
    columns = []
    kinds = []
    for index, name in enumerate(table.shown.columns):
        texts = [row[index] for row in rows]
        numeric = any(NUMBER.fullmatch(text) for text in texts) and all(
            NUMBER.fullmatch(text) or text in WORDS_AMONG_NUMBERS for text in texts
        )
        longest = max(map(len, texts), default=0)
        choose = (
            not numeric
            and longest <= CHOOSABLE
            and 1 < len(set(texts)) <= min(MOST_CHOICES, len(rows) // 2)
        )
        kinds.append("number" if numeric else "text" if longest > LONG else "")
        columns.append({"name": name, "number": numeric, "choose": choose})
    return {
        "stem": table.stem,
        "title": table.title,
        "caption": table.caption,
        "columns": columns,
        "rows": [
            [_cell(text, kind) for text, kind in zip(row, kinds, strict=True)] for row in rows
        ],
        "csv": "data:text/csv;base64," + base64.b64encode(csv(table).encode()).decode(),
    }


def _cell(text: str, kind: str) -> dict[str, Any]:
    found = NUMBER.fullmatch(text) if kind == "number" else None
    value = found[1].replace(",", "").replace("−", "-") if found else None
    return {
        "text": _breakable(text) if kind == "text" else text,
        "kind": text if text in ("better", "worse") else kind,
        "value": value if value is not None and value != text else None,
    }


def _breakable(text: str) -> Markup:
    """Long names may break after an underscore."""
    words = [
        str(escape(word)).replace("_", "_<wbr>") if len(word) > LONG_NAME else str(escape(word))
        for word in text.split(" ")
    ]
    return Markup(" ".join(words))


def _sections(tables: Sequence[Table], figures: Iterable[Path]) -> list[dict[str, Any]]:
    drawn: dict[str, list[dict[str, Any]]] = {key: [] for key in SECTIONS}
    for words_file in figures:
        words = json.loads(words_file.read_text("utf-8"))
        svg = words_file.with_suffix(".svg").read_text("utf-8")
        figure = {**words, "svg": Markup(inline_svg(svg, words["stem"], words["alt"]))}
        drawn[words["section"]].append(figure)
    sections = [
        {
            "anchor": key.replace(" ", "-"),
            "title": title,
            "figures": drawn[key],
            "open": shown,
            "tables": [table_context(table) for table in tables if table.section == key],
        }
        for key, (title, shown) in SECTIONS.items()
    ]
    return [section for section in sections if section["figures"] or section["tables"]]


def _subtitle(evidence: Evidence) -> str:
    study = evidence.study
    parts = [
        f"Outcome: {study.task.label}",
        count(len(study.sites), "site"),
        count(len(study.ordered_pairs()), "direction"),
        count(len(study.embeddings), "embedding"),
        count(len(study.strategies), "strategy", "strategies"),
        count(study.replicates, "replicate"),
    ]
    return " · ".join(parts)


def _provenance(provenance: Provenance) -> list[Table]:
    tables = []
    for stem, title, caption, column, values in (
        (
            "packages",
            "Software",
            f"Code version {provenance.code}.",
            "Package",
            provenance.packages,
        ),
        (
            "fingerprints",
            "Data fingerprints",
            "SHA-256 of the files that the numbers rest on: equal digests, equal data.",
            "File",
            provenance.fingerprints,
        ),
    ):
        second = "Version" if stem == "packages" else "SHA-256"
        frame = pd.DataFrame({column: list(values), second: list(values.values())})
        if not frame.empty:
            tables.append(Table(stem, "provenance", title, caption, frame, frame))
    return tables
