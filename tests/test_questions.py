"""The answers say what was built into the scores, and nothing where nothing was."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from evaluation_data import a_study, evaluate_study

from concept_transfer.errors import StudyError
from concept_transfer.evaluation.comparisons import compare_study
from concept_transfer.evaluation.effects import holm
from concept_transfer.evaluation.questions import answer_questions
from concept_transfer.evaluation.selection import choices_by_validation
from concept_transfer.evaluation.sentences import say_semantic
from concept_transfer.grid import Cell
from concept_transfer.study import Study


def answers_of(folder: Path, separation, **changes):
    study = a_study(**changes)
    results = evaluate_study(study, folder, np.random.default_rng(1), separation)
    contrasts, _ = compare_study(study, results)
    answers = answer_questions(study, contrasts, results)
    json.dumps(answers)
    return study, results, {answer["name"]: answer for answer in answers}


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


def test_meaning_is_told_from_width_and_scale(telling, silent) -> None:
    answer = telling[2]["semantic"]
    assert answer["answer"].startswith("Meaning helps, on average, for minilm.")
    assert "minilm beats minilm_shuffled: +0." in answer["answer"]
    row = next(r for r in answer["rows"] if r["family"] == "meaning")
    assert row["comparisons"] == 7
    assert 0 < row["lower"] < row["difference"] < row["upper"]
    quiet = silent[2]["semantic"]["answer"]
    assert quiet.startswith("No embedding beats its own control")


def test_tuning_is_worth_it_from_the_size_that_was_built_in(telling, silent) -> None:
    answer = telling[2]["tuning"]["answer"]
    assert "does worse in 2: full loses to local" in answer
    assert "full is worth it from all target labels on: +0." in answer
    assert "At 50 target labels full loses to direct" in answer
    quiet = silent[2]["tuning"]["answer"]
    assert "in 0 of 6 combinations of strategy and target size, and does worse in 0." in quiet
    assert "full is not shown to be worth it at any size studied" in quiet


def test_simple_models_win_or_lose_or_neither(telling, silent) -> None:
    assert telling[2]["simple"]["answer"].startswith("No. ")
    assert silent[2]["simple"]["answer"].startswith("Neither wins: no evidence")


def test_scale_and_learning_rate_are_reported(telling) -> None:
    answer = telling[2]["rates"]
    assert "minilm_15 loses to minilm" in answer["answer"]
    assert {row["family"] for row in answer["rows"]} == {
        "scale",
        "learning rate",
        "scale x learning rate",
    }


def test_validation_chooses_what_is_best_without_regret(telling) -> None:
    rows = {row["size"]: row for row in telling[2]["choice"]["rows"]}
    assert rows["all"]["chosen"] in ("minilm full from north", "minilm full_slow from north")
    assert rows["50"]["chosen"] in ("minilm direct from north", "minilm local")
    for row in rows.values():
        assert row["regret"] == pytest.approx(0, abs=0.01)
        assert row["lower"] <= row["regret"] <= row["upper"]
        assert row["undecided"] == 0
    assert "regret of" in telling[2]["choice"]["answer"]


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
    _, _, answers = answers_of(
        tmp_path, lambda cell: 1.5, evaluation={"draws": 100, "min_positives": 100_000}
    )
    for answer in answers.values():
        assert answer["answer"].startswith("The study cannot say")


def test_the_opening_follows_the_shuffled_control_not_the_random_one() -> None:
    """Beating random vectors alone is an effect of geometry, not of meaning."""
    study = Study.model_validate(
        {
            "study": "x",
            "vocabulary": "v.tsv",
            "task": {"label": "flu"},
            "sites": {
                name: {"adapter": "simulated", "network": "n.yaml"} for name in ("north", "south")
            },
            "split": {"by": "share"},
            "embeddings": {
                "minilm": {"provider": "transformers", "model": "./m"},
                "minilm_shuffled": {"provider": "shuffled", "of": "minilm"},
                "random": {"provider": "random", "like": "minilm"},
            },
        }
    )
    effect = {"difference": 0.02, "lower": 0.01, "upper": 0.03, "comparisons": 2}
    rows = [
        {"family": "meaning", "a": "minilm", "b": "minilm_shuffled", "verdict": "no evidence"},
        {"family": "meaning", "a": "minilm", "b": "random", "verdict": "better"},
    ]
    answer = say_semantic(study, [{**row, **effect} for row in rows])
    assert answer.startswith("No embedding beats its own control")
    rows[0]["verdict"] = "better"
    answer = say_semantic(study, [{**row, **effect} for row in rows])
    assert answer.startswith("Meaning helps, on average, for minilm.")


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
    answer = answers["claims"]["answer"]
    assert answer.startswith(
        "Stated claims that survive under all conditions tested: 1 of 4; under some: 1; under "
        "none: 2. Survives: “Meaning wins”. Holds only over one-hot: “Tuning wins”. "
        "Does not survive: “One-hot wins”. Is not shown: “One-hot is better than itself”. "
    )
    assert "“Meaning wins”: directly, minilm direct beats one_hot direct: +0." in answer
    assert "“Tuning wins”: over direct, minilm full loses to minilm direct: −0." in answer
    assert "“One-hot wins”: alone, one_hot local loses to minilm local: −0." in answer
    rows = answers["claims"]["rows"]
    sizes = len(study.target_sizes)
    assert [row["comparisons"] for row in rows] == [
        len(study.ordered_pairs()),
        len(study.ordered_pairs()) * sizes,
        len(study.ordered_pairs()) * sizes,
        *[len({target for _, target in study.ordered_pairs()}) * sizes] * 2,
    ]
    p = [row["p"] for row in rows]
    assert [row["p_holm"] for row in rows] == pytest.approx(holm(p).tolist())
    pairs = [c for c in results if c.embedding == "minilm" and c.strategy == "direct"]
    differences = [
        results[c].estimate() - results[replace(c, embedding="one_hot")].estimate() for c in pairs
    ]
    assert rows[0]["difference"] == pytest.approx(np.mean(differences))


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
