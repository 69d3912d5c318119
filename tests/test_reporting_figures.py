"""Figures of the report: what is drawn is what the data file says, for studies of every size."""

import json
import re
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from matplotlib.collections import LineCollection
from reporting_data import a_study, comparisons, estimates, evidence

from concept_transfer.evaluation.calibration import calibration_bins
from concept_transfer.reporting.figures.calibration import curve_points
from concept_transfer.reporting.figures.canvas import Drawing, write_drawing
from concept_transfer.reporting.figures.forest import forest
from concept_transfer.reporting.figures.heatmap import BLUES, _is_light, heat_map
from concept_transfer.reporting.gallery import study_figures
from concept_transfer.reporting.looks import learner_looks, strategy_looks
from concept_transfer.reporting.report import write_figures
from concept_transfer.reporting.rows import arrange, rows_of
from concept_transfer.reporting.sides import labelled
from concept_transfer.reporting.svg import inline_svg
from concept_transfer.study import load_study

STUDY = a_study()
MANY = {
    **dict.fromkeys(("local", "direct", "linear", "full", "pooled")),
    "linear_at_the_rate_of_the_source": {"kind": "linear", "learning_rate": 0.001},
    "full_at_the_rate_of_the_source": {"kind": "full", "learning_rate": 0.001},
}
PAIR = ("north_county", "south_county")


@pytest.fixture(scope="module")
def drawings() -> dict[str, Drawing]:
    return {drawing.caption.stem: drawing for drawing in study_figures(evidence(STUDY))}


def test_the_study_has_every_kind_of_figure(drawings) -> None:
    assert {
        "heatmap_north_county-to-south_county",
        "heatmap_south_county-to-north_county",
        "auroc_all",
        "auroc_50",
        "learning-curve_north_county-to-south_county",
        "comparisons_random-control_all",
        "comparisons_simple-baselines_50",
        "comparisons_target-data-only_all",
        "calibration-slope",
        "calibration-intercept",
        "calibration-curve_north_county-to-south_county",
    } <= drawings.keys()


def test_heat_map_prints_the_numbers_of_its_data(drawings) -> None:
    drawing = drawings["heatmap_north_county-to-south_county"]
    texts = [text.get_text() for text in drawing.figure.axes[0].texts]
    printed = sorted(text for text in texts if re.fullmatch(r"\.\d{3}", text))
    assert printed == sorted(f"{value:.3f}"[1:] for value in drawing.data["auroc"])
    cells = estimates(STUDY)
    own = cells[
        (cells["metric"] == "auroc")
        & (cells["target"] == PAIR[1])
        & cells["source"].isin(["", PAIR[0]])
    ]
    np.testing.assert_allclose(sorted(own["estimate"]), sorted(drawing.data["auroc"]))


def bins_of(encounters: int, positives: list[float]) -> pd.DataFrame:
    risks = np.linspace(0.05, 0.5, len(positives))
    return pd.DataFrame(
        {
            "bin": range(len(positives)),
            "encounters": encounters,
            "predicted": risks,
            "positives": positives,
        }
    )


def test_calibration_points_join_bins_until_no_small_count_shows() -> None:
    points = curve_points(bins_of(50, [1, 2, 9, 20, 42, 44]), 11, 0.95)
    assert points["observed"].tolist() == pytest.approx([12 / 150, 20 / 50, 86 / 100])
    assert points["predicted"].iloc[0] == pytest.approx(np.mean([0.05, 0.14, 0.23]))
    assert (points["lower"] < points["observed"]).all()
    assert (points["observed"] < points["upper"]).all()
    assert curve_points(bins_of(50, [1, 2, 3]), 11, 0.95).empty
    tenths = curve_points(bins_of(50, [25.0] * 20), 11, 0.95)
    assert len(tenths) == 10
    labels = np.arange(1237) % 2
    found = calibration_bins(labels, np.linspace(0, 1, 1237)[None])
    uneven = pd.DataFrame(found).assign(bin=range(20))
    assert len(curve_points(uneven, 11, 0.95)) == 10


def test_a_calibration_curve_shows_the_points_of_its_data(drawings) -> None:
    drawing = drawings["calibration-curve_north_county-to-south_county"]
    data = drawing.data
    assert set(data["size"]) == {"0", "all"}
    assert (data["observed"] < data["predicted"]).all()
    titles = [axis.get_title(loc="left") for axis in drawing.figure.axes]
    assert titles == list(data["row"].drop_duplicates())
    first = data[data["row"] == titles[0]]
    drawn = [y for line in drawing.figure.axes[0].lines[1:] if len(y := line.get_ydata())]
    for strategy, found in zip(first["strategy"].drop_duplicates(), drawn, strict=True):
        expected = first.loc[first["strategy"] == strategy, "observed"]
        np.testing.assert_allclose(found, expected)


def test_heat_map_separates_controls_and_simple_models_in_config_order(drawings) -> None:
    rows = drawings["heatmap_north_county-to-south_county"].data["row"].drop_duplicates()
    assert list(rows) == [
        *("minilm", "clinical_assertion_negation_bert"),
        *("one_hot", "minilm_shuffled", "random"),
        *("logistic regression", "gradient boosting"),
        "all models",
    ]


def test_missing_cells_leave_the_order_of_the_rows_alone() -> None:
    tidy = estimates(STUDY)
    gone = (tidy["embedding"] == "one_hot") & (tidy["strategy"] == "local")
    whole, part = (arrange(frame, STUDY) for frame in (tidy, tidy[~gone]))
    assert rows_of(part) == rows_of(whole)


def test_heat_map_marks_few_positives_and_missing_estimates() -> None:
    tidy = estimates(STUDY)
    tidy.loc[tidy["strategy"] == "full", "estimate"] = np.nan
    tidy.loc[tidy["strategy"] == "linear", "flag"] = "few positives"
    drawing = heat_map(tidy, STUDY, *PAIR, (0.5, 1.0))
    texts = [text.get_text() for text in drawing.figure.axes[0].texts]
    assert texts.count("n. e.") == 15
    assert sum(text.endswith("*") for text in texts) == 15
    assert "too few test encounters" in drawing.caption.text.lower()


@pytest.mark.parametrize("value", np.linspace(0, 1, 21))
def test_heat_map_numbers_contrast_with_their_cell(value: float) -> None:
    """WCAG's ratio for large-scale or incidental text, 3, is reached everywhere."""
    colour = BLUES(value)[:3]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in colour]
    luminance = np.dot(linear, (0.2126, 0.7152, 0.0722))
    text = 0.016 if _is_light(colour) else 1.0
    ratio = (max(text, luminance) + 0.05) / (min(text, luminance) + 0.05)
    assert ratio >= 3.6


def test_dots_and_intervals_stand_where_the_data_say(drawings) -> None:
    drawing = drawings["auroc_all"]
    for axis, (source, target) in zip(drawing.figure.axes, [PAIR, PAIR[::-1]], strict=True):
        own = drawing.data[
            (drawing.data["target"] == target) & drawing.data["source"].isin(["", source])
        ]
        lines = [c for c in axis.collections if isinstance(c, LineCollection)]
        ends = np.concatenate([segment[:, 0] for line in lines for segment in line.get_segments()])
        np.testing.assert_allclose(
            np.sort(ends), np.sort(own[["lower", "upper"]].to_numpy().ravel())
        )
        dots = [c.get_offsets()[:, 0] for c in axis.collections if c not in lines]
        dots = np.concatenate([d for d in dots if len(d)])
        np.testing.assert_allclose(np.sort(dots), np.sort(own["estimate"]))


def test_ceiling_and_no_skill_are_drawn_where_they_belong() -> None:
    few = estimates(STUDY)
    few.loc[few["metric"] == "auroc", ["lower", "upper"]] = [0.45, 0.99]
    ceilings = {"south_county": {"estimate": 0.9, "lower": 0.85, "upper": 0.94}}
    drawing = next(
        d
        for d in study_figures(evidence(STUDY, estimates=few, ceilings=ceilings))
        if d.caption.stem == "auroc_all"
    )
    words = [[text.get_text() for text in axis.texts] for axis in drawing.figure.axes]
    assert words == [["no skill", "Bayes-optimal"], ["no skill"]]
    assert "south_county 0.900 [0.850, 0.940]" in drawing.caption.text


def test_learning_curves_follow_the_data(drawings) -> None:
    drawing = drawings["learning-curve_north_county-to-south_county"]
    axis = next(a for a in drawing.figure.axes if a.get_title(loc="left") == "minilm")
    own = drawing.data[(drawing.data["row"] == "minilm") & (drawing.data["size"] != "0")]
    wanted = {
        tuple(part.sort_values("size")["estimate"].round(12))
        for _, part in own.assign(size=own["size"].map({"50": 0, "200": 1, "all": 2})).groupby(
            "strategy"
        )
    }
    drawn = {
        tuple(np.round(line.get_ydata(), 12)) for line in axis.lines if len(line.get_xdata()) == 3
    }
    assert drawn == wanted


def test_forest_fills_only_what_is_significant() -> None:
    table = comparisons(STUDY, estimates(STUDY))
    table["verdict"] = np.where(table["metric"] == "auroc", "underpowered", "")
    hollow = forest(table, STUDY, "random control", "all", [PAIR], "x")
    assert hollow is not None
    faces = np.concatenate(
        [c.get_facecolor() for c in hollow.figure.axes[0].collections if c.get_offsets().any()]
    )
    assert (faces == 1).all()
    table.loc[table["metric"] == "auroc", "verdict"] = "worse"
    solid = forest(table, STUDY, "random control", "all", [PAIR], "x")
    assert solid is not None
    faces = np.concatenate(
        [c.get_facecolor() for c in solid.figure.axes[0].collections if c.get_offsets().any()]
    )
    assert not (faces[:, :3] == 1).all(axis=1).any()
    np.testing.assert_array_equal(solid.data["difference"], hollow.data["difference"])


def test_a_family_without_an_estimable_difference_has_no_figure() -> None:
    table = comparisons(STUDY, estimates(STUDY)).assign(difference=np.nan)
    assert forest(table, STUDY, "random control", "all", [PAIR], "x") is None


def test_scale_and_learning_rate_have_readable_rows() -> None:
    study = a_study(
        embeddings={"raw": {"provider": "one_hot"}, "unit": {"provider": "one_hot"}},
        strategies={"full": None, "fast": {"kind": "full", "learning_rate": 0.5}},
    )
    shared = {"target": PAIR[1], "source": PAIR[0], "size": "all", "classifier": "cnn"}
    shared |= {"metric": "auroc", "difference": 0.01, "verdict": "better"}
    shared |= {"lower": 0.0, "upper": 0.02, "p": 0.01, "p_holm": 0.02}
    shared |= {"lower_holm": -0.01, "upper_holm": 0.03}
    neither = {"embedding": "", "strategy": ""}

    def side(*models: str) -> list[dict[str, str]]:
        names = [dict(zip(("embedding", "strategy"), m.split(), strict=True)) for m in models]
        place = {"source": PAIR[0], "target": PAIR[1], "classifier": "cnn", "size": "all"}
        return [{**place, **name} for name in names]

    rows = [
        {"family": "scale", "strategy": "full", "a": side("unit full"), "b": side("raw full")},
        {"family": "rate", "embedding": "raw", "a": side("raw fast"), "b": side("raw full")},
        {"family": "both", "a": side("unit fast", "raw full"), "b": side("unit full", "raw fast")},
    ]
    table = labelled(pd.DataFrame([{**shared, **neither, **row} for row in rows]))
    seen = []
    for family in ("scale", "rate", "both"):
        drawing = forest(table, study, family, "all", [PAIR], family)
        assert drawing is not None
        axis = drawing.figure.axes[0]
        (legend,) = drawing.figure.legends
        labels = [label.get_text() for label in axis.get_yticklabels()]
        seen.append((labels, [text.get_text() for text in legend.get_texts()]))
    assert seen == [(["unit − raw"], ["full"]), (["raw"], ["fast"]), (["unit − raw"], ["fast"])]


def test_strategies_of_one_kind_look_different() -> None:
    kinds = {"full": None, "full_slow": {"kind": "full", "learning_rate": 0.001}}
    kinds |= {"linear": None, "linear_slow": {"kind": "linear", "learning_rate": 0.001}}
    looks = strategy_looks(a_study(strategies={"local": None, "direct": None, **kinds}))
    assert len({look.colour for look in looks.values()}) == 6
    assert len({look.marker for look in looks.values()}) == 6


@pytest.mark.parametrize(
    ("sites", "pretrained", "changes"),
    [
        (2, 1, {"target_sizes": ["all"], "classifiers": ["cnn"]}),
        (2, 17, {"pairs": [["north_county", "south_county"]], "strategies": MANY}),
        (4, 1, {"target_sizes": ["all"], "classifiers": ["cnn"]}),
    ],
)
def test_small_and_large_studies_are_drawn_without_clipping(
    sites: int, pretrained: int, changes: dict
) -> None:
    study = a_study(sites, pretrained, **changes)
    drawn = list(study_figures(evidence(study)))
    assert len({drawing.caption.stem for drawing in drawn}) == len(drawn)
    for drawing in drawn[:: max(1, len(drawn) // 6)]:
        figure = drawing.figure
        figure.draw_without_rendering()
        drawn_box, (width, height) = figure.get_tightbbox(), figure.get_size_inches()
        assert drawn_box.x0 >= 0, drawing.caption.stem
        assert drawn_box.y0 >= 0, drawing.caption.stem
        assert drawn_box.x1 <= width, drawing.caption.stem
        assert drawn_box.y1 <= height, drawing.caption.stem


def test_a_study_whose_every_cell_failed_is_still_drawn() -> None:
    tidy = estimates(STUDY)
    tidy[["estimate", "lower", "upper"]] = np.nan
    nothing = comparisons(STUDY, tidy)
    assert list(study_figures(evidence(STUDY, estimates=tidy, comparisons=nothing)))


def test_files_are_complete_deterministic_and_readable(tmp_path: Path, drawings) -> None:
    first = next(iter(drawings.values()))
    paths = write_drawing(first, tmp_path / "a")
    assert [path.suffix for path in paths] == [".svg", ".png", ".csv", ".json"]
    again = heat_map(estimates(STUDY), STUDY, *PAIR, (0.7, 0.95))
    other = heat_map(estimates(STUDY), STUDY, *PAIR, (0.7, 0.95))
    written = [write_drawing(d, tmp_path / name) for d, name in ((again, "b"), (other, "c"))]
    for b, c in zip(*written, strict=True):
        assert b.read_bytes() == c.read_bytes()
    root = ElementTree.parse(written[0][0]).getroot()
    texts = ["".join(element.itertext()) for element in root.iter() if "text" in element.tag]
    assert "minilm" in texts, "SVG text must stay text"
    pd.testing.assert_frame_equal(
        pd.read_csv(written[0][2], dtype={"size": str}, keep_default_na=False),
        again.data,
        check_dtype=False,
    )
    words = json.loads(written[0][3].read_text())
    assert words["alt"].startswith("Heat map of AUROC")


def test_index_lists_the_figures_in_the_order_of_the_report(tmp_path: Path) -> None:
    small = a_study(target_sizes=["all"], classifiers=["cnn"])
    paths = write_figures(evidence(small), tmp_path)
    stems = json.loads((tmp_path / "index.json").read_text())
    assert stems[0].startswith("heatmap_")
    assert {path.stem for path in paths} == {*stems, "index"}
    assert not any(stem.startswith("learning") for stem in stems), "one size makes no curve"


def test_inline_svg_is_named_and_keeps_to_itself(tmp_path: Path, drawings) -> None:
    drawing = drawings["auroc_all"]
    svg = write_drawing(drawing, tmp_path)[0].read_text(encoding="utf-8")
    inline = inline_svg(svg, "auroc_all", 'a "quoted" <alt>')
    element = ElementTree.fromstring(inline)
    assert element.get("aria-label") == 'a "quoted" <alt>'
    assert element.get("role") == "img"
    identifiers = re.findall(r'\bid="([^"]+)"', inline)
    assert identifiers
    assert all(name.startswith("auroc_all-") for name in identifiers)
    targets = re.findall(r'(?:href="#|url\(#)([^")]+)', inline)
    assert set(targets) <= set(identifiers)
    assert len(inline) < len(svg)


def test_inline_svg_rounds_coordinates_and_never_text() -> None:
    svg = (
        '<svg width="10pt" viewBox="0 0 10 10"><text x="1.23456">0.12345</text>'
        '<path d="M 1.00049 -2.71828"/></svg>'
    )
    inline = inline_svg(svg, "name", "words")
    assert '<text x="1.23">0.12345</text><path d="M 1.00 -2.72"/>' in inline


@pytest.mark.parametrize(("split", "name"), [("share", "chosen network"), ("folds", "minilm")])
def test_networks_beside_simple_models_are_named_where_none_was_chosen(split, name) -> None:
    study = a_study(split={"by": split})
    table = comparisons(study, estimates(study))
    drawing = forest(table, study, "simple baselines", "all", [PAIR], "stem")
    labels = [label.get_text() for label in drawing.figure.axes[0].get_yticklabels()]
    assert f"{name} − logistic regression" in labels


def test_no_two_learners_of_a_shipped_study_have_one_colour(repository: Path) -> None:
    for file in sorted((repository / "config").glob("*.yaml")):
        config = yaml.safe_load(file.read_text(encoding="utf-8"))
        if "study" not in config:
            continue
        study = load_study(config)
        colours = [look.colour for look in learner_looks(study).values()]
        assert len(set(colours)) == len(colours), file
