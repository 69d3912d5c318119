"""Names are the user's: whatever they contain, files stay readable and nothing is computed."""

import csv
import io
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from reporting_data import a_study, evidence, reports, text_columns

from concept_transfer.reporting.figures.canvas import write_drawing
from concept_transfer.reporting.figures.concepts import concept_map
from concept_transfer.reporting.formats import Table, csv_text, latex, markdown
from concept_transfer.reporting.gallery import study_figures
from concept_transfer.reporting.methods import markdown as methods_markdown
from concept_transfer.reporting.methods import methods_text
from concept_transfer.reporting.site_table import site_table

AWKWARD = [
    "$\\frac{a}$",
    "costs $5 and $x_{$",
    "a|b_c%d&e#f",
    '=HYPERLINK("http://x")',
    "two\nlines",
    "`code` [link](x) <b>",
]


def test_dollar_signs_in_names_are_drawn_as_they_are(tmp_path: Path) -> None:
    points = pd.DataFrame(
        {
            "embedding": "minilm",
            "concept": AWKWARD,
            "name": AWKWARD,
            "category": AWKWARD,
            "x": np.arange(6.0),
            "y": [0.0, 3, 1, 4, 2, 5],
            "share_x": 0.5,
            "share_y": 0.2,
        }
    )
    svg, png, data, _ = write_drawing(concept_map(points, "minilm"), tmp_path)
    texts = {"".join(e.itertext()) for e in ElementTree.parse(svg).iter() if "text" in e.tag}
    assert set(AWKWARD[:2]) <= texts
    assert png.stat().st_size > 1000
    rows = list(csv.DictReader(data.open(encoding="utf-8", newline="")))
    assert [row["name"] for row in rows] == [*AWKWARD[:3], "'" + AWKWARD[3], *AWKWARD[4:]]


def test_a_task_named_with_dollars_and_underscores_is_drawn_and_tabulated(tmp_path: Path) -> None:
    study = a_study(
        target_sizes=["all"],
        classifiers=["cnn"],
        title="$\\frac{$",
        task={"label": "$\\bad{x}$ | 5 % & #1_a"},
    )
    found = evidence(study)
    for drawing in study_figures(found):
        write_drawing(drawing, tmp_path)
    table = site_table(reports(study), study)
    assert r"With \$\textbackslash{}bad\{x\}\$ \textbar{} 5 \% \& \#1\_a" in latex(table)
    assert r"\$\\bad{x}\$ \| 5 % &amp; #1\_a" in markdown(table)
    text = methods_markdown(methods_text(study, {}, {}))
    assert r"\$\\bad{x}\$ \| 5 % &amp; #1\_a" in text


@pytest.mark.parametrize("text", ["=1+1", "+1+1", "-1+1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "-"])
def test_text_that_a_spreadsheet_would_compute_is_marked(text: str) -> None:
    frame = pd.DataFrame({text: [text], "number": [-0.021]})
    (header, row) = csv.reader(io.StringIO(csv_text(frame), newline=""))
    marked = "'" + text.replace("\r", "\n")
    assert header == [marked, "number"]
    assert row == [marked, "-0.021"]


def test_numbers_stay_numbers() -> None:
    frame = pd.DataFrame(
        {"a": [-0.021, np.nan], "b": ["-5", "<11"], "c": [-7, "suppressed"], "d": ["all", "–"]}
    )
    assert csv_text(frame) == "a,b,c,d\n-0.021,-5,-7,all\n,<11,suppressed,–\n"
    kinds = pd.DataFrame({"flag": pd.Categorical(["=a", "b"]), "truth": [True, False]})
    assert csv_text(kinds) == "flag,truth\n'=a,True\nb,False\n"


def test_markdown_and_latex_rows_stay_rows() -> None:
    frame = pd.DataFrame({"name": AWKWARD})
    table = Table("t", "data", "A | title", "By `x` & <b>", frame, text_columns(frame))
    lines = markdown(table).splitlines()
    assert sum(line.startswith("| ") for line in lines) == len(AWKWARD) + 2
    assert r"| \`code\` [link]\(x) &lt;b> |" in lines
    assert r"| \$\\frac{a}\$ |" in lines
    assert "| two lines |" in lines
    assert lines[0] == r"## A \| title"
    assert lines[-1] == r"By \`x\` &amp; &lt;b>"
    rows = [line for line in latex(table).splitlines() if line.endswith(r"\\")]
    assert len(rows) == len(AWKWARD) + 1
    assert r"two lines \\" in rows
