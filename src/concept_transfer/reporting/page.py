"""The report: one HTML file that needs nothing but itself."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

import jinja2
import pandas as pd
import yaml
from markupsafe import Markup, escape

from concept_transfer.reporting.columns import Column
from concept_transfer.reporting.evidence import Evidence
from concept_transfer.reporting.findings import findings, glance, lead
from concept_transfer.reporting.formats import Table, csv
from concept_transfer.reporting.limitations import limitations
from concept_transfer.reporting.methods import methods_text
from concept_transfer.reporting.provenance import Provenance
from concept_transfer.reporting.svg import inline_svg
from concept_transfer.reporting.words import count
from concept_transfer.study import Study

VERDICTS = ("better", "worse")  # that have a colour of their own
MOST_CHOICES = 24
LONG_NAME = 16
LONG, CHOOSABLE = 26, 48  # characters of a cell that may wrap, and of one that a menu offers
SECTIONS = {
    "heat maps": ("Embeddings and strategies", 2),
    "intervals": ("Performance with intervals", 1),
    "learning curves": ("How many labels the target needs", 2),
    "ladder": ("What every step of the ladder gains", 2),
    "comparisons": ("Paired comparisons", 2),
    "calibration": ("Calibration", 1),
    "subgroups": ("Groups of patients", 0),
    "notes": ("Findings read from notes", 2),
    "site shift": ("How different the sites are", 2),
    "geometry": ("What the embeddings know", 2),
    "interconnections": ("Which codes belong together", 3),
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
    return filled_template(
        sections_of(tables, figures, SECTIONS),
        title=study.title or study.study,
        subtitle=_subtitle(evidence),
        notice=study.notice,
        lead=lead(evidence),
        findings=findings(evidence),
        glance=[table_context(glance(evidence))],
        methods=methods_text(study, evidence.cards, provenance.packages),
        limitations=limitations(evidence),
        provenance_tables=provenance_tables(provenance),
        config=yaml.safe_dump(config, sort_keys=False, allow_unicode=True),
    )


def filled_template(sections: Sequence[Mapping[str, Any]], **parts: Any) -> str:
    """The HTML of a page; sections: of `sections_of`; parts: what else the template shows."""
    templates = files("concept_transfer.reporting") / "templates"
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True
    )
    template = environment.from_string((templates / "report.html.j2").read_text("utf-8"))
    return template.render(
        style=Markup((templates / "style.css").read_text("utf-8")),
        script=Markup((templates / "table.js").read_text("utf-8")),
        contents=[
            ("findings", "Findings"),
            *((section["anchor"], section["title"]) for section in sections),
            ("methods", "Methods"),
            ("limitations", "Limitations"),
            ("provenance", "Provenance"),
        ],
        sections=sections,
        **parts,
    )


def table_context(table: Table) -> dict[str, Any]:
    """What the template needs of a table: columns, and cells with their numbers for sorting."""
    return {
        "stem": table.stem,
        "title": table.title,
        "caption": table.caption,
        "columns": [_heading(column) for column in table.columns],
        "rows": list(zip(*map(_cells, table.columns), strict=True)),
        "csv": "data:text/csv;base64," + base64.b64encode(csv(table).encode()).decode(),
    }


def _heading(column: Column) -> dict[str, Any]:
    """A column's name and whether it holds numbers, or so few names that a menu offers them."""
    texts = column.texts()
    choose = (
        column.few
        and _longest(texts) <= CHOOSABLE
        and 1 < len(set(texts)) <= min(MOST_CHOICES, len(texts) // 2)
    )
    return {"name": column.name, "number": column.numeric, "choose": choose}


def _cells(column: Column) -> list[dict[str, Any]]:
    """Text, look, and the number to sort by where the text itself does not serve."""
    texts = column.texts()
    wraps = not column.numeric and _longest(texts) > LONG
    look = "number" if column.numeric else "text" if wraps else ""
    return [
        {
            "text": _breakable(text) if wraps else text,
            "kind": text if column.kind == "verdict" and text in VERDICTS else look,
            "value": key if key != text else None,
        }
        for text, key in zip(texts, column.sort_keys(), strict=True)
    ]


def _longest(texts: Sequence[str]) -> int:
    return max(map(len, texts), default=0)


def _breakable(text: str) -> Markup:
    """Long names may break after an underscore."""
    words = [
        str(escape(word)).replace("_", "_<wbr>") if len(word) > LONG_NAME else str(escape(word))
        for word in text.split(" ")
    ]
    return Markup(" ".join(words))


def sections_of(
    tables: Sequence[Table], figures: Iterable[Path], sections: Mapping[str, tuple[str, int]]
) -> list[dict[str, Any]]:
    """The parts of a page that have something to show; sections: key -> title, and how many of its
    figures are open."""
    drawn: dict[str, list[dict[str, Any]]] = {key: [] for key in sections}
    for words_file in figures:
        words = json.loads(words_file.read_text("utf-8"))
        svg = words_file.with_suffix(".svg").read_text("utf-8")
        figure = {**words, "svg": Markup(inline_svg(svg, words["stem"], words["alt"]))}
        drawn[words["section"]].append(figure)
    parts = [
        {
            "anchor": key.replace(" ", "-"),
            "title": title,
            "figures": drawn[key],
            "open": shown,
            "tables": [table_context(table) for table in tables if table.section == key],
        }
        for key, (title, shown) in sections.items()
    ]
    return [part for part in parts if part["figures"] or part["tables"]]


def _subtitle(evidence: Evidence) -> str:
    study = evidence.study
    parts = [
        f"Outcome: {study.task.label}{_classes(study)}",
        count(len(study.sites), "site"),
        count(len(study.ordered_pairs()), "direction"),
        count(len(study.embeddings), "embedding"),
        *([count(len(study.encoders), "encoder")] if study.encoders else []),
        count(len(study.strategies), "strategy", "strategies"),
        count(study.replicates, "replicate"),
    ]
    return " · ".join(parts)


def _classes(study: Study) -> str:
    task = study.task
    return f" ({', '.join(task.class_names)})" if task.many_classes else ""


def provenance_tables(provenance: Provenance) -> list[dict[str, Any]]:
    """The tables of packages and of data, as far as there is anything to name."""
    packages = _pairs_table(
        "packages",
        "Software",
        f"Code version {provenance.code}.",
        {"Package": list(provenance.packages), "Version": list(provenance.packages.values())},
    )
    fingerprints = _pairs_table(
        "fingerprints",
        "Data fingerprints",
        "SHA-256 of the files that the numbers rest on: equal digests, equal data.",
        {
            "File": list(provenance.fingerprints),
            "SHA-256": list(provenance.fingerprints.values()),
        },
    )
    return [table_context(table) for table in (packages, fingerprints) if not table.raw.empty]


def _pairs_table(stem: str, title: str, caption: str, pairs: dict[str, list[str]]) -> Table:
    columns = [Column(name, "text", values) for name, values in pairs.items()]
    return Table(stem, "provenance", title, caption, pd.DataFrame(pairs), columns)
