"""Tables and figures on site shift and embedding geometry: what they say, and what they keep."""

import json
import re

import numpy as np
import pandas as pd
import pytest
from analysis_data import a_network, a_vocabulary, sampled_site
from reporting_data import a_study, estimates, evidence

from concept_transfer.analysis.geometry import concept_map, geometry, nearest_neighbours
from concept_transfer.analysis.loss import rank_correlations
from concept_transfer.analysis.schemas import TABLES
from concept_transfer.analysis.shift import site_shift
from concept_transfer.parquet import write_rows
from concept_transfer.reporting.analysis import (
    Analysis,
    analysis_figures,
    analysis_tables,
    distinct_maps,
    read_analysis,
)
from concept_transfer.reporting.figures.canvas import write_drawing
from concept_transfer.reporting.page import SECTIONS
from concept_transfer.reporting.published import published
from concept_transfer.reporting.shift_tables import differing_findings, finding_table

VOCABULARY = a_vocabulary()
SITES = ("north_county", "south_county")


@pytest.fixture(scope="module")
def study():
    scaled = {"provider": "scaled", "of": "minilm", "scale": {"norm": 15}}
    study = a_study()
    return study.model_validate(
        {**study.model_dump(), "embeddings": {**study.model_dump()["embeddings"], "long": scaled}}
    )


@pytest.fixture(scope="module")
def analysis(study, tmp_path_factory):
    folder = tmp_path_factory.mktemp("networks")
    sites = [
        sampled_site(name, a_network(folder, elsewhere=bool(place)), 300, place)
        for place, name in enumerate(SITES)
    ]
    rng = np.random.default_rng(0)
    tables = {
        name: rng.normal(size=(len(VOCABULARY), 6)).astype(np.float32) for name in study.embeddings
    }
    tables["long"] = 15 * tables["minilm"]
    pairs, findings = site_shift(sites, VOCABULARY, {"minilm": tables["minilm"]}, 100, 0.95, 1)

    def of_all(rows_of):
        return pd.DataFrame(
            [{"embedding": name, **row} for name, table in tables.items() for row in rows_of(table)]
        )

    shift = pd.DataFrame(pairs)
    distances = shift.pivot_table(index=["source", "target"], columns="measure", values="estimate")
    loss = pd.DataFrame(
        [
            {
                "source": source,
                "target": target,
                "embedding": embedding,
                "classifier": classifier,
                "loss": 0.02,
                "lower": -0.01,
                "upper": 0.05,
                "verdict": "worse",
            }
            for source, target in (SITES, SITES[::-1])
            for embedding, classifier in (
                ("minilm", "cnn"),
                ("one_hot", "cnn"),
                ("none", "logistic"),
            )
        ]
    ).merge(distances.reset_index(), on=["source", "target"])
    return Analysis(
        shift=shift,
        shift_findings=pd.DataFrame(findings),
        shift_loss=loss,
        shift_correlations=rank_correlations(loss),
        geometry=of_all(lambda table: geometry(table, VOCABULARY, 1)),
        neighbours=of_all(lambda table: nearest_neighbours(table, VOCABULARY)),
        map=of_all(lambda table: concept_map(table, VOCABULARY)),
    )


def test_what_is_written_is_read_back(analysis, tmp_path):
    frames = {name: getattr(analysis, name)[schema.names] for name, schema in TABLES.items()}
    for name, frame in frames.items():
        write_rows(tmp_path / f"{name}.parquet", frame.to_dict("records"), TABLES[name])
    again = read_analysis(tmp_path)
    for name, frame in frames.items():
        pd.testing.assert_frame_equal(getattr(again, name), frame, check_dtype=not frame.empty)


def test_every_table_belongs_to_a_section_and_shows_numbers(analysis, study):
    tables = {table.stem: table for table in analysis_tables(analysis, study)}
    assert set(tables) == {"shift", "shift_loss", "shift_findings", "geometry", "neighbours"}
    for table in tables.values():
        assert table.section in SECTIONS
        assert table.caption
        assert len(table.shown) > 0
        assert not table.shown.isna().any(axis=None)
    assert tables["shift"].shown["Direction"].tolist() == [
        "north_county → south_county",
        "south_county → north_county",
    ]
    signs = [text.startswith("−") for text in tables["shift"].shown.iloc[:, 1]]
    assert signs == [False, True]
    assert len(tables["geometry"].shown) == len(study.embeddings)


def test_every_figure_is_written_with_words_and_data(analysis, study, tmp_path):
    stems = []
    for drawing in analysis_figures(analysis, study):
        write_drawing(drawing, tmp_path)
        stems.append(drawing.caption.stem)
        words = json.loads((tmp_path / f"{drawing.caption.stem}.json").read_text())
        assert words["section"] in SECTIONS
        assert words["alt"].endswith(".")
        assert not drawing.data.empty
        svg = (tmp_path / f"{drawing.caption.stem}.svg").read_text()
        assert "<text" in svg
    assert stems[:3] == ["shift-loss", "shift-findings", "negation"]
    first = {stem: (tmp_path / f"{stem}.svg").read_bytes() for stem in stems}
    for drawing in analysis_figures(analysis, study):
        write_drawing(drawing, tmp_path)
    assert first == {stem: (tmp_path / f"{stem}.svg").read_bytes() for stem in stems}


def test_another_scale_of_the_same_vectors_has_no_map_of_its_own(analysis, study):
    kept = distinct_maps(analysis.map, study)
    assert "minilm" in kept
    assert not {"long", "one_hot", "random", "minilm_shuffled"} & set(kept)


def test_rare_findings_are_left_out(analysis, study):
    findings = analysis.shift_findings
    all_of_them = set(differing_findings(findings, study)["concept"])
    few = findings.copy()
    chosen = few["concept"] == "cough"
    few.loc[chosen & (few["source"] == SITES[0]), "source_fewest"] = 10
    few.loc[chosen & (few["target"] == SITES[0]), "target_fewest"] = 10
    sizes = findings[findings["source"] == SITES[0]].groupby("concept")["source_fewest"].first()
    second = sizes.drop("cough").idxmin()
    left = set(differing_findings(few, study)["concept"])
    assert all_of_them - left == {"cough", second}, "the published sum less the others is cough"
    assert not {"cough", second} & set(finding_table(few, study).raw["concept"])


def test_divergences_of_labels_need_enough_encounters_of_each(analysis, study):
    few = analysis.shift_findings.copy()
    few["source_fewest_of_label"] = few["target_fewest_of_label"] = 50.0
    assert differing_findings(few, study)[["js_positive", "js_negative"]].notna().all(axis=None)
    few.loc[(few["concept"] == "age") & (few["source"] == SITES[0]), "source_fewest_of_label"] = 2
    shown = differing_findings(few, study).set_index("concept")
    assert shown["js"].notna().all()
    assert shown.loc["age", ["js_positive", "js_negative"]].isna().all()
    assert shown["js_positive"].isna().sum() == 2


def test_prevalences_that_reveal_few_positives_are_hidden(analysis, study):
    tidy = estimates(study)
    counts = {"rows_read": 300, "dropped": {}, "encounters": 300, "unmapped": {}}
    few = {"north_county": {**counts, "positives": 10, "prevalence": 10 / 300}}
    found = evidence(study, estimates=tidy, reports=few, analysis=analysis)
    own = published(found).analysis
    shift = own.shift.set_index("measure")
    assert shift.loc["prevalence_difference", ["estimate", "source_value"]].isna().all(axis=None)
    assert shift.loc["js_positive_sum", "estimate"].isna().all()
    assert own.shift_loss["js_negative_sum"].isna().all()
    pd.testing.assert_series_equal(
        shift.loc["js_sum", "estimate"],
        analysis.shift.set_index("measure").loc["js_sum", "estimate"].round(3),
    )
    tables = {table.stem: table for table in analysis_tables(own, study)}
    assert (tables["shift"].shown.iloc[:, 1] == "").all()


def test_labels_of_a_map_do_not_lie_on_each_other(analysis, study):
    drawing = list(analysis_figures(analysis, study))[-1]
    renderer = drawing.figure.canvas.get_renderer()
    boxes = [text.get_window_extent(renderer) for text in drawing.figure.axes[0].texts]
    assert len(boxes) >= 4
    assert all(not a.overlaps(b) for place, a in enumerate(boxes) for b in boxes[:place])
    names = {text.get_text() for text in drawing.figure.axes[0].texts}
    assert names <= set(VOCABULARY.names)
    assert re.match(r"concept-map_", drawing.caption.stem)
