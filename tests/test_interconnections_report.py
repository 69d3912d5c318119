"""Interconnections from a config to the report: workflow, tables, figures, what is hidden."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from connected_data import asked, nodes_of, patients
from in_process import planned, run_study
from reporting_data import a_study, evidence
from workflow_runs import tiny_study

from concept_transfer.errors import StudyError
from concept_transfer.interconnections.interconnect import interconnect
from concept_transfer.interconnections.question import Question
from concept_transfer.interconnections.schemas import TABLES
from concept_transfer.parquet import write_rows
from concept_transfer.reporting.figures.canvas import write_drawing
from concept_transfer.reporting.findings import findings
from concept_transfer.reporting.interconnections import (
    QUESTION,
    QUESTION_OF_TEXTS,
    Connected,
    answers,
    connected_figures,
    connected_tables,
    methods_paragraph,
    read_connected,
)
from concept_transfer.reporting.page import SECTIONS
from concept_transfer.reporting.svg import inline_svg
from concept_transfer.study import Study, load_study

METHODS: dict[str, Any] = {
    "shrunken": None,
    "fisher": None,
    "text": {"kind": "embedding", "of": "minilm"},
    "text_shuffled": {"kind": "embedding", "of": "minilm_shuffled"},
    "hierarchy": None,
    "marginals": None,
}


@pytest.fixture(scope="module")
def study() -> Study:
    section = {"codes": {"read": "findings", "min_patients": 11}, "methods": METHODS}
    return a_study(interconnections=section)


@pytest.fixture(scope="module")
def connected(tmp_path_factory: pytest.TempPathFactory) -> Connected:
    import numpy as np

    folder = tmp_path_factory.mktemp("interconnections")
    sites = {
        "north_county": patients(3000, 11, together=16),
        "south_county": patients(2500, 12, together=16),
    }
    nodes = nodes_of(sites["north_county"])
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(24, 8)).astype(np.float32)
    vectors[1:16:2] = vectors[0:16:2] + 0.3 * vectors[1:16:2]  # texts know what comes together
    given = {"minilm": vectors, "minilm_shuffled": rng.permutation(vectors)}
    question = Question(asked(METHODS), nodes, sites, 1, 11, 0.95, given)
    for name, rows in interconnect(question).items():
        write_rows(folder / f"{name}.parquet", rows, TABLES[name])
    return read_connected(folder)


def test_tables_belong_to_a_section_and_show_numbers(study: Study, connected: Connected) -> None:
    tables = {table.stem: table for table in connected_tables(connected, study)}
    assert {"interconnections_methods", "interconnections_edges"} <= tables.keys()
    for table in tables.values():
        assert table.section in SECTIONS
        assert len(table.shown) > 0
    methods = tables["interconnections_methods"].shown.set_index("Method")
    assert methods["Role"].to_dict() == {
        "shrunken": "method",
        "fisher": "method",
        "text": "method",
        "text_shuffled": "control",
        "hierarchy": "control",
        "marginals": "control",
    }
    texts = tables["interconnections_texts"].shown
    assert next(iter(texts["Method"])) == "text"
    assert "marginals" in list(texts["Method"])
    edges = tables["interconnections_edges"].raw
    assert (edges["patients"] >= 11).all()


def test_what_texts_know_is_told_in_front_beside_the_frequencies(
    study: Study, connected: Connected
) -> None:
    first, second = findings(evidence(study, connected=connected))[:2]
    assert first.question == QUESTION
    assert "frequencies alone" in first.short
    assert second.question == QUESTION_OF_TEXTS
    everywhere, _, common = second.short.partition(" Among pairs that chance alone")
    for said, stratum in ((everywhere, "all"), (common, "common")):
        for name in ("text", "marginals"):
            area = connected.judged("auroc", stratum, on="all")[name]
            assert re.search(rf"\b{area:.3f} \[[\d.]+, [\d.]+\]", said), (said, name)
    assert "it does better than that" in common


def test_a_text_that_frequencies_equal_is_called_no_better(
    study: Study, connected: Connected
) -> None:
    level = connected.differences.assign(lower=-0.01, upper=0.02)
    (_, of_texts) = answers(replace(connected, differences=level), study)
    assert "belong together no better than the product" in of_texts.short
    assert "it does no better than that" in of_texts.short


def test_what_one_method_finds_alone_is_found_by_no_other(
    study: Study, connected: Connected
) -> None:
    found = [["text", "marginals"], ["fisher", "shrunken"], ["shrunken"], ["hierarchy"]]
    methods = [found[number % 4] for number in range(len(connected.pairs))]
    changed = replace(connected, pairs=connected.pairs.assign(methods=methods))
    tables = {table.stem: table for table in connected_tables(changed, study)}
    alone = tables["interconnections_alone"].raw
    assert set(zip(alone["methods"], alone["only"], strict=True)) == {
        ("shrunken", "shrunken"),
        ("text and marginals", "text"),
    }


def test_figures_have_words_numbers_and_something_under_the_pointer(
    study: Study, connected: Connected, tmp_path: Path
) -> None:
    stems = []
    for drawing in connected_figures(connected, study):
        write_drawing(drawing, tmp_path)
        stems.append(drawing.caption.stem)
        words = json.loads((tmp_path / f"{stems[-1]}.json").read_text())
        assert words["section"] in SECTIONS
        assert len(pd.read_csv(tmp_path / f"{stems[-1]}.csv")) > 0
    assert stems == [f"interconnections-{n}" for n in ("network", "foretelling", "chapters")]
    svg = (tmp_path / "interconnections-network.svg").read_text()
    inline = inline_svg(svg, "network", "words")
    titles = re.findall(r"<title>(.*?)</title>", inline)
    assert len(titles) == len(set(titles)) > 8
    told = [title for title in titles if " with " in title]
    assert all(re.search(r"\d+ patients, .* expected; odds ratio", title) for title in told)
    counts = [int(re.search(r"([\d,]+) patients", t)[1].replace(",", "")) for t in titles]
    assert min(counts) >= 11
    first = {stem: (tmp_path / f"{stem}.svg").read_bytes() for stem in stems}
    for drawing in connected_figures(connected, study):
        write_drawing(drawing, tmp_path)
    assert first == {stem: (tmp_path / f"{stem}.svg").read_bytes() for stem in stems}


def test_the_methods_say_how_edges_were_judged(study: Study) -> None:
    text = methods_paragraph(study)
    assert "Benjamini-Hochberg" in text
    assert "minilm" in text
    assert methods_paragraph(a_study()) == ""


# From a config


def connected_study(**changes: Any) -> dict[str, Any]:
    """The tiny study, with the findings of its counties as codes."""
    section = {
        "codes": {"read": "findings", "min_patients": 20, "ontology": None},
        "methods": {
            "shrunken": None,
            "fisher": None,
            "vectors": {"kind": "embedding", "of": "one_hot"},
            "marginals": None,
        },
        "draws": 20,
        "permutations": 19,
        **changes,
    }
    return {**tiny_study(), "interconnections": section}


def test_a_study_connects_its_findings(tmp_path: Path) -> None:
    results = run_study(tmp_path, connected_study(), "interconnections")
    found = read_connected(results / "interconnections")
    assert set(found.performance["method"]) == {"shrunken", "fisher", "vectors", "marginals"}
    assert set(found.performance["judged"]) == {"half a", "half b", "north", "south", "all_sites"}
    assert (found.codes["patients"] >= 20).all()
    assert (found.codes["chapter"] != "").all()
    assert (found.pairs["patients"] >= 11).all()
    assert (results / "code_sets" / "north.npz").stat().st_mode & 0o077 == 0


def test_a_study_without_the_section_has_no_such_job(tmp_path: Path) -> None:
    with planned(tmp_path, tiny_study()) as jobs:
        assert not [job for job in jobs if "interconnect" in str(job.rule)]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"methods": {"t": {"kind": "embedding", "of": "bert"}}}, "names the embedding 'bert'"),
        ({"methods": {"m": {"kind": "masked_codes", "of": "r"}}}, "names the encoder 'r'"),
        ({"methods": ["order"]}, "asks which code comes first"),
        ({"methods": ["magic"]}, "unknown method 'magic'"),
        ({"codes": {"read": "codes"}}, "the adapter 'simulated' of sites.north gives none"),
        ({"codes": {"read": "findings", "min_patients": 5}}, "min_patients is 5, but counts below"),
        ({"unit": "patient"}, "unit: patient needs codes.read: history"),
        ({"ages": [18, 5]}, "ascending order"),
    ],
)
def test_what_cannot_be_is_refused(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(StudyError, match=said):
        load_study(connected_study(**changes))


def test_codes_are_not_named_by_a_model_that_the_study_adapts() -> None:
    methods = {"t": {"kind": "embedding", "of": "own"}}
    study = connected_study(methods=methods, codes={"read": "findings", "min_patients": 20})
    study["encoders"] = {"base": {"kind": "text", "sites": ["north"], "scratch": {}}}
    own = {"provider": "transformers", "model": "adapted:base"}
    study["embeddings"] = {**study["embeddings"], "own": own}
    load_study(study)
    study["interconnections"]["codes"]["read"] = "history"
    with pytest.raises(StudyError, match="language model 'base' reads; names of codes"):
        load_study(study)
