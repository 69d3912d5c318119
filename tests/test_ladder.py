"""The ladder: every rung meets the one before and the first, and the figure shows what is told."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from evaluation_data import a_study, evaluate_study
from matplotlib.collections import PathCollection

from concept_transfer.cell import Cell
from concept_transfer.comparison.comparisons import compare_study
from concept_transfer.comparison.contrasts import LADDER, study_contrasts
from concept_transfer.comparison.effects import holm
from concept_transfer.comparison.questions import answer_questions
from concept_transfer.errors import StudyError
from concept_transfer.grid import Grid
from concept_transfer.learners import LEARNERS
from concept_transfer.reporting.answers import answered
from concept_transfer.reporting.figures.ladder import ladder
from concept_transfer.reporting.methods import methods_text
from concept_transfer.reporting.sides import labelled
from concept_transfer.strategies.strategy import ZERO

RUNGS = ["one_hot", "minilm", "minilm_15"]


def climbed(folder: Path, separation, **changes: Any):
    study = a_study(ladder=RUNGS, meaning={"strategies": []}, **changes)
    results = evaluate_study(study, folder, np.random.default_rng(1), separation)
    contrasts, rows = compare_study(study, results, {})
    lengths = dict.fromkeys(study.embeddings, 1.0)
    answers = answer_questions(study, contrasts, results, rows, {}, lengths)
    answer = next(each for each in answers if each["name"] == "ladder")
    return study, results, rows, json.loads(json.dumps(answer))


@pytest.fixture(scope="module")
def climb(tmp_path_factory: pytest.TempPathFactory):
    """The second rung gains, the third is the second again."""

    def separation(cell: Cell) -> float:
        return 1.2 + 0.7 * (cell.embedding in ("minilm", "minilm_15"))

    return climbed(tmp_path_factory.mktemp("climb"), separation)


def test_every_rung_meets_the_one_before_and_the_first(climb) -> None:
    _, results, rows, _ = climb
    own = [row for row in rows if row["family"] == LADDER and row["metric"] == "auroc"]
    met = {(row["a"][0]["embedding"], row["b"][0]["embedding"]) for row in own}
    assert met == {("minilm", "one_hot"), ("minilm_15", "minilm"), ("minilm_15", "one_hot")}
    assert len(own) == 3 * 7  # direct, and three strategies at two sizes
    for row in own:
        a, b = Cell(**row["a"][0]), Cell(**row["b"][0])
        assert replace(a, embedding=b.embedding) == b
        gained = results[a].estimate() - results[b].estimate()
        assert row["difference"] == pytest.approx(gained, abs=1e-12)
    p = [row["p"] for row in own]
    assert [row["p_holm"] for row in own] == pytest.approx(holm(p).tolist())
    assert {r["verdict"] for r in own if r["b"][0]["embedding"] == "one_hot"} == {"better"}


def test_the_answer_counts_steps_and_names_those_that_are_shown(climb) -> None:
    study, _, _, answer = climb
    (told,) = answered(study, [answer])
    assert told.sentences[0].startswith("Single steps: 7 of 14 comparisons at one strategy and")
    assert told.sentences[1].startswith("The whole way from one_hot to minilm_15: 7 of 7 ")
    assert len(told.sentences) == 2 + 7
    assert "full with 50 target labels: minilm beats one_hot: +0." in " ".join(told.sentences)


def test_steps_of_opposite_directions_and_of_sizes_are_not_averaged(tmp_path: Path) -> None:
    def separation(cell: Cell) -> float:
        gain = 1.4 if cell.target == "south" else -0.2
        return 1.2 + gain * (cell.embedding == "minilm")

    study, _, _, answer = climbed(tmp_path, separation, pairs="all", strategies=["local"])
    first = [row for row in answer["rows"] if row["a"] == {"embedding": "minilm"}]
    assert [row["size"] for row in first] == ["50", "all"]
    assert {row["verdict"] for row in first} == {"mixed"}
    (told,) = answered(study, [answer])
    assert "Single steps: 0 of 4 " in told.short
    assert "differ in sign between directions" in told.short


def points(axis) -> list[tuple[float, bool]]:
    """Height of every marker, and whether it is filled."""
    drawn = [c for c in axis.collections if isinstance(c, PathCollection)]
    return sorted(
        (round(float(y), 9), bool((face[:3] != 1).any()))
        for c in drawn
        for (_, y), face in zip(c.get_offsets(), c.get_facecolor(), strict=True)
    )


def test_the_figure_draws_rungs_and_steps_and_fills_what_holm_calls(climb) -> None:
    study, results, rows, _ = climb
    estimates = pd.DataFrame([r.estimates["auroc"] for r in results.values()])
    ceiling = {"estimate": 0.97, "lower": 0.96, "upper": 0.98}
    where = ("cnn", "north", "south")
    drawing = ladder(estimates, labelled(pd.DataFrame(rows)), study, *where, ceiling)
    assert drawing is not None
    axes = drawing.figure.axes
    assert [axis.get_title(loc="left") for axis in axes[::2]] == [
        *("no labels", "50 labels", "all labels")
    ]
    below = dict(zip(RUNGS[1:], RUNGS, strict=False))
    steps = [
        row
        for row in rows
        if (row["family"], row["metric"]) == (LADDER, "auroc")
        and row["b"][0]["embedding"] == below[row["a"][0]["embedding"]]
    ]
    for size, upper, lower in zip(("0", "50", "all"), axes[::2], axes[1::2], strict=True):
        own = [r.estimate() for c, r in results.items() if c.size == size and c.embedding in RUNGS]
        assert [y for y, _ in points(upper)] == sorted(round(value, 9) for value in own)
        assert points(lower) == sorted(
            (round(row["difference"], 9), row["verdict"] in ("better", "worse"))
            for row in steps
            if row["size"] == size
        )
        assert 0.97 in [line.get_ydata()[0] for line in upper.lines]
    assert "0.970 [0.960, 0.980]" in drawing.caption.text
    assert "of 14 steps 7 are shown to gain and 0 to lose" in drawing.caption.alt


@pytest.mark.parametrize("count", [2, 5, 10])
def test_ladders_of_any_height_are_drawn_without_clipping(count: int) -> None:
    rungs = [f"rung_{'long_' * (i % 3)}{i}" for i in range(count)]
    study = a_study(
        embeddings={
            name: {"provider": "one_hot", "scale": {"norm": 1 + i}} for i, name in enumerate(rungs)
        },
        ladder=rungs,
        target_sizes=[10, 50, 100, "all"],
    )
    cells = list(Grid(study).cells)
    numbers = {"metric": "auroc", "estimate": 0.7, "lower": 0.65, "upper": 0.75, "flag": ""}
    estimates = pd.DataFrame([{**cell.as_dict(), **numbers} for cell in cells])
    effect = {"difference": 0.01, "lower": -0.02, "upper": 0.03, "verdict": "no evidence"}
    effect |= {"metric": "auroc", "lower_holm": np.nan, "upper_holm": np.nan}
    rows = [
        {
            **c.plus[0].as_dict(),
            "family": LADDER,
            "a": [c.plus[0].as_dict()],
            "b": [c.minus[0].as_dict()],
            **effect,
        }
        for c in study_contrasts(study, dict.fromkeys(cells, 0.5))
        if c.family == LADDER
    ]
    drawing = ladder(estimates, labelled(pd.DataFrame(rows)), study, "cnn", "north", "south")
    assert drawing is not None
    figure = drawing.figure
    figure.draw_without_rendering()
    box, (width, height) = figure.get_tightbbox(), figure.get_size_inches()
    assert box.x0 >= 0
    assert box.y0 >= 0
    assert box.x1 <= width
    assert box.y1 <= height
    gone = estimates.assign(estimate=np.nan)
    assert ladder(gone, labelled(pd.DataFrame(rows)), study, "cnn", "north", "south") is None


@pytest.mark.parametrize(
    ("rungs", "changes", "message"),
    [
        (["one_hot"], {}, "'one_hot' is the only rung; a ladder has two at least"),
        (["one_hot", "minilm", "one_hot"], {}, "ladder.*'one_hot' is there twice"),
        (["one_hot", "biobert"], {}, "ladder names 'biobert'; classifiers of the study are"),
        (
            ["one_hot", "minilm"],
            {"classifiers": ["logistic"], "strategies": ["local", "direct"]},
            "ladder names 'one_hot'; classifiers of the study are trained with no embedding",
        ),
    ],
)
def test_a_ladder_that_nobody_can_climb_is_refused(rungs, changes, message) -> None:
    with pytest.raises(StudyError, match=message):
        a_study(ladder=rungs, **changes)


@pytest.fixture
def reads_histories(monkeypatch: pytest.MonkeyPatch) -> None:
    """Gradient boosting stands for a learner of encoders that can predict without any label."""
    record = replace(LEARNERS["gradient_boosting"], takes_encoder="codes", can=frozenset({ZERO}))
    monkeypatch.setitem(LEARNERS._loaded, "gradient_boosting", record)


@pytest.mark.usefixtures("reads_histories")
def test_encoders_are_rungs_for_those_who_take_them() -> None:
    encoders = {"codes": {"sites": ["north"], "age": False}, "age": {"sites": ["north"]}}
    study = a_study(
        classifiers=["cnn", "gradient_boosting"], encoders=encoders, ladder=["codes", "age"]
    )
    cells = dict.fromkeys(Grid(study).cells, 0.5)
    met = [c for c in study_contrasts(study, cells) if c.family == LADDER]
    assert {c.plus[0].classifier for c in met} == {"gradient_boosting"}
    assert {(c.plus[0].embedding, c.minus[0].embedding) for c in met} == {("age", "codes")}
    with pytest.raises(StudyError, match="is trained with all of age, minilm; a ladder"):
        a_study(
            classifiers=["cnn", "gradient_boosting"], encoders=encoders, ladder=["minilm", "age"]
        )


def test_the_methods_name_steps_and_margins() -> None:
    side = {"embedding": "minilm", "strategy": "local"}
    test = {"under": "here", "better": side, "than": {**side, "embedding": "one_hot"}}
    claims = [{"text": "So it is", "tests": [{**test, "margin": 0.02}]}]
    said = dict(methods_text(a_study(ladder=RUNGS, claims=claims), {}, {}))
    told = said["Evaluation and statistics"]
    assert "Each of minilm and minilm_15 was compared with the one before it and with one" in told
    assert "placed the difference above minus 0.02, as" in told
    plain = dict(methods_text(a_study(), {}, {}))["Evaluation and statistics"]
    assert "no worse" not in plain
    assert "one before" not in plain
