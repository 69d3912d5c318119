"""The page: findings first, self-contained, usable; tried in a headless browser."""

import re
import shutil
import subprocess
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import pandas as pd
import pytest
from reporting_data import a_study, answers, estimates, evidence

from concept_transfer.reporting.answers import Answer
from concept_transfer.reporting.columns import Column
from concept_transfer.reporting.findings import best_models, findings, glance, lead
from concept_transfer.reporting.formats import Table
from concept_transfer.reporting.limitations import limitations
from concept_transfer.reporting.methods import methods_text
from concept_transfer.reporting.page import render_page, table_context
from concept_transfer.reporting.provenance import Provenance, file_digest, provenance
from concept_transfer.reporting.report import write_figures, write_page
from concept_transfer.reporting.tables import study_tables
from concept_transfer.settings.encoders import CodeEncoder

STUDY = a_study()
PROVENANCE = Provenance("1.2.3 (abc)", {"numpy": "2.4.6"}, {"north/tokens.npy": "ab" * 32})
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")
VOID = {"meta", "link", "input", "br", "wbr", "img", "hr"}


@pytest.fixture(scope="module")
def page(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("report")
    found = evidence(STUDY)
    write_figures(found, folder / "figures")
    write_page(found, folder / "figures", PROVENANCE, folder / "report.html")
    return folder / "report.html"


@pytest.fixture(scope="module")
def html(page: Path) -> str:
    return page.read_text(encoding="utf-8")


@pytest.fixture(scope="session")
def browser() -> str:
    found = next((path for name in BROWSERS if (path := shutil.which(name))), None)
    if found is None:
        pytest.skip("needs a Chromium browser to open the page")
    return found


def dump_dom(browser: str, page: Path, profile: Path, width: int = 1280) -> str:
    """The page's DOM after its scripts ran, with every host name made unreachable."""
    quiet = "disable-gpu disable-quic no-first-run disable-background-networking no-sandbox"
    quiet += " disable-component-update disable-sync headless dump-dom"
    done = subprocess.run(
        [
            browser,
            *(f"--{flag}" for flag in quiet.split()),
            "--host-resolver-rules=MAP * ~NOTFOUND",
            f"--user-data-dir={profile}",
            f"--window-size={width},2000",
            page.as_uri(),
        ],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


class Outline(HTMLParser):
    """Checks nesting and collects ids, links, labels and addresses of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.addresses: list[tuple[str, str]] = []
        self.headings: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in VOID:
            self.open.append(tag)
        if re.fullmatch("h[1-6]", tag):
            self.headings.append(tag)
        for name, value in attrs:
            if name == "id":
                self.ids.append(value or "")
            if name in ("src", "href", "xlink:href", "srcset", "action", "data", "poster"):
                self.addresses.append((tag, value or ""))

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@pytest.fixture(scope="module")
def outline(html: str) -> Outline:
    parsed = Outline()
    parsed.feed(html)
    return parsed


def test_page_is_well_formed_and_in_a_language(html: str, outline: Outline) -> None:
    assert html.startswith("<!DOCTYPE html>\n<html lang=")
    assert outline.open == []
    assert len(outline.ids) == len(set(outline.ids))
    assert outline.headings[0] == "h1"
    assert outline.headings.count("h1") == 1
    levels = [int(heading[1]) for heading in outline.headings]
    assert all(b <= a + 1 for a, b in pairwise(levels))


def test_page_asks_nothing_of_the_network(html: str, outline: Outline) -> None:
    for tag, address in outline.addresses:
        assert address.startswith(("#", "data:")), (tag, address)
    assert not re.search(r"@import|url\(\s*['\"]?(?!#)", html)
    assert "default-src 'none'" in html
    for tag, address in outline.addresses:
        if address.startswith("#"):
            assert address[1:] in outline.ids, (tag, address)


def test_findings_come_before_everything_else(html: str) -> None:
    order = [
        "All patients of this study are simulated",
        'class="lead"',
        "Does it matter what the vectors mean?",
        "At a glance",
        "<h2>Embeddings and strategies",
        "<h2>Methods",
        "<h2>Limitations",
        "<h2>Provenance",
    ]
    places = [html.index(words) for words in order]
    assert places == sorted(places)


def test_figures_have_alternative_text_and_captions(html: str) -> None:
    figures = re.findall(r"<figure .*?</figure>", html, flags=re.DOTALL)
    assert len(figures) >= 10
    for figure in figures:
        assert re.search(r'<svg role="img" aria-label="[^"]{30,}"', figure)
        assert re.search(r"<figcaption><b>.+</b>.{40,}</figcaption>", figure, flags=re.DOTALL)


def test_text_of_the_config_cannot_become_markup() -> None:
    study = a_study(title="<script>alert(1)</script>", notice="a & b <img src=x>")
    semantic = answers()[0]
    semantic["rows"][0]["embedding"] = "<b>bold</b>"
    found = evidence(study, answers=[semantic])
    html = render_page(found, list(study_tables(found)), [], PROVENANCE)
    assert "<script>alert" not in html
    assert "<img" not in html
    assert "<b>bold" not in html
    assert "a &amp; b &lt;img src=x&gt;" in html


def test_a_winning_simple_model_is_the_first_sentence() -> None:
    found = evidence(STUDY, simple_wins=True)
    assert lead(found).lines[0].startswith("A simple model wins in 1 of 1 combinations of strategy")
    assert "the network loses to logistic regression" in lead(found).lines[0] + lead(found).rest
    assert "Does a simple model win?" not in [f.question for f in findings(found)]
    assert lead(evidence(STUDY)).lines[0].startswith("north_county → south_county: ")
    assert "Does a simple model win?" in [f.question for f in findings(evidence(STUDY))]


def test_best_models_are_the_highest_unflagged_cells_with_their_interval() -> None:
    found = evidence(STUDY)
    tidy = found.estimates[found.estimates["metric"] == "auroc"]
    target = tidy[(tidy["target"] == "south_county") & (tidy["source"] != "")]
    top = target.loc[target["estimate"].idxmax()]
    words = f"{top['estimate']:.3f} [{top['lower']:.3f}, {top['upper']:.3f}]"
    assert words in best_models(found)[0]
    flagged = found.estimates.copy()
    flagged.loc[flagged["target"] == "south_county", "flag"] = "few positives"
    left = evidence(STUDY, estimates=flagged)
    assert "north_county → south_county" not in " ".join(best_models(left))
    assert "too few encounters" in glance(left).shown.iloc[0].tolist()
    everything = evidence(STUDY, estimates=found.estimates.assign(flag="few positives"))
    assert best_models(everything)[0].startswith("No model could be ranked")
    assert glance(everything).raw.shape[0] == 2


def test_many_directions_are_summed_up() -> None:
    (text,) = best_models(evidence(a_study(4)))
    assert text.startswith(
        "Found in hindsight, and so optimistic: over 9 directions (3 more have too few test "
        "encounters) the highest AUROC of a transferred model lies between 0.9"
    )


def test_long_answers_are_cut_at_a_sentence() -> None:
    sentences = ["Gain 0.84."] * 3 + ["The rest is longer."] * 30
    answer = Answer("name", "Question?", sentences, [])
    assert answer.short.endswith(".")
    assert 200 < len(answer.short) <= 260
    assert f"{answer.short} {answer.rest}" == " ".join(sentences)


def test_methods_name_what_the_config_says() -> None:
    study = a_study(
        replicates=7,
        split={"by": "folds", "folds": 4},
        strategies={"local": None, "full": {"learning_rate": 0.01}},
        training={"protocol": "gao2024"},
    )
    text = " ".join(words for _, words in methods_text(study, {}, {"torch": "2.13.0"}))
    for words in (
        *("influenza", "lab result", "4 folds", "7 replicates", "hub/minilm", "mean pooling"),
        *("learning rate 0.01", "learning rate 0.001", "100 batches", "Nesterov momentum 0.9"),
        *("dropout 0.5", "100 filters", "1,000 bootstrap draws", "Holm", "seed 1", "torch 2.13.0"),
        *("network resources/networks/north_county.yaml", "batches of 32", "50 epochs"),
    ):
        assert words in text, words


def test_limitations_follow_from_the_study() -> None:
    first, second = limitations(evidence(STUDY))[:2]
    assert first == STUDY.notice
    assert second.startswith("Encounters were simulated")
    few = estimates(STUDY).assign(flag="few positives", not_estimable=2, diverged=1)
    text = " ".join(limitations(evidence(STUDY, estimates=few)))
    assert "north_county and south_county" in text
    assert "In 332 replicates a draw held one class only, and in 166 training diverged" in text


def test_a_limitation_tells_of_encoders_that_read_a_target_s_outcomes() -> None:
    told = "whole records of south_county have read"
    for sites, pretrain, says in ((["south_county"], True, True), (["south_county"], False, False)):
        encoders = {"own": CodeEncoder(sites=sites, pretrain=pretrain)}
        study = STUDY.model_copy(update={"encoders": encoders})
        assert (told in " ".join(limitations(evidence(study)))) == says


def test_numbers_sort_by_value_and_words_stay_words() -> None:
    columns = [
        Column("a", "interval", [(0.9, 0.8, 1.0), (-0.25, -1.0, 1.0), (float("nan"),) * 3, "<11"]),
        Column("b", "name", ["x", "y", "x", "x"]),
        Column("c", "text", ["7", "8", "7", "better"]),
        Column("d", "verdict", ["better", "worse", "no evidence", "better"]),
    ]
    context = table_context(Table("t", "data", "T", "", pd.DataFrame(), columns))
    first, *_, last = zip(*context["rows"], strict=True)
    assert [cell["value"] for cell in first] == ["0.900", "-0.250", None, None]
    assert [cell["kind"] for cell in last] == ["better", "worse", "", "better"]
    assert {cell["kind"] for row in context["rows"] for cell in row[1:3]} == {""}
    assert [column["number"] for column in context["columns"]] == [True, False, False, False]
    assert [column["choose"] for column in context["columns"]] == [False, True, False, False]


def test_provenance_digests_the_data(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"abc")
    known = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert file_digest(tmp_path / "x") == known
    found = provenance(tmp_path, {"x": tmp_path / "x"})
    assert found.fingerprints == {"x": known}
    assert found.packages["numpy"]


def test_page_of_three_hundred_cells_is_small(tmp_path: Path) -> None:
    study = a_study(2, 8)
    found = evidence(study)
    assert 290 <= len(found.estimates) / found.estimates["metric"].nunique() <= 330
    write_figures(found, tmp_path / "figures")
    write_page(found, tmp_path / "figures", PROVENANCE, tmp_path / "report.html")
    assert (tmp_path / "report.html").stat().st_size < 3e6


def test_scripts_run_and_tables_sort_and_filter(browser: str, page: Path, tmp_path: Path) -> None:
    """Clicks and typing happen in a copy of the page with a script appended."""
    drive = """<script>
      const box = document.querySelector('#table-cells ~ [data-table]');
      const headers = [...box.querySelectorAll('th')];
      const place = headers.findIndex((h) => h.textContent.startsWith('AUROC'));
      const shown = () => [...box.querySelectorAll('tbody tr')].filter((r) => !r.hidden);
      const order = () => shown().map((r) => r.cells[place].dataset.value).join(' ');
      const button = headers[place].querySelector('button');
      const report = {};
      button.click();
      report.up = order(); report.ariaUp = headers[place].getAttribute('aria-sort');
      button.click();
      report.down = order(); report.ariaDown = headers[place].getAttribute('aria-sort');
      const search = box.querySelector('input[type=search]');
      search.value = 'logistic';
      search.dispatchEvent(new Event('input', {bubbles: true}));
      report.found = shown().length;
      report.count = box.querySelector('output').value;
      report.labels = [...box.querySelectorAll('.tools label')].every((l) => l.control);
      const other = document.querySelector('#table-comparisons ~ [data-table]');
      const named = (words) => [...other.querySelectorAll('th')].findIndex(
        (h) => h.textContent.startsWith(words));
      const column = (place) => [...other.querySelectorAll('tbody tr')].map(
        (r) => r.cells[place].dataset.value ?? r.cells[place].textContent);
      other.querySelectorAll('th button')[named('A − B')].click();
      report.differences = column(named('A − B'));
      other.querySelectorAll('th button')[named('Labels')].click();
      report.labelsOrder = [...new Set(column(named('Labels')))];
      report.wide = document.documentElement.scrollWidth - innerWidth;
      document.body.dataset.report = JSON.stringify(report);
    </script></body>"""
    copy = tmp_path / "driven.html"
    copy.write_text(page.read_text("utf-8").replace("</body>", drive), encoding="utf-8")
    dom = dump_dom(browser, copy, tmp_path / "profile")
    report = pd.io.json.ujson_loads(
        re.search(r'<body data-report="([^"]*)"', dom)[1].replace("&quot;", '"')
    )
    up = [float(value) for value in report["up"].split()]
    assert len(up) == 166
    assert up == sorted(up)
    assert [float(value) for value in report["down"].split()] == up[::-1]
    assert (report["ariaUp"], report["ariaDown"]) == ("ascending", "descending")
    assert report["found"] == 14
    assert report["count"] == "14 of 166 rows"
    assert report["labels"]
    differences = [float(value) for value in report["differences"]]
    assert differences == sorted(differences)
    assert differences[0] < 0 < differences[-1]
    assert report["labelsOrder"] == ["0", "50", "200", "all"]
    assert report["wide"] <= 0
    assert dom.count('data-ready="true"') == dom.count("<div data-table")


def test_page_fits_a_phone(browser: str, page: Path, tmp_path: Path) -> None:
    """Headless windows have a minimum width, so the phone is an iframe of 375 pixels."""
    measure = """<script>document.title = 'wide ' +
      (document.documentElement.scrollWidth - document.documentElement.clientWidth);
      parent.postMessage(document.title, '*')</script></body>"""
    copy = tmp_path / "inner.html"
    copy.write_text(page.read_text("utf-8").replace("</body>", measure), encoding="utf-8")
    frame = tmp_path / "phone.html"
    frame.write_text(
        "<!DOCTYPE html><title>x</title><script>onmessage = (e) => "
        "{ document.body.dataset.wide = e.data }</script>"
        '<body><iframe src="inner.html" style="width:375px;height:900px;border:0"></iframe></body>'
    )
    dom = dump_dom(browser, frame, tmp_path / "profile")
    assert 'data-wide="wide 0"' in dom
