"""The comparison table: which cells meet, what the verdicts say, and how often they are wrong."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from evaluation_data import (
    a_cell,
    a_study,
    clustered_scores,
    encounter_ids,
    evaluate_study,
    predictions,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from statsmodels.stats.multitest import multipletests

from concept_transfer.cell import Cell
from concept_transfer.comparison.comparisons import (
    compare_study,
    comparison_rows,
    seen_before,
)
from concept_transfer.comparison.contrasts import FAMILIES, Contrast, study_contrasts
from concept_transfer.comparison.effects import holm, paired_effect
from concept_transfer.comparison.permutations import ShuffleTest
from concept_transfer.comparison.schema import COMPARISONS
from concept_transfer.errors import StudyError
from concept_transfer.evaluation.evaluate import evaluate_cells
from concept_transfer.evaluation.results import read_results
from concept_transfer.grid import Grid
from concept_transfer.parquet import table_of
from concept_transfer.reporting.sides import labelled
from concept_transfer.settings.evaluation import Evaluation


@settings(max_examples=30, deadline=None)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=30))
def test_holm_equals_statsmodels(p: list[float]) -> None:
    expected = multipletests(p, method="holm")[1]
    np.testing.assert_allclose(holm(p), expected, atol=1e-12)


def test_holm_leaves_out_what_could_not_be_tested() -> None:
    assert holm([0.01, float("nan"), 0.04]).tolist() == pytest.approx(
        [0.02, float("nan"), 0.04], nan_ok=True
    )


def pairs(family: str) -> set[tuple[str, ...]]:
    """(plus; minus) of a family as 'embedding strategy size', of the invented study."""
    study = a_study()
    # minilm_15 is the best on validation everywhere
    validation = {c: float(c.embedding == "minilm_15") for c in Grid(study).cells}

    def name(cell: Cell) -> str:
        model = cell.classifier if cell.embedding == "none" else cell.embedding
        return f"{model} {cell.strategy} {cell.size}"

    return {
        (*map(name, c.plus), "-", *map(name, c.minus))
        for c in study_contrasts(study, validation)
        if c.family == family
    }


def test_families_hold_the_comparisons_their_names_say() -> None:
    shuffled, random = pairs("shuffled control"), pairs("random control")
    assert ("minilm direct 0", "-", "minilm_shuffled direct 0") in shuffled
    assert ("minilm full 50", "-", "minilm_random full 50") in random
    assert len(shuffled) == len(random) == 7  # direct, and three strategies at two sizes
    one_hot = pairs("against one-hot")
    assert ("minilm local 50", "-", "one_hot local 50") in one_hot
    assert ("minilm_15 local 50", "-", "one_hot_15 local 50") in one_hot
    assert len(one_hot) == 2 * 7
    assert ("minilm_shuffled full all", "-", "one_hot full all") in pairs("width and scale")
    tuning = pairs("tuning")
    assert ("minilm full_slow 50", "-", "minilm direct 0") in tuning
    assert not any("shuffled" in text for pair in tuning for text in pair)
    alone = pairs("target data only")
    assert ("minilm direct 0", "-", "minilm local 50") in alone
    assert ("minilm direct 0", "-", "minilm local all") in alone
    assert ("logistic direct 0", "-", "logistic local 50") in alone
    assert ("minilm full 50", "-", "minilm local 50") in alone
    assert pairs("simple baselines") == {
        ("minilm_15 local 50", "-", "logistic local 50"),
        ("minilm_15 local all", "-", "logistic local all"),
        ("minilm_15 direct 0", "-", "logistic direct 0"),
    }  # without pooled, no simple model sees the labels that a tuned network sees
    best = pairs("best target-only model")
    assert ("logistic direct 0", "-", "minilm_15 local all") in best
    assert ("one_hot full 50", "-", "minilm_15 local 50") in best
    assert {pair[2] for pair in best} == {"minilm_15 local 50", "minilm_15 local all"}
    scale = pairs("scale")
    assert ("minilm_15 full 50", "-", "minilm full 50") in scale
    assert ("one_hot_15 direct 0", "-", "one_hot direct 0") in scale
    assert len(scale) == 2 * 7
    assert ("minilm full 50", "-", "minilm full_slow 50") in pairs("learning rate")
    both = ("minilm_15 full 50", "minilm full_slow 50")
    either = ("minilm_15 full_slow 50", "minilm full 50")
    assert (*both, "-", *either) in pairs("scale x learning rate")


@pytest.fixture(scope="module")
def compared(tmp_path_factory: pytest.TempPathFactory):
    """A study in which the real minilm is better, one_hot_15 is worse, all else is equal."""
    study = a_study(evaluation={"draws": 200, "margin": 0.05})

    def separation(cell: Cell) -> float:
        return 1.5 + 0.8 * (cell.embedding == "minilm") - 0.8 * (cell.embedding == "one_hot_15")

    folder = tmp_path_factory.mktemp("metrics")
    results = evaluate_study(study, folder, np.random.default_rng(1), separation)
    shuffled = {
        cell: ShuffleTest(0.9, np.full(99, 0.8), 0.01, 0.01)
        for cell in results
        if cell.embedding == "minilm" and cell.strategy == "direct"
    }
    contrasts, rows = compare_study(study, results, shuffled)
    return study, results, contrasts, rows


def test_a_table_without_a_row_has_the_columns_of_every_other(compared) -> None:
    rows = compared[3]
    assert pa.Table.from_pylist(rows).schema == COMPARISONS
    assert table_of([], COMPARISONS).to_pandas().columns.tolist() == list(rows[0])


def test_verdicts_follow_the_effects(compared) -> None:
    _, _, contrasts, rows = compared
    assert len(rows) == 4 * len(contrasts)
    assert {tuple(row) for row in rows} == {tuple(COMPARISONS.names)}
    absent = {"unlabelled encounters", "encoder controls", "ladder"}
    assert {row["family"] for row in rows} == set(FAMILIES) - absent
    tested = [row for row in rows if row["metric"] == "auroc"]

    def verdicts(family: str) -> set[str]:
        return {row["verdict"] for row in tested if row["family"] == family}

    assert verdicts("random control") == {"better"}
    assert {
        (row["strategy"], row["p"], row["verdict"])
        for row in tested
        if row["family"] == "shuffled control" and row["strategy"] == "direct"
    } == {("direct", 0.01, "better")}
    assert verdicts("shuffled control") == {"better", "not tested"}
    assert verdicts("width and scale") == {"equivalent"}
    assert verdicts("tuning") == {"equivalent"}
    scale = {(r["a"][0]["embedding"], r["verdict"]) for r in tested if r["family"] == "scale"}
    assert scale == {("minilm_15", "worse"), ("one_hot_15", "worse")}
    for row in tested:
        assert row["lower"] - 1e-9 <= row["difference"] <= row["upper"] + 1e-9
        if row["family"] != "shuffled control":
            assert row["p_holm"] >= row["p"]
            assert row["lower_holm"] <= row["lower"] + 1e-12
            leaves_out_zero = row["lower_holm"] > 0 or row["upper_holm"] < 0
            assert leaves_out_zero == (row["verdict"] in ("better", "worse"))
    described = [row for row in rows if row["metric"] != "auroc"]
    assert {row["verdict"] for row in described} == {""}
    assert np.isnan([row["p"] for row in described]).all()


def test_sides_are_cells_and_columns_say_what_they_share(compared) -> None:
    _, _, contrasts, rows = compared
    for contrast, row in zip(contrasts, rows[::4], strict=True):
        assert [Cell(**cell) for cell in row["a"]] == list(contrast.plus)
        assert [Cell(**cell) for cell in row["b"]] == list(contrast.minus)
    row = next(r for r in rows if r["family"] == "random control" and r["size"] == "50")
    assert (row["embedding"], row["classifier"], row["target"]) == ("", "cnn", "south")


def test_labels_of_sides_say_what_differs(compared) -> None:
    rows = labelled(pd.DataFrame(compared[-1])).to_dict("records")
    row = next(r for r in rows if r["family"] == "random control" and r["size"] == "50")
    assert (row["a"], row["b"]) == ("minilm", "minilm_random")
    row = next(r for r in rows if r["family"] == "target data only" and r["a"] == "direct")
    assert (row["b"], row["source"], row["size"]) == ("local", "north", "50")
    row = next(r for r in rows if r["family"] == "scale x learning rate")
    assert row["a"] == "minilm_15 full + minilm full_slow"
    assert row["b"] == "minilm_15 full_slow + minilm full"


def test_an_effect_is_the_difference_of_the_estimates(compared) -> None:
    study, results, contrasts, _ = compared
    contrast = next(c for c in contrasts if c.family == "random control")
    one, other = (results[side[0]] for side in (contrast.plus, contrast.minus))
    effect = paired_effect([contrast], results, study.evaluation)
    assert effect.difference == pytest.approx(one.estimate() - other.estimate())
    paired = np.nanstd(one.sampling_draws["auroc"] - other.sampling_draws["auroc"])
    unpaired = np.hypot(one.sampling_draws["auroc"].std(), other.sampling_draws["auroc"].std())
    assert effect.standard_error == pytest.approx(paired, rel=0.5)
    assert effect.standard_error < 0.7 * unpaired


def test_a_mean_effect_knows_the_covariance_of_its_contrasts(compared) -> None:
    """The mean of twice the same contrast is as uncertain as the contrast itself."""
    study, results, contrasts, _ = compared
    contrast = contrasts[0]
    once = paired_effect([contrast], results, study.evaluation)
    twice = paired_effect([contrast, contrast], results, study.evaluation)
    assert twice.standard_error == pytest.approx(once.standard_error, rel=1e-6)
    assert twice.difference == pytest.approx(once.difference)


def test_targets_have_encounters_of_their_own_and_replicates_in_common(compared) -> None:
    """The mean over a target and its copy: half the sampling variance, all of the replicates'."""
    study, results, contrasts, _ = compared
    contrast = next(c for c in contrasts if c.family == "random control")
    rng = np.random.default_rng(6)
    spread = {number: rng.normal(0, 0.02) for number in range(study.replicates)}

    def elsewhere(cell: Cell) -> Cell:
        return replace(cell, target="east")

    both = dict(results)
    for cell in contrast.cells:
        values = dict(results[cell].values)
        if cell in contrast.plus:
            areas = values["test", "auroc"]
            values["test", "auroc"] = {n: v + spread[n] for n, v in areas.items()}
        both[cell] = replace(results[cell], values=values)
        both[elsewhere(cell)] = replace(both[cell], cell=elsewhere(cell))
    copy = replace(
        contrast,
        plus=tuple(map(elsewhere, contrast.plus)),
        minus=tuple(map(elsewhere, contrast.minus)),
    )
    one = paired_effect([contrast], both, study.evaluation)
    mean = paired_effect([contrast, copy], both, study.evaluation)
    values = [both[c.cells[i]].values["test", "auroc"] for c in (contrast,) for i in (0, 1)]
    differences = [values[0][n] - values[1][n] for n in sorted(values[0])]
    replicates = np.var(differences, ddof=1) / len(differences)
    assert mean.difference == pytest.approx(one.difference)
    assert mean.standard_error**2 > replicates
    sampling = one.standard_error**2 - replicates
    assert mean.standard_error**2 == pytest.approx(replicates + sampling / 2, rel=0.02)


def test_replicates_that_one_side_lacks_leave_the_difference(compared) -> None:
    study, results, contrasts, _ = compared
    contrast = next(c for c in contrasts if c.family == "random control")
    cell = contrast.plus[0]
    values = {("test", "auroc"): dict(results[cell].values["test", "auroc"])}
    values["test", "auroc"].pop(0)
    less = {**results, cell: replace(results[cell], values=values)}
    found = paired_effect([contrast], less, study.evaluation).difference
    other = results[contrast.minus[0]].values["test", "auroc"]
    own = values["test", "auroc"]
    assert found == pytest.approx(np.mean([own[n] - other[n] for n in own]))


def test_a_cell_differs_from_itself_by_nothing(compared) -> None:
    study, results, contrasts, _ = compared
    same = replace(contrasts[0], minus=contrasts[0].plus)
    effect = paired_effect([same], results, study.evaluation)
    assert (effect.difference, effect.standard_error, effect.p) == (0, 0, 1)


def test_few_positives_stay_out_of_the_correction(tmp_path: Path) -> None:
    study = a_study(evaluation={"draws": 100, "min_positives": 100_000})
    results = evaluate_study(
        study, tmp_path, np.random.default_rng(2), lambda cell: 1.5, clusters=60
    )
    _, rows = compare_study(study, results, {})
    tested = [row for row in rows if row["metric"] == "auroc"]
    assert {row["verdict"] for row in tested} == {"underpowered"}
    assert np.isnan([row["p_holm"] for row in tested]).all()


def test_folders_with_different_draws_are_refused(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    ids, labels, p = clustered_scores(rng, 50, 2, 2)
    for number, embedding in enumerate(("minilm", "one_hot")):
        cell = predictions(a_cell(embedding=embedding), labels, p[0])
        result = evaluate_cells([cell], encounter_ids(cell), ids, Evaluation(draws=100), number)
        result.write(tmp_path / embedding)
    with pytest.raises(StudyError, match="cannot be compared in pairs"):
        read_results([tmp_path / "minilm", tmp_path / "one_hot"])
    with pytest.raises(StudyError, match=r"lacks replicates\.parquet"):
        read_results([tmp_path])


@pytest.mark.parametrize(("cluster_size", "test"), [(1, "DeLong"), (4, "cluster bootstrap")])
def test_type_one_error_of_the_comparison_table(
    cluster_size: int, test: str, tmp_path: Path
) -> None:
    """On null data, families with any false verdict are at most 5 %, within Monte-Carlo error."""
    rng = np.random.default_rng(4)
    studies, wrong = 100, 0
    evaluation = Evaluation(draws=150, min_positives=10, small_cells=10)
    cells = [a_cell(embedding=f"model_{number}") for number in range(3)]
    contrasts = [Contrast("random control", (cell,), (cells[0],)) for cell in cells[1:]]
    for number in range(studies):
        ids, labels, p = clustered_scores(
            rng, 320 // cluster_size, cluster_size, 5, models=len(cells), replicate_sd=0.2
        )
        tested = [predictions(c, labels, scores) for c, scores in zip(cells, p, strict=True)]
        evaluate_cells(tested, encounter_ids(tested[0]), ids, evaluation, number).write(tmp_path)
        rows = comparison_rows(contrasts, read_results([tmp_path]), evaluation, {})
        assert rows[0]["test"] == test
        wrong += any(row["verdict"] in ("better", "worse") for row in rows)
    assert wrong / studies <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / studies)


def test_two_replicates_have_no_verdict_and_intervals_stay_possible(tmp_path: Path) -> None:
    study = a_study(replicates=2, evaluation={"draws": 100})
    results = evaluate_study(
        study, tmp_path, np.random.default_rng(5), lambda cell: 1 + (cell.strategy == "full")
    )
    _, rows = compare_study(study, results, {})
    tested = [r for r in rows if r["metric"] == "auroc" and r["family"] != "shuffled control"]
    assert {row["verdict"] for row in tested} == {"too few replicates"}
    assert np.isnan([row["p"] for row in tested]).all()
    for row in tested:
        most = 2 if row["family"] == "scale x learning rate" else 1
        assert -most <= row["lower"] <= row["upper"] <= most


def test_a_source_model_is_chosen_by_what_its_source_knows(tmp_path: Path) -> None:
    """The target's validation prefers one-hot, the source's minilm: no target label, no say."""
    study = a_study()
    results = evaluate_study(study, tmp_path, np.random.default_rng(6), lambda cell: 1.5)
    for cell, result in results.items():
        if cell.strategy == "direct" and cell.embedding != "none":
            at_source = 0.9 if cell.embedding == "minilm" else 0.7
            at_target = 0.9 if cell.embedding == "one_hot" else 0.7
            numbers = range(study.replicates)
            result.values["source", "auroc"] = dict.fromkeys(numbers, at_source)
            result.values["validation", "auroc"] = dict.fromkeys(numbers, at_target)
            assert seen_before(result) == pytest.approx(at_source)
    contrasts, _ = compare_study(study, results, {})
    met = [c.plus[0] for c in contrasts if c.family == "simple baselines"]
    assert {cell.embedding for cell in met if cell.strategy == "direct"} == {"minilm"}
