"""The answers say what was built into the scores, and nothing where nothing was."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from evaluation_data import a_study, evaluate_study

from concept_transfer.cell import Cell
from concept_transfer.comparison.comparisons import compare_study
from concept_transfer.comparison.effects import holm
from concept_transfer.comparison.meaning import NOT_OVER
from concept_transfer.comparison.permutations import max_t
from concept_transfer.comparison.questions import answer_questions
from concept_transfer.comparison.reversal import reversal_warnings
from concept_transfer.comparison.selection import choices_by_validation
from concept_transfer.errors import StudyError
from concept_transfer.grid import Grid
from concept_transfer.reporting.answers import answered
from concept_transfer.reporting.figures.winners import winners
from concept_transfer.study import Study

SHUFFLED = np.linspace(0.80, 0.87, 99)  # AUROC under permuted concepts; 1.5 reaches .856


def answers_of(folder: Path, separation, **changes):
    study = a_study(**changes)
    results = evaluate_study(study, folder, np.random.default_rng(1), separation)
    shuffled = max_t(
        {
            cell: np.array([results[cell].estimate(), *SHUFFLED])
            for cell in Grid(study).shuffled_cells
            if results[cell].headline
        }
    )
    contrasts, rows = compare_study(study, results, shuffled)
    lengths = dict.fromkeys(study.embeddings, 1.0) | {"one_hot_15": 15.0, "minilm_15": 15.0}
    answers = json.loads(
        json.dumps(answer_questions(study, contrasts, results, rows, shuffled, lengths))
    )
    return study, results, {answer["name"]: answer for answer in answers}


def words(study: Study, answer: dict[str, Any]) -> str:
    """The whole answer as readers see it, its percent signs not held to their numbers."""
    (told,) = answered(study, [answer])
    return " ".join(told.sentences).replace("\u00a0", " ")


@pytest.fixture(scope="module")
def telling(tmp_path_factory: pytest.TempPathFactory):
    """Meaning helps minilm; tuning helps with all labels, hurts with 50; logistic loses."""

    def separation(cell: Cell) -> float:
        tuned = {"50": -0.6, "all": 0.6}.get(cell.size, 0) if "full" in cell.strategy else 0
        simple = -0.7 if cell.embedding == "none" else 0
        return 1.5 + 0.5 * (cell.embedding == "minilm") + tuned + simple

    return answers_of(tmp_path_factory.mktemp("telling"), separation)


@pytest.fixture(scope="module")
def silent(tmp_path_factory: pytest.TempPathFactory):
    """All cells are equally good."""
    return answers_of(tmp_path_factory.mktemp("silent"), lambda cell: 1.5)


def test_meaning_is_claimed_where_all_three_rivals_are_beaten(telling, silent) -> None:
    answer = telling[2]["semantic"]
    said = words(telling[0], answer)
    assert said.startswith("Yes, in 2 of 2 tested cases: minilm direct, north → south;")
    assert "(p 0.01); over minilm_random +0." in said
    assert all(row["shown"] and row["p_max_t"] == 0.01 for row in answer["rows"])
    quiet = silent[2]["semantic"]
    assert words(silent[0], quiet).startswith("Not shown in any of 2 tested cases.")
    assert [NOT_OVER, "minilm_random"] in quiet["rows"][0]["missing"]
    (told,) = answered(silent[0], [quiet])
    assert "not shown over minilm_random" in told.rows[0]["missing"]


def test_permuted_vectors_alone_carry_no_claim(tmp_path: Path) -> None:
    """Beating one's own shuffled vectors is not enough where one-hot does as well."""

    def separation(cell: Cell) -> float:
        return 2.0 if cell.embedding in ("minilm", "one_hot") else 1.5

    study, _, answers = answers_of(tmp_path, separation)
    row = answers["semantic"]["rows"][0]
    assert row["p_max_t"] == 0.01
    assert row["random_verdict"] == "better"
    assert row["missing"] == [[NOT_OVER, "one_hot"]]
    assert words(study, answers["semantic"]).startswith("Not shown in any")


def test_few_shuffles_allow_few_words(telling) -> None:
    study, _, answers = telling
    rows = [{**row, "shuffles": 5} for row in answers["semantic"]["rows"]]
    said = words(study, {"name": "semantic", "rows": rows})
    assert said.startswith(
        "This study cannot show it: with 5 shuffles no p value can be below 0.17"
    )


def test_tuning_is_worth_it_from_the_size_that_was_built_in(telling, silent) -> None:
    answer = words(telling[0], telling[2]["tuning"])
    assert answer.startswith("Against the target-only model that validation would choose, transfer")
    assert "full beats direct from all target labels on with minilm, " in answer
    assert "At 50 target labels full loses to direct: −0." in answer
    quiet = words(silent[0], silent[2]["tuning"])
    assert "transfer wins in 0 of 26 combinations" in quiet
    assert "full is not shown to beat direct at any size studied" in quiet


def test_opposite_directions_are_not_averaged(tmp_path: Path) -> None:
    """Tuning gains much in one direction and loses in the other: the mean speaks for neither."""

    def separation(cell: Cell) -> float:
        gain = 1.4 if cell.target == "south" else -0.2
        return 1.5 + gain * (cell.strategy == "full")

    study, _, answers = answers_of(tmp_path, separation, pairs="all")
    sides = ({"strategy": "full"}, {"strategy": "direct"})
    rows = [
        row
        for row in answers["tuning"]["rows"]
        if (row["a"], row["b"]) == sides and row["both"]["classifier"] != "logistic"
    ]
    assert rows
    for row in rows:
        assert row["lower_holm"] > 0
        assert row["verdict"] == "mixed"
        assert row["lowest"] < 0 < row["highest"]
        assert row["lowest_at"] == {"source": "south", "target": "north"}
    assert "full is not shown to beat direct" in words(study, answers["tuning"])


def test_simple_models_win_or_lose_or_neither(telling, silent) -> None:
    said, quiet = (words(study, answers["simple"]) for study, _, answers in (telling, silent))
    assert said.startswith("No simple model is shown to win in 3 combinations")
    assert quiet.startswith("Neither is shown to win in 3 combinations")


def test_scale_and_learning_rate_are_reported(telling) -> None:
    answer = telling[2]["rates"]
    assert "minilm_15 loses to minilm" in words(telling[0], answer)
    assert {row["family"] for row in answer["rows"]} == {
        "scale",
        "learning rate",
        "scale x learning rate",
    }


def test_it_is_said_where_training_brings_vectors_to_a_norm_of_its_own(telling) -> None:
    answer = telling[2]["rates"]

    def said(**changes: Any) -> str:
        return words(a_study(**changes), answer)

    assert "brought to a mean norm of 5 (training.norm)" in said()
    assert "a mean norm of 2 or 10 (" in said(training={"norm": [2, 10]})
    assert "training.norm" not in said(training={"protocol": "gao2024"})
    linear = ["embedding_logistic", "logistic"]
    assert "training.norm" not in said(classifiers=linear, strategies=["local", "direct"])


def test_validation_chooses_what_is_best_without_regret(telling) -> None:
    (told,) = answered(telling[0], [telling[2]["choice"]])
    rows = {row["size"]: row for row in told.rows}
    assert rows["all"]["chosen"] in ("minilm full from north", "minilm full_slow from north")
    assert rows["50"]["chosen"] in ("minilm direct from north", "minilm local")
    for row in rows.values():
        assert row["regret"] <= row["regret_naive"] + 1e-9
        assert row["regret"] == pytest.approx(0, abs=0.01)
        assert row["lower"] <= row["regret"] <= row["upper"]
        assert row["undecided"] == 0
    assert "cost between" in told.short


def test_cells_that_tie_share_the_choice(tmp_path: Path) -> None:
    study, results, _ = answers_of(tmp_path, lambda cell: 1.0 + (cell.embedding == "minilm"))
    for result in results.values():
        result.seen[:] = 0.7
    for row in choices_by_validation(study, results, study.evaluation):
        assert row["chosen_by"] == pytest.approx(row["choices"] / row["candidates"])
        own = [
            r.estimate()
            for c, r in results.items()
            if c.size in (row["size"], "0") and "shuffled" not in c.embedding
            if "random" not in c.embedding
        ]
        assert row["auroc_of_choices"] == pytest.approx(np.mean(own))
        assert row["regret"] <= row["regret_naive"]


def test_regret_is_what_a_misleading_validation_costs(tmp_path: Path) -> None:
    """Validation that prefers the worst model loses the whole distance to the best."""

    def separation(cell: Cell) -> float:
        return {"minilm": 2.2, "one_hot": 1.0}.get(cell.embedding, 1.5)

    study, results, _ = answers_of(tmp_path, separation)
    for cell, result in results.items():
        result.seen[:] = float(cell.embedding == "one_hot")
    row = choices_by_validation(study, results, study.evaluation)[0]
    best = max(r.estimate() for r in results.values())
    worst = np.mean([r.estimate() for c, r in results.items() if c.embedding == "one_hot"])
    assert row["regret"] == pytest.approx(best - worst, abs=0.02)
    assert row["lower"] > 0


def test_hindsight_among_equals_is_not_taken_for_regret(silent) -> None:
    """The best of many equal cells looks better than it is; cross-fitting does not fall for it."""
    _, results, answers = silent
    for row in answers["choice"]["rows"]:
        apparent = row["auroc_in_hindsight"] - row["auroc_of_choices"]
        assert row["regret"] < max(apparent, 0.002)
        assert row["lower"] <= 0 <= row["upper"]
    assert results


def test_few_positives_answer_nothing(tmp_path: Path) -> None:
    study, _, answers = answers_of(
        tmp_path, lambda cell: 1.5, evaluation={"draws": 100, "min_positives": 100_000}
    )
    for answer in answers.values():
        assert words(study, answer).startswith("The study cannot say")


def test_with_folds_each_fold_chooses_by_its_own_validation(tmp_path: Path) -> None:
    """Fold 0's validation prefers one-hot, which is the best; fold 1's a rival that loses 0.1."""
    study, results, _ = answers_of(tmp_path, lambda cell: 1.5)
    tested = {"one_hot": (0.9, 0.9), "minilm": (0.7, 0.8)}
    seen = {"one_hot": (0.9, 0.6), "minilm": (0.7, 0.7)}
    folded = {}
    for cell, result in results.items():
        first, second = tested.get(cell.embedding, (0.5, 0.5))
        count = len(result.numbers)
        folded[cell] = replace(
            result,
            parts=np.array([[(first, second), (second, first)]] * count),
            seen=np.array([[seen.get(cell.embedding, (0.5, 0.5))] * len(result.sizes)] * count),
        )
    for row in choices_by_validation(study, folded, study.evaluation):
        assert row["choices"] == 2 * count
        assert row["regret"] == pytest.approx(0.05, abs=1e-12)


def a_claim(text: str, *tests: tuple[str, str, str]) -> dict:
    """Tests are (under, better, than); a side is ``embedding strategy``."""

    def side(words: str) -> dict[str, str]:
        return dict(zip(("embedding", "strategy"), words.split(), strict=True))

    return {
        "text": text,
        "tests": [{"under": u, "better": side(a), "than": side(b)} for u, a, b in tests],
    }


def test_claims_survive_in_whole_in_part_or_not(tmp_path: Path) -> None:
    def separation(cell: Cell) -> float:
        return 1.5 + 0.6 * (cell.embedding == "minilm") - 0.6 * (cell.strategy == "full")

    claims = [
        a_claim("Meaning wins.", ("directly", "minilm direct", "one_hot direct")),
        a_claim(
            "Tuning wins",
            ("over direct", "minilm full", "minilm direct"),
            ("over one-hot", "minilm full", "one_hot full"),
        ),
        a_claim("One-hot wins", ("alone", "one_hot local", "minilm local")),
        a_claim("One-hot is better than itself", ("alone", "one_hot local", "one_hot local")),
    ]
    study, results, answers = answers_of(tmp_path, separation, claims=claims)
    answer = words(study, answers["claims"])
    assert answer.startswith(
        "Stated claims that survive under all conditions tested: 1 of 4; under some: 1; under "
        "none: 2. Survives: “Meaning wins”. Holds only over one-hot: “Tuning wins”. "
        "Does not survive: “One-hot wins”. Is not shown: “One-hot is better than itself”. "
    )
    where = "(north → south, no target labels), "
    assert f"“Meaning wins”: directly {where}minilm direct beats one_hot direct: +0." in answer
    where = "(north → south, 50 target labels), "
    assert f"“Tuning wins”: over direct {where}minilm full loses to minilm direct: −0." in answer
    where = "(south, 50 target labels), "
    assert f"“One-hot wins”: alone {where}one_hot local loses to minilm local: −0." in answer
    rows = answers["claims"]["rows"]
    sizes = ["50", "all"]
    assert [row["size"] for row in rows] == ["0", *sizes, *sizes, *sizes, *sizes]
    p = [row["p"] for row in rows]
    assert [row["p_holm"] for row in rows] == pytest.approx(holm(p).tolist())
    direct = {c.embedding: r.estimate() for c, r in results.items() if c.strategy == "direct"}
    assert rows[0]["difference"] == pytest.approx(direct["minilm"] - direct["one_hot"])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"better": {"embedding": "mini", "strategy": "direct"}}, "the embedding 'mini'; defined"),
        ({"than": {"embedding": "minilm", "strategy": "tune"}}, "the strategy 'tune'; defined are"),
        ({"source": "east"}, "the source 'east'; defined are"),
    ],
)
def test_a_claim_about_something_undefined_is_refused(changes: dict, message: str) -> None:
    claim = a_claim("Meaning wins", ("directly", "minilm direct", "one_hot direct"))
    claim["tests"][0] |= changes
    with pytest.raises(StudyError, match=message):
        a_study(claims=[claim])


def test_a_site_whose_outcome_is_coded_in_reverse_is_named(tmp_path: Path) -> None:
    def separation(cell: Cell) -> float:
        return -1.5 if cell.strategy == "direct" and cell.target == "south" else 1.5

    _, results, _ = answers_of(tmp_path, separation, pairs="all")
    (warning,) = reversal_warnings(results)
    assert warning.startswith("Every source model ranks the encounters of south the wrong way")
    one = next(c for c in results if c.strategy == "direct" and c.target == "south")
    better = dict(results[one].estimates)
    better["auroc"] = {**better["auroc"], "upper": 0.51}
    assert reversal_warnings({**results, one: replace(results[one], estimates=better)}) == []


def test_advice_is_what_validation_chooses_and_what_it_gains(telling) -> None:
    study, results, answers = telling
    rows = {row["size"]: row for row in answers["advice"]["rows"]}
    assert set(rows) == {"50", "all"}  # nothing is known of the models at their source
    tuned = rows["all"]
    assert (tuned["embedding"], tuned["strategy"][:4]) == ("minilm", "full")
    cell = Cell("north", "south", "minilm", "cnn", tuned["strategy"], "all")
    assert tuned["auroc"] == results[cell].estimate()
    assert tuned["auroc_lower"] < tuned["auroc"] < tuned["auroc_upper"]
    best = max(
        result.estimate()
        for c, result in results.items()
        if (c.target, c.strategy, c.size) == ("south", "local", "all")
    )
    assert tuned["gain"] == pytest.approx(tuned["auroc"] - best, abs=0.02)
    assert tuned["gain"] > tuned["gain_lower"] > 0
    assert tuned["harm"] < 0.025
    assert tuned["caught_up"] == ""
    said = words(study, answers["advice"])
    assert "north → south with all target labels: use minilm full" in said
    assert "as good with none of the study's target sizes" in said


def test_advice_says_how_likely_harm_is(tmp_path: Path) -> None:
    """A combination that is worse than the target's own models is advised, with its risk."""

    def separation(cell: Cell) -> float:
        return {"auto": 0.5, "local": 2.0}.get(cell.strategy, 1.0)

    strategies = ["local", "direct", "full", "auto"]
    study, _, answers = answers_of(tmp_path, separation, strategies=strategies, claims=[])
    for row in answers["advice"]["rows"]:
        assert row["strategy"] == "auto"
        if row["size"] != "0":
            assert row["gain"] < row["gain_upper"] < 0
            assert row["harm"] > 0.975
        else:
            assert math.isnan(row["gain"])
        assert row["caught_up"] == "50"
    assert {row["size"] for row in answers["advice"]["rows"]} == {"0", "50", "all"}
    assert "probability of harm 1" in words(study, answers["advice"])


def test_winners_are_the_share_of_draws_in_which_a_strategy_is_the_best(telling, silent) -> None:
    study, results, answers = telling
    assert {row["size"] for row in answers["winners"]["rows"]} == {"50", "all"}  # 0: direct alone
    for size in ("50", "all"):
        rows = [row for row in answers["winners"]["rows"] if row["size"] == size]
        cells = [
            cell
            for cell in results
            if cell.target == "south"
            and cell.source in ("", "north")
            and cell.size in ("0", size)
            and "shuffled" not in cell.embedding
            and "random" not in cell.embedding
        ]
        won: dict[str, float] = {}
        draws = len(results[cells[0]].draws["auroc"])
        for draw in range(draws):
            best = max(cells, key=lambda cell: results[cell].draws["auroc"][draw])
            won[best.strategy] = won.get(best.strategy, 0) + 1 / draws
        found = {row["strategy"]: row["probability"] for row in rows}
        assert {name: p for name, p in found.items() if p} == pytest.approx(won)
        assert list(found.values()) == sorted(found.values(), reverse=True)
        for row in rows:
            own = [c for c in cells if c.strategy == row["strategy"]]
            assert row["auroc"] == max(results[c].estimate() for c in own)
    said = words(study, answers["winners"])
    assert "direct (" in said.split(" with 50 target labels")[0]
    assert "full" in said.split(" with 50 target labels")[1]
    unsure = words(silent[0], silent[2]["winners"])
    assert "perhaps " in unsure


def test_the_figure_of_winners_draws_their_probabilities(telling) -> None:
    study, _, answers = telling
    rows = answers["winners"]["rows"]
    pairs = study.ordered_pairs()
    shift = pd.DataFrame(
        {"source": a, "target": b, "measure": "js_sum", "estimate": 6.0 + i}
        for i, (a, b) in enumerate(pairs)
    )
    drawing = winners(rows, shift, study)
    (axes,) = drawing.figure.axes
    widths = sorted(patch.get_width() for patch in axes.patches)
    shown = sorted(row["probability"] for row in rows if row["probability"] > 0)
    np.testing.assert_allclose(np.array(widths) / max(widths), np.array(shown) / max(shown))
    labels = [label.get_text() for label in axes.get_yticklabels()]
    shifts = [f"shift {6 + i} bits" for i in reversed(range(len(pairs)))]
    assert [label.split("\n")[1] for label in labels] == shifts
    assert winners(rows, None, study).data["shift"].isna().all()
