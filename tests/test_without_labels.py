"""Models that use no label anywhere: size 0 and no source, in every comparison and figure."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from evaluation_data import a_study, evaluate_study

from concept_transfer.cell import Cell
from concept_transfer.comparison.comparisons import compare_study
from concept_transfer.comparison.contrasts import BEST_LOCAL, study_contrasts
from concept_transfer.comparison.questions import answer_questions
from concept_transfer.comparison.reversal import reversal_warnings
from concept_transfer.grid import Grid
from concept_transfer.learners import LEARNERS
from concept_transfer.reporting.answers import answered
from concept_transfer.reporting.evidence import Evidence
from concept_transfer.reporting.figures.learners import learners
from concept_transfer.reporting.figures.learning import learning_curve
from concept_transfer.reporting.findings import best_models, glance
from concept_transfer.reporting.looks import strategy_looks
from concept_transfer.strategies.strategy import ZERO
from concept_transfer.study import Study

MASK = Cell("", "south", "codes", "mask", "zero", "0")
CEILING = {"estimate": 0.97, "lower": 0.96, "upper": 0.98}


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory):
    """Gradient boosting stands for a learner of encoders; the source's models rank in reverse."""
    record = replace(LEARNERS["gradient_boosting"], takes_encoder="codes", can=frozenset({ZERO}))

    def separation(cell: Cell) -> float:
        return {"zero": 1.7, "direct": -1.0}.get(cell.strategy, 1.2 if cell.size == "50" else 1.9)

    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(LEARNERS._loaded, "gradient_boosting", record)
        study = a_study(
            classifiers={"mask": {"kind": "gradient_boosting"}, "logistic": None},
            encoders={"codes": {"sites": ["north"]}, "more": {"sites": ["north"], "width": 32}},
            strategies=["zero", "direct", "local", "auto"],
        )
        folder = tmp_path_factory.mktemp("metrics")
        results = evaluate_study(study, folder, np.random.default_rng(1), separation)
        contrasts, rows = compare_study(study, results, {})
        answers = answer_questions(study, contrasts, results, rows, {}, {})
        yield study, results, {each["name"]: each for each in json.loads(json.dumps(answers))}


def sides(study: Study, family: str) -> set[tuple[str, str]]:
    """(plus, minus) as 'classifier strategy size' of a family, with the encoder 'codes' or none."""
    cells = dict.fromkeys(Grid(study).cells, 0.5)
    return {
        (" ".join(names(c.plus[0])), " ".join(names(c.minus[0])))
        for c in study_contrasts(study, cells)
        if c.family == family and c.plus[0].embedding in ("codes", "none")
    }


def names(cell: Cell) -> tuple[str, str, str]:
    return cell.classifier, cell.strategy, cell.size


def test_labels_are_measured_against_none_and_transfer_against_target_data(told) -> None:
    study, _, _ = told
    tuning = sides(study, "tuning")
    assert {("mask local 50", "mask zero 0"), ("mask local all", "mask zero 0")} <= tuning
    assert not any("direct" in minus for plus, minus in tuning if "local" in plus)
    alone = sides(study, "target data only")
    assert ("mask direct 0", "mask local 50") in alone
    assert not any("zero" in side for pair in alone for side in pair)
    best = sides(study, BEST_LOCAL)
    assert {minus.split()[1] for _, minus in best} == {"local"}
    assert {minus.split()[2] for plus, minus in best if plus == "mask zero 0"} == {"50", "all"}


def test_words_keep_transfer_and_the_untaught_apart(told) -> None:
    study, _, answers = told
    (tuning,) = answered(study, [answers["tuning"]])
    said = " ".join(tuning.sentences)
    assert "validation would choose, transfer wins in 0 of 8 " in said
    assert "validation would choose, what uses no label anywhere wins in 2 of 4 " in said
    assert "local beats zero from all target labels on with codes and more: +0." in said


def test_reversed_sources_are_warned_of_whatever_the_untaught_say(told) -> None:
    _, results, _ = told
    (warning,) = reversal_warnings(results)
    assert "from north)" in warning


def test_advice_and_choice_use_what_is_known_of_them(told) -> None:
    study, results, answers = told
    assert {row["strategy"] for row in answers["advice"]["rows"]} == {"auto"}
    fifty = next(row for row in answers["choice"]["rows"] if row["size"] == "50")
    assert fifty["chosen"]["strategy"] == "zero"
    assert fifty["chosen"]["source"] == ""
    won = {(row["size"], row["strategy"]): row["probability"] for row in answers["winners"]["rows"]}
    assert won["50", "zero"] == 1
    assert won["all", "zero"] == 0
    (choice,) = answered(study, [answers["choice"]])
    assert "zero" in choice.short
    assert "from " not in choice.rows[0]["chosen"]
    assert results[MASK].headline


def test_each_learner_has_its_model_of_every_size(told) -> None:
    study, results, answers = told
    rows = answers["learners"]["rows"]
    found = [(row["size"], row["classifier"], row["strategy"]) for row in rows]
    assert found == [
        ("0", "mask", "zero"),
        ("0", "logistic", "direct"),
        ("0", "all_models", "auto"),
        *(
            (size, classifier, strategy)
            for size in ("50", "all")
            for classifier, strategy in (
                ("mask", "local"),
                ("logistic", "local"),
                ("all_models", "auto"),
            )
        ),
    ]  # nothing is known at their source of the two that mask hands on, so none is chosen
    assert rows[0]["embedding"] == "codes"  # the first of the config, because none was seen
    assert rows[0]["auroc"] == results[MASK].estimate()
    assert rows[3]["chosen_of"] == 2
    seen = {
        cell.embedding: results[cell].mean("validation")
        for cell in results
        if (cell.classifier, cell.strategy, cell.size) == ("mask", "local", "50")
    }
    assert rows[3]["embedding"] == max(seen, key=lambda name: seen[name])
    (answer,) = answered(study, [answers["learners"]])
    assert "no target labels: " in answer.sentences[0]
    assert "(codes zero) 0." in answer.sentences[0]


def test_the_best_model_without_any_label_is_none_of_the_targets_own(told) -> None:
    study, results, answers = told
    shown = Evidence(study, tidy(results), pd.DataFrame(columns=["metric"]), list(answers.values()))
    (row,) = glance(shown).raw.to_dict("records")
    own = [r.estimate() for c, r in results.items() if c.strategy == "local"]
    assert row["best_target_only"] == max(own)
    assert row["best_without_labels"] == max(
        r.estimate() for c, r in results.items() if c.strategy == "zero"
    )
    assert "the best model without any label 0." in " ".join(best_models(shown))


def tidy(results: Any) -> pd.DataFrame:
    frame = pd.DataFrame([r.estimates["auroc"] for r in results.values()])
    return frame.assign(flag=frame["flag"].fillna(""))


def test_the_untaught_are_a_level_line_and_a_point_at_no_labels(told) -> None:
    study, results, answers = told
    curve = learning_curve(tidy(results), study, "north", "south", CEILING)
    panel = next(a for a in curve.figure.axes if a.get_title(loc="left").startswith("codes"))
    level = [line for line in panel.lines if line.get_color() == colour(study, "zero")]
    assert [set(line.get_ydata()) for line in level] == [{results[MASK].estimate()}]
    assert level[0].is_dashed()
    assert 0.97 in [line.get_ydata()[0] for line in panel.lines]
    assert "0.970 [0.960, 0.980]" in curve.caption.text
    rows = answers["learners"]["rows"]
    drawing = learners(rows, study, "north", "south", CEILING)
    assert drawing is not None
    axis = drawing.figure.axes[0]
    drawn = {
        tuple(np.round(line.get_ydata(), 9))
        for line in axis.lines
        if len(set(line.get_ydata())) == len(line.get_ydata())
    }
    expected: dict[tuple[str, bool], list[float]] = {}
    for row in rows:
        key = (row["classifier"], row["strategy"] == "zero")
        expected.setdefault(key, []).append(round(row["auroc"], 9))
    assert set(map(tuple, expected.values())) <= drawn
    labels = [text.get_text() for text in drawing.figure.legends[0].get_texts()]
    assert any(text.endswith(", zero") for text in labels)
    assert "local" in {text.get_text().split("\n")[-1] for text in axis.texts}
    assert 0.97 in [line.get_ydata()[0] for line in axis.lines]
    assert learners(rows[:1], study, "north", "south") is None


def colour(study: Study, strategy: str) -> str:
    return strategy_looks(study)[strategy].colour
