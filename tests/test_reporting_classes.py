"""Outcomes with more than two classes in tables and figures, on invented results."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from reporting_data import (
    CLASSES,
    a_study,
    calibration,
    comparison_rows,
    estimates,
    evidence,
    of_classes,
    reports,
)

from concept_transfer.comparison.schema import COMPARISONS
from concept_transfer.evaluation.schemas import ESTIMATES
from concept_transfer.parquet import write_rows
from concept_transfer.reporting.calibration_tables import usefulness_table
from concept_transfer.reporting.classes import class_table, of_all, of_each
from concept_transfer.reporting.evidence import Evidence, read_evidence
from concept_transfer.reporting.figures.calibration import curve_points
from concept_transfer.reporting.gallery import study_figures
from concept_transfer.reporting.limitations import limitations
from concept_transfer.reporting.methods import methods_text
from concept_transfer.reporting.published import hidden_in, published
from concept_transfer.reporting.report import write_tables
from concept_transfer.reporting.site_table import site_table
from concept_transfer.reporting.tables import cell_table, study_tables

STUDY = a_study(
    task={"label": "infection", "classes": list(CLASSES)},
    classifiers=["cnn", "logistic"],
    target_sizes=[50, "all"],
)
KEYS = ["source", "target", "embedding", "classifier", "strategy", "size"]


def many_classes() -> Evidence:
    frame = of_classes(estimates(STUDY))
    bins = calibration(estimates(STUDY))
    curves = [
        bins.assign(**{"class": name, "positives": bins["positives"] * (1 - 0.2 * k)})
        for k, name in enumerate(CLASSES)
    ]
    return evidence(
        STUDY,
        estimates=of_all(frame),
        class_estimates=of_each(frame),
        calibration=pd.concat(curves, ignore_index=True),
        reports=site_reports(6000),
    )


def site_reports(last: int) -> dict[str, dict[str, Any]]:
    """Sites with 2,000 encounters of each class, the first with ``last`` of the last class."""
    each = {site: dict(zip(CLASSES, (2000, 2000, 2000), strict=True)) for site in STUDY.sites}
    each[next(iter(STUDY.sites))][CLASSES[-1]] = last
    return {
        site: {**report, "encounters": sum(each[site].values()), "classes": each[site]}
        for site, report in reports(STUDY).items()
    }


def test_a_site_with_few_of_one_class_keeps_the_counts_of_all(found: Evidence) -> None:
    given = replace(found, reports=site_reports(104))  # two of them do not test
    first, second = STUDY.sites
    hidden = hidden_in(given)
    assert (hidden.sites, hidden.tests) == ({first}, {first})
    sites = site_table(published(given).reports, STUDY).raw.set_index("site")
    assert [sites.loc[first, f"with_{name}"] for name in CLASSES] == ["suppressed"] * 3
    assert [sites.loc[second, f"with_{name}"] for name in CLASSES] == [2000] * 3


def test_what_a_class_lacks_is_said(found: Evidence) -> None:
    absent = found.class_estimates.copy()
    chosen = (absent["target"] == "south_county") & (absent["class"] == "R")
    absent.loc[chosen, "positives"] = 0
    said = " ".join(limitations(replace(found, class_estimates=absent)))
    assert "No test encounter is of the class R on south_county" in said
    assert "no longer sum to 1" in said
    told = " ".join(limitations(published(replace(found, class_estimates=absent))))
    assert "No test encounter" not in told


def test_usefulness_is_told_class_by_class(found: Evidence) -> None:
    parts = found.class_estimates
    useful = parts[parts["metric"] == "auroc"].assign(metric="sensitivity_at_90")
    table = usefulness_table(pd.concat([parts, useful]), STUDY)
    assert table is not None
    assert list(table.shown["Class"])[:3] == list(CLASSES)
    np.testing.assert_allclose(table.raw["sensitivity_at_90"], useful_of(table.raw, useful))


def useful_of(raw: pd.DataFrame, useful: pd.DataFrame) -> pd.Series:
    return raw[[*KEYS, "class"]].merge(useful, on=[*KEYS, "class"])["estimate"]


def test_methods_explain_macro_averages() -> None:
    text = dict(methods_text(STUDY, {}, {}))
    assert "one of 3 classes (I, R and P / M)" in text["Data and outcome"]
    assert "macro averages" in text["Evaluation and statistics"]
    two = dict(methods_text(a_study(), {}, {}))
    assert "macro" not in " ".join(two.values())


@pytest.fixture(scope="module")
def found() -> Evidence:
    return many_classes()


def test_files_are_read_apart_into_all_classes_and_each(found: Evidence, tmp_path: Path) -> None:
    def write(frame: pd.DataFrame) -> None:
        write_rows(tmp_path / "estimates.parquet", frame.to_dict("records"), ESTIMATES)

    write(of_classes(estimates(STUDY)))
    compared = comparison_rows(STUDY, estimates(STUDY))
    write_rows(tmp_path / "comparisons.parquet", compared, COMPARISONS)
    (tmp_path / "answers.json").write_text("[]")
    files = {name: [tmp_path / f"{name}.parquet"] for name in ("estimates", "comparisons")}
    read = read_evidence(STUDY, {**files, "answers": [tmp_path / "answers.json"]})
    assert read.many_classes
    assert set(read.estimates["metric"]) == {"auroc", "brier", "log_loss", "accuracy", "macro_f1"}
    assert list(read.class_estimates["class"].unique()) == list(CLASSES)
    assert len(read.estimates) + len(read.class_estimates) == len(of_classes(estimates(STUDY)))
    two = estimates(STUDY)
    write(two)
    read = read_evidence(STUDY, {**files, "answers": [tmp_path / "answers.json"]})
    assert not read.many_classes
    pd.testing.assert_frame_equal(read.estimates[list(two)], two)


def test_every_cell_has_a_row_a_class_with_the_numbers_of_its_estimates(found: Evidence) -> None:
    table = class_table(found.class_estimates, STUDY)
    assert table is not None
    assert len(table.raw) == 3 * len(estimates(STUDY)[KEYS].drop_duplicates())
    whole = found.estimates[found.estimates["metric"] == "auroc"]
    both = table.raw.merge(whole, on=KEYS)
    place = both["class"].map({name: k for k, name in enumerate(CLASSES)})
    np.testing.assert_allclose(both["auroc"], both["estimate"] + 0.01 * place)
    assert (both["positives_x"] == 100 + place).all()
    assert table.shown["Class"].tolist()[:4] == [*CLASSES, "I"]
    first = table.raw.iloc[1]
    assert table.shown["AUROC [95% CI]"].iloc[1].startswith(f"{first['auroc']:.3f} [")
    assert table.shown["Slope"].iloc[1] == f"{first['calibration_slope']:.3f}"
    assert class_table(of_each(estimates(STUDY)), STUDY) is None


def test_the_table_of_all_models_shows_what_holds_for_all_classes(found: Evidence) -> None:
    tables = {table.stem: table for table in study_tables(found)}
    assert list(tables)[:2] == ["cells", "classes"]
    cells = tables["cells"]
    assert list(cells.shown)[5:] == [
        *("Macro AUROC [95% CI]", "Replicate SD", "Log loss [95% CI]", "Brier [95% CI]"),
        *("Accuracy [95% CI]", "Macro F1 [95% CI]", "Encounters", "Note"),
    ]
    assert set(cells.raw["accuracy"]) == {0.7}
    two = cell_table(estimates(STUDY), STUDY)
    assert list(two.shown)[5:] == [
        *("AUROC [95% CI]", "Replicate SD", "AUPRC [95% CI]", "No-skill AUPRC"),
        *("Brier [95% CI]", "Positives", "Note"),
    ]


def test_calibration_is_drawn_class_by_class_and_the_rest_once(found: Evidence) -> None:
    drawn = {drawing.caption.stem: drawing for drawing in study_figures(found)}
    two = {drawing.caption.stem for drawing in study_figures(evidence(STUDY))}
    by_class = {stem for stem in two if stem.startswith("calibration")}
    assert drawn.keys() - two == {f"{stem}_{name}" for stem in by_class for name in "IR"} | {
        f"{stem}_P-M" for stem in by_class
    }
    assert two - drawn.keys() == by_class
    curves = drawn["calibration-curve_north_county-to-south_county_R"]
    assert curves.caption.title.startswith("Calibration curves, north_county → south_county, R")
    bins = found.calibration[found.calibration["class"] == "R"].head(20)
    expected = curve_points(bins, STUDY.evaluation.small_cells, STUDY.evaluation.confidence)
    np.testing.assert_allclose(curves.data["observed"].head(len(expected)), expected["observed"])
    slopes = drawn["calibration-slope_P-M"].data
    own = found.class_estimates
    own = own[(own["class"] == "P / M") & (own["metric"] == "calibration_slope")]
    shown = (own["size"] == "all") | (own["strategy"] == "direct")
    np.testing.assert_allclose(sorted(slopes["estimate"]), sorted(own.loc[shown, "estimate"]))
    heat = drawn["heatmap_north_county-to-south_county"]
    whole = found.estimates
    whole = whole[(whole["metric"] == "auroc") & (whole["target"] == "south_county")]
    np.testing.assert_allclose(sorted(heat.data["auroc"]), sorted(whole["estimate"]))
    assert "mean over classes" in heat.caption.text


def test_one_rare_class_hides_all_that_its_test_set_tells(found: Evidence, tmp_path: Path) -> None:
    rare = found.class_estimates.copy()
    chosen = (rare["target"] == "south_county") & (rare["class"] == "R")
    rare.loc[chosen, "positives"] = 4
    shown = published(replace(found, class_estimates=rare))
    for frame in (shown.estimates, shown.class_estimates):
        south = frame["target"] == "south_county"
        assert frame.loc[south, "estimate"].isna().all()
        assert frame.loc[~south & (frame["metric"] == "auroc"), "estimate"].notna().all()
        assert not {4, 100, 102} & set(frame.loc[south, "positives"])
    assert "south_county" not in set(shown.calibration["target"])
    paths = write_tables(replace(found, class_estimates=rare), tmp_path)
    text = next(path for path in paths if path.name == "classes.md").read_text()
    assert "| &lt;11 |" in text
    assert "| 4 |" not in text
