"""Tables of the report: numbers, escapes, suppression."""

import io
import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from reporting_data import (
    a_study,
    comparison_rows,
    estimates,
    evidence,
    subgroups,
    text_columns,
)

from concept_transfer.cell import Cell
from concept_transfer.comparison.schema import COMPARISONS
from concept_transfer.errors import StudyError
from concept_transfer.evaluation.schemas import ESTIMATES
from concept_transfer.parquet import table_of, write_rows
from concept_transfer.reporting.calibration_tables import (
    calibration_table,
    subgroup_table,
    usefulness_table,
)
from concept_transfer.reporting.columns import Column, interval, number, p_value
from concept_transfer.reporting.evidence import read_evidence
from concept_transfer.reporting.formats import (
    Table,
    csv,
    latex,
    markdown,
    write_table,
)
from concept_transfer.reporting.generic_table import generic_table
from concept_transfer.reporting.limitations import limitations
from concept_transfer.reporting.looks import group_of
from concept_transfer.reporting.published import published
from concept_transfer.reporting.report import write_tables
from concept_transfer.reporting.sides import side_words
from concept_transfer.reporting.site_table import site_table
from concept_transfer.reporting.suppression import suppress, suppress_groups
from concept_transfer.reporting.tables import cell_table

STUDY = a_study()


def one_cell(text: str) -> Table:
    frame = pd.DataFrame({"a_b": [text]})
    return Table("t", "data", "Title", "Caption of 50 % & more_less", frame, text_columns(frame))


def test_cell_table_holds_every_cell_with_the_numbers_of_the_estimates() -> None:
    tidy = estimates(STUDY)
    table = cell_table(tidy, STUDY)
    raw = pd.read_csv(io.StringIO(csv(table)), keep_default_na=False, dtype={"size": str})
    keys = ["source", "target", "embedding", "classifier", "strategy", "size"]
    assert len(raw) == tidy[keys].drop_duplicates().shape[0] == len(table.shown)
    for metric in ("auroc", "auprc", "brier"):
        own = tidy[tidy["metric"] == metric].merge(raw, on=keys)
        assert len(own) == len(raw)
        np.testing.assert_allclose(own["estimate"], own[metric].astype(float), rtol=0, atol=0)
        np.testing.assert_allclose(
            own["lower_x" if "lower_x" in own else "lower"], own[f"{metric}_lower"].astype(float)
        )
    first = table.shown.iloc[0]
    row = table.raw.iloc[0]
    assert first["AUROC [95% CI]"].startswith(f"{row['auroc']:.3f} [{row['auroc_lower']:.3f}, ")


def test_rows_follow_the_config_and_not_the_order_of_the_files() -> None:
    tidy = estimates(STUDY)
    shuffled = tidy.sample(frac=1, random_state=3)
    pd.testing.assert_frame_equal(cell_table(tidy, STUDY).raw, cell_table(shuffled, STUDY).raw)


def test_not_estimable_cells_say_so() -> None:
    tidy = estimates(STUDY).assign(not_estimable=3, diverged=1)
    tidy.loc[:, ["estimate", "lower", "upper"]] = np.nan
    shown = cell_table(tidy, STUDY).shown
    assert set(shown["AUROC [95% CI]"]) == {"not estimable"}
    assert shown["Note"].iloc[0] == "3 replicates not estimable; 1 replicate diverged"


@pytest.mark.parametrize("positives", [0, 5, 10, 2395])
def test_small_counts_and_what_reveals_them_are_nowhere(positives: int) -> None:
    share = positives / 2400
    tidy = estimates(STUDY).assign(positives=positives)
    tidy.loc[tidy["metric"] == "auprc", "no_skill"] = share
    table = cell_table(published(evidence(STUDY, estimates=tidy)).estimates, STUDY)
    assert table.raw["auprc_no_skill"].isna().all()
    wanted = "suppressed" if positives > 100 else "<11"
    assert set(table.raw["positives"]) == set(table.shown["Positives"]) == {wanted}
    for text in (csv(table), markdown(table), latex(table)):
        assert repr(share) not in text or positives == 0


def test_counts_at_the_threshold_are_shown() -> None:
    tidy = estimates(STUDY).assign(positives=11)
    table = cell_table(published(evidence(STUDY, estimates=tidy)).estimates, STUDY)
    assert set(table.raw["positives"]) == {11}
    assert table.raw["auprc_no_skill"].notna().all()


@given(
    st.lists(st.tuples(st.integers(0, 40), st.integers(0, 60)), min_size=1, max_size=6),
    st.integers(0, 20),
)
def test_no_small_part_of_a_published_total_can_be_computed(
    parts: list[tuple[int, int]], threshold: int
) -> None:
    positives, others = (np.array(counts) for counts in zip(*parts, strict=True))
    frame = pd.DataFrame(
        {"whole": "a", "encounters": positives + others, "positives": positives, "share": 0.5}
    )
    shown = suppress_groups(frame, ["whole"], threshold, ("share",))
    hidden = (shown["positives"] == "suppressed").to_numpy()
    assert (hidden == (shown["encounters"] == "suppressed")).all()
    assert (hidden == shown["share"].isna()).all()
    for counts in (positives, others, positives + others):
        assert (counts[~hidden] >= threshold).all()
        together = counts[hidden].sum()  # the total less what is shown
        assert not hidden.any() or hidden.all() or together >= threshold
    assert hidden.sum() != 1 or len(parts) == 1


@given(st.integers(0, 100), st.integers(0, 100), st.integers(0, 15))
def test_suppress_hides_small_parts_and_small_complements(
    positives: int, negatives: int, threshold: int
) -> None:
    frame = pd.DataFrame(
        {"positives": [positives], "encounters": [positives + negatives], "share": [0.5]}
    )
    shown = suppress(frame, "positives", threshold, of="encounters", revealing=("share",)).iloc[0]
    safe = positives >= threshold and negatives >= threshold
    assert isinstance(shown["positives"], str) == (not safe)
    assert math.isnan(shown["share"]) == (not safe)
    assert frame["positives"].iloc[0] == positives


def test_site_table_hides_rare_outcomes_and_few_dropped_rows() -> None:
    report = {
        "rows_read": 605,
        "dropped": {"label M": 5},
        "encounters": 600,
        "positives": 4,
        "prevalence": 4 / 600,
        "unmapped": {},
    }
    raw = site_table({"north_county": report}, STUDY).raw.iloc[0]
    assert raw["positives"] == raw["dropped"] == "<11"
    assert math.isnan(raw["prevalence"])
    assert math.isnan(raw["rows_read"])
    whole = {**report, "rows_read": 600, "dropped": {}, "positives": 50, "prevalence": 1 / 12}
    raw = site_table({"north_county": report, "south_county": whole}, STUDY).raw.iloc[1]
    assert (raw["rows_read"], raw["dropped"], raw["positives"]) == (600, 0, 50)


@pytest.mark.parametrize("dropped", [0, 5, 50])
def test_counts_of_sites_stay_whole_numbers(dropped: int) -> None:
    report = {
        "rows_read": 2000,
        "dropped": {"label M": dropped},
        "encounters": 2000 - dropped,
        "positives": 300,
        "prevalence": 300 / (2000 - dropped),
        "unmapped": {"X1": 4},
    }
    table = site_table({"north_county": report}, STUDY)
    row = pd.read_csv(io.StringIO(csv(table)), keep_default_na=False, dtype=str).iloc[0]
    read = "" if dropped == 5 else "2000"
    assert (row["rows_read"], row["encounters"]) == (read, str(2000 - dropped))
    assert table.shown["Rows read"].tolist() == ["" if dropped == 5 else "2,000"]


def test_generic_table_merges_bounds_and_suppresses() -> None:
    frame = pd.DataFrame(
        {
            "finding": ["fever"],
            "divergence": [0.25],
            "lower": [0.2],
            "upper": [0.31],
            "encounters": [500],
            "positives": [3],
            "prevalence": [0.006],
            "p": [0.0002],
        }
    )
    table = generic_table("shift", "site shift", "Shift", "", frame, STUDY)
    row = table.shown.iloc[0].to_dict()
    assert row["Divergence [95% CI]"] == "0.250 [0.200, 0.310]"
    assert row["Positives"] == "<11"
    assert row["Prevalence"] == ""
    assert row["p"] == "<0.001"
    assert "Lower" not in row


def test_latex_escapes_all_that_latex_would_interpret() -> None:
    text = latex(one_cell(r"5% & $x$ #1_a {b} ~ ^ \cmd [2] <11 −3"))
    assert (
        r"5\% \& \$x\$ \#1\_a \{b\} \textasciitilde{} \textasciicircum{} \textbackslash{}cmd "
        r"{[}2] \textless{}11 $-$3 \\" in text
    )
    assert r"a\_b \\" in text
    assert r"50 \% \& more\_less" in text
    for rule in (r"\toprule", r"\midrule", r"\bottomrule"):
        assert text.count(rule) == 1


def test_long_tables_break_over_pages_in_latex() -> None:
    frame = pd.DataFrame({"a": range(80)})
    text = latex(Table("t", "data", "T", "C", frame, text_columns(frame)))
    assert r"\begin{longtable}{l}" in text
    assert text.count("\\\\\n") == 82


def test_markdown_keeps_its_columns_whatever_the_text() -> None:
    text = markdown(one_cell("a|b<c>_d_*e*\nf"))
    assert r"| a\|b&lt;c>\_d\_\*e\* f |" in text


@given(st.floats(allow_nan=True, allow_infinity=False, width=32))
def test_numbers_never_show_a_negative_zero_or_a_hyphen_as_minus(value: float) -> None:
    text = number(value)
    assert "-" not in text
    assert text.strip("−0.") or not text.startswith("−")


def test_numbers_in_words() -> None:
    assert number(12345) == "12,345"
    assert number(np.int64(7)) == "7"
    assert number(None) == ""
    assert number(7.0) == "7.000"
    assert interval(0.5, float("nan"), 1.0) == "0.500"
    assert interval(-0.5, -1, 0.25, 2) == "−0.50 [−1.00, 0.25]"
    assert p_value(0.00099) == "<0.001"
    assert p_value(0.04) == "0.040"
    assert p_value(float("nan")) == ""


def test_columns_show_their_values_and_the_number_they_sort_by() -> None:
    bounds = [(0.9, 0.8, 1.0), (-0.25, np.nan, np.nan), (np.nan, np.nan, np.nan), "suppressed"]
    column = Column("AUROC", "interval", bounds)
    shown = ["0.900 [0.800, 1.000]", "−0.250", "not estimable", "suppressed"]
    assert column.texts() == shown
    assert column.sort_keys() == ["0.900", "-0.250", None, None]
    counts = Column("Positives", "number", [1200, "<11", None])
    assert counts.texts() == ["1,200", "<11", ""]
    assert counts.sort_keys() == ["1200", None, None]
    assert Column("p", "p", [0.0001, 0.04, np.nan]).texts() == ["<0.001", "0.040", ""]
    assert Column("p", "p", [0.0001, 0.04, np.nan]).sort_keys() == ["0.001", "0.040", None]
    for kind in ("name", "text", "verdict", "labels"):
        texts = Column("x", kind, ["0.5", None, "1"])
        assert texts.texts() == ["0.5", "", "1"]
        assert texts.sort_keys() == [None] * 3
    assert [Column("x", kind, []).numeric for kind in ("labels", "p", "name")] == [
        True,
        True,
        False,
    ]


def test_a_frame_of_any_columns_says_what_they_hold() -> None:
    frame = pd.DataFrame(
        {
            "classifier": ["logistic", "mine"],
            "size": ["50", "all"],
            "random_verdict": ["better", "no evidence"],
            "p_max_t": [0.0001, 0.5],
            "place": ["7", "8"],
            "share": [0.25, 0.5],
            "shown": [True, False],
        }
    )
    table = generic_table("t", "answers", "T", "C", frame, STUDY)
    kinds = {column.name: column.kind for column in table.columns}
    assert kinds == {
        "Classifier": "name",
        "Labels": "labels",
        "Random verdict": "verdict",
        "p (max-T)": "p",
        "Place": "name",
        "Share": "number",
        "Shown": "name",
    }
    assert table.shown["Classifier"].tolist() == ["logistic regression", "mine"]
    assert table.shown["Shown"].tolist() == ["yes", "no"]


def test_every_table_is_written_in_three_formats(tmp_path) -> None:
    paths = write_tables(evidence(STUDY), tmp_path)
    assert {path.suffix for path in paths} == {".csv", ".md", ".tex"}
    assert len({path.stem for path in paths}) * 3 == len(paths)
    assert {"cells", "comparisons", "glance", "sites", "embeddings"} <= {p.stem for p in paths}
    for path in paths:
        assert path.read_text(encoding="utf-8").strip()


def test_written_files_are_the_same_again(tmp_path) -> None:
    table = one_cell("x")
    first = [path.read_bytes() for path in write_table(table, tmp_path / "a")]
    assert first == [path.read_bytes() for path in write_table(table, tmp_path / "b")]


def test_evidence_is_read_back_from_files(tmp_path) -> None:
    given_evidence = evidence(STUDY)
    half = len(given_evidence.estimates) // 2
    rows = given_evidence.estimates.to_dict("records")
    write_rows(tmp_path / "a.parquet", rows[:half], ESTIMATES)
    write_rows(tmp_path / "b.parquet", rows[half:], ESTIMATES)
    compared = comparison_rows(STUDY, given_evidence.estimates)
    write_rows(tmp_path / "comparisons.parquet", compared, COMPARISONS)
    (tmp_path / "answers.json").write_text("[]")
    (tmp_path / "north_county").mkdir()
    (tmp_path / "north_county" / "report.json").write_text('{"encounters": 3}')
    (tmp_path / "warnings.json").write_text('["Sites a and b are one."]')
    read = read_evidence(
        STUDY,
        {
            "estimates": [tmp_path / "a.parquet", tmp_path / "b.parquet"],
            "comparisons": [tmp_path / "comparisons.parquet"],
            "answers": [tmp_path / "answers.json"],
            "reports": [tmp_path / "north_county" / "report.json"],
            "warnings": [tmp_path / "warnings.json"],
        },
    )
    for name in ("estimates", "comparisons"):
        given_frame = getattr(given_evidence, name)
        columns = list(given_frame)
        pd.testing.assert_frame_equal(getattr(read, name)[columns], given_frame)
    assert read.reports == {"north_county": {"encounters": 3}}
    assert limitations(read)[0] == "Sites a and b are one."


def test_a_table_without_a_needed_column_is_named(tmp_path) -> None:
    path = tmp_path / "estimates.parquet"
    table = table_of(estimates(STUDY).to_dict("records"), ESTIMATES)
    pq.write_table(table.drop_columns("replicate_sd"), path)
    with pytest.raises(StudyError, match=r"estimates\.parquet lacks the column 'replicate_sd'"):
        read_evidence(STUDY, {"estimates": [path], "comparisons": [path], "answers": [path]})


def test_embeddings_are_grouped_by_what_they_are_made_of() -> None:
    study = a_study(
        embeddings={
            "one_hot": {"provider": "one_hot"},
            "minilm": {"provider": "transformers", "model": "m"},
            "long": {"provider": "scaled", "of": "one_hot", "scale": {"norm": 15}},
            "short": {"provider": "scaled", "of": "minilm", "scale": "unit"},
            "mixed": {"provider": "concatenated", "of": ["one_hot", "minilm"]},
            "shuffled": {"provider": "shuffled", "of": "minilm"},
            "random": {"provider": "random", "like": "minilm"},
        }
    )
    groups = {name: group_of(study, name) for name in [*study.embeddings, "none"]}
    assert groups == {
        **dict.fromkeys(("one_hot", "long", "shuffled", "random"), "control"),
        **dict.fromkeys(("minilm", "short", "mixed"), "pretrained"),
        "none": "simple model",
    }


def test_small_groups_give_nothing_away() -> None:
    frame = estimates(STUDY)
    table = subgroup_table(subgroups(frame), STUDY)
    numbers = ["auroc", "brier", "observed_minus_predicted_lower"]
    few, rest = (table.raw[table.raw["group"] == year] for year in ("2020", "2019"))
    assert set(few["positives"]) == set(few["flag"]) == {"suppressed"}
    assert set(rest["positives"]) == {"suppressed"}, "the total less 2019 would be 2020"
    assert set(few["encounters"]) == set(rest["encounters"]) == {"suppressed"}
    assert few[numbers].isna().all(axis=None)
    assert rest[numbers].isna().all(axis=None)
    adults = table.raw[table.raw["group"] == "adult"]
    assert set(adults["positives"]) == {150}
    assert adults[numbers].notna().all(axis=None)
    assert not set(table.raw["embedding"]) & {"random", "minilm_shuffled"}
    assert "age group: adult" in set(table.shown["Group"])
    assert not {"5", "235"} & set(table.shown["Positives"])
    hidden = table.shown[table.shown["Group"].str.startswith("period")]
    assert set(hidden["AUROC [95% CI]"]) == {"suppressed"}, "estimated, but not shown"


def test_a_group_of_few_encounters_is_hidden_with_a_second_one() -> None:
    frame = pd.DataFrame(
        {
            "whole": ["a"] * 3 + ["b"] * 2,
            "encounters": [500, 6, 90, 400, 300],
            "positives": [120, 3, 30, 60, 50],
            "auroc": 0.8,
        }
    )
    shown = suppress_groups(frame, ["whole"], 11, ("auroc",))
    assert shown["encounters"].tolist() == [500, "suppressed", "suppressed", 400, 300]
    assert shown["positives"].tolist() == [120, "suppressed", "suppressed", 60, 50]
    assert shown["auroc"].isna().tolist() == [False, True, True, False, False]


def test_the_calibration_table_holds_the_means_of_its_metrics() -> None:
    frame = estimates(STUDY)
    extra = frame[frame["metric"] == "brier"].assign(
        metric="brier_miscalibration", estimate=0.031, lower=np.nan, upper=np.nan
    )
    table = calibration_table(pd.concat([frame, extra], ignore_index=True), STUDY)
    assert set(table.shown["Miscalibration"]) == {"0.031"}
    assert "recalibrated_brier" not in table.raw
    cell = table.raw.iloc[3]
    keys = ["source", "target", "embedding", "classifier", "strategy", "size"]
    own = frame[(frame[keys] == cell[keys]).all(axis=1)].set_index("metric")["estimate"]
    for metric in ("brier", "log_loss", "calibration_slope"):
        assert cell[metric] == own[metric]


def test_sides_of_a_comparison_are_named_in_words() -> None:
    def words(*sides: tuple[Cell, ...]) -> list[str]:
        return [side_words(STUDY, *sides), side_words(STUDY, *sides[::-1])]

    network = Cell("north_county", "south_county", "minilm", "cnn", "full", "all")
    simple = replace(network, embedding="none", classifier="logistic")
    direct = replace(network, embedding="one_hot", strategy="direct")
    other = replace(simple, classifier="gradient_boosting")
    pooled = replace(simple, strategy="pooled")
    assert words((network,), (simple,)) == ["minilm, concept CNN", "logistic regression"]
    assert words((network,), (pooled,))[1] == "logistic regression, pooled"
    assert words((network,), (pooled,))[0] == "minilm, concept CNN, full"
    assert words((simple,), (other,)) == ["logistic regression", "gradient boosting"]
    assert words((network, direct), (network, network))[0] == "minilm full + one_hot direct"


def test_the_usefulness_table_shows_sensitivity_and_ppv_with_intervals() -> None:
    frame = estimates(STUDY)
    assert usefulness_table(frame, STUDY) is None
    base = frame[frame["metric"] == "auroc"]
    found = usefulness_table(
        pd.concat(
            [
                base.assign(metric=metric, estimate=value, lower=value - 0.1, upper=value + 0.1)
                for metric, value in (("sensitivity_at_90", 0.5), ("ppv_at_alert_rate", 0.3))
            ],
            ignore_index=True,
        ),
        STUDY,
    )
    assert len(found.raw) == len(base)
    first = found.shown.iloc[0]
    assert first["Sensitivity at 90 % specificity [95% CI]"] == "0.500 [0.400, 0.600]"
    assert first["PPV of alerts [95% CI]"] == "0.300 [0.200, 0.400]"
    assert first["Sensitivity at 95 % specificity [95% CI]"] == "not estimable"


def test_long_texts_wrap_in_latex() -> None:
    frame = pd.DataFrame({"claim": ["word " * 20], "b": ["short"]})
    text = latex(Table("t", "data", "Title", "Caption", frame, text_columns(frame)))
    assert r"\begin{tabular}{p{4cm}l}" in text
