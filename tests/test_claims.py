"""Claims about any model of the study, at the sizes and with the margin that they name."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from evaluation_data import a_study
from scipy.stats import t as student
from test_questions import answers_of, words

from concept_transfer.cell import Cell
from concept_transfer.comparison.effects import holm
from concept_transfer.errors import StudyError
from concept_transfer.learners import LEARNERS
from concept_transfer.strategies.strategy import ZERO

LOGISTIC = {"classifier": "logistic", "strategy": "local"}
MINILM = {"embedding": "minilm", "strategy": "local"}


def a_claim(text: str, better: dict[str, str], than: dict[str, str], **more: Any) -> dict[str, Any]:
    return {"text": text, "tests": [{"under": "here", "better": better, "than": than, **more}]}


def test_models_without_an_embedding_and_combinations_are_claimed(tmp_path: Path) -> None:
    def separation(cell: Cell) -> float:
        return {"auto": 2.4}.get(cell.strategy, 1.8 if cell.embedding == "none" else 1.2)

    full = {"classifier": "cnn", "embedding": "minilm", "strategy": "full"}
    claims = [
        a_claim("Simple models win.", LOGISTIC, MINILM, target_sizes=[50]),
        a_claim("All together win.", {"strategy": "auto"}, LOGISTIC),
        a_claim("Tuning wins.", full, LOGISTIC, target_sizes=["all"]),
    ]
    strategies = ["local", "direct", "full", "auto"]
    study, results, answers = answers_of(tmp_path, separation, claims=claims, strategies=strategies)
    rows = answers["claims"]["rows"]
    assert [row["size"] for row in rows] == ["50", "50", "all", "all"]
    assert [row["verdict"] for row in rows] == ["better", "better", "better", "worse"]
    assert [row["source"] for row in rows] == ["", "north", "north", "north"]
    combined = Cell("north", "south", "none", "all_models", "auto", "50")
    alone = Cell("", "south", "none", "logistic", "local", "50")
    gain = results[combined].estimate() - results[alone].estimate()
    assert rows[1]["difference"] == pytest.approx(gain)
    said = words(study, answers["claims"])
    assert "logistic local beats minilm local: +0." in said
    assert "auto beats logistic local: +0." in said
    assert "cnn minilm full loses to logistic local: −0." in said
    assert "Survives: “Simple models win”. Survives: “All together win”. Does not" in said


def test_a_margin_moves_the_point_that_is_tested(tmp_path: Path) -> None:
    """Equal models are no worse by a wide margin, not shown to be by a narrow one, and models
    that lose more than the margin are worse."""

    def separation(cell: Cell) -> float:
        return 0.9 if cell.strategy == "full" else 1.5

    full = {"embedding": "minilm", "strategy": "full"}
    one_hot = {"embedding": "one_hot", "strategy": "local"}
    claims = [
        a_claim("Equal, widely.", MINILM, one_hot, margin=0.1, target_sizes=["all"]),
        a_claim("Equal, narrowly.", MINILM, one_hot, margin=0.0001, target_sizes=["all"]),
        a_claim("Far worse.", full, MINILM, margin=0.02, target_sizes=["all"]),
        a_claim("Better.", MINILM, full, target_sizes=["all"]),
    ]
    study, _, answers = answers_of(tmp_path, separation, claims=claims)
    rows = answers["claims"]["rows"]
    assert [row["verdict"] for row in rows] == ["no worse", "no evidence", "worse", "better"]
    for row in rows:
        above = row["difference"] + row["margin"]
        expected = 2 * student.sf(abs(above) / row["standard_error"], row["freedom"])
        assert row["p"] == pytest.approx(expected, rel=1e-9)
        inside = row["lower_holm"] <= -row["margin"] <= row["upper_holm"]
        assert inside == (row["verdict"] == "no evidence")
    assert [r["p_holm"] for r in rows] == pytest.approx(holm([r["p"] for r in rows]).tolist())
    said = words(study, answers["claims"])
    assert (
        "Survives: “Equal, widely”. Is not shown: “Equal, narrowly”. Does not survive: “Far" in said
    )
    assert "minilm local is no worse than one_hot local: " in said
    assert "), where 0.1 less was granted." in said


@pytest.mark.parametrize(
    ("better", "more", "message"),
    [
        ({"classifier": "forest", "strategy": "local"}, {}, "the classifier 'forest'; defined are"),
        ({"strategy": "local"}, {}, "neither a classifier nor an embedding beside 'local'"),
        (
            {**LOGISTIC, "embedding": "minilm"},
            {},
            "about 'logistic' with the embedding 'minilm'; it is trained with none",
        ),
        ({"classifier": "cnn", "strategy": "local"}, {}, "about 'cnn' with no embedding; it is tr"),
        (
            {"classifier": "logistic", "strategy": "full"},
            {},
            "'logistic' with 'full', which it can",
        ),
        ({"embedding": "minilm", "strategy": "auto"}, {}, "gives 'auto' a classifier or an embed"),
        (MINILM, {"target_sizes": [200]}, "names the target size '200'; defined are 50, all"),
        (MINILM, {"margin": 1.5}, "less than 1"),
        (
            MINILM,
            {"than": {"embedding": "minilm_shuffled", "strategy": "local"}, "margin": 0.01},
            "leaves a margin over 'minilm_shuffled'",
        ),
    ],
)
def test_a_claim_that_cannot_be_tested_is_refused(better, more, message) -> None:
    claim = a_claim("So it is", better, LOGISTIC)
    claim["tests"][0] |= more
    strategies = ["local", "direct", "full", "auto"]
    with pytest.raises(StudyError, match=message):
        a_study(claims=[claim], strategies=strategies)


def test_heads_on_one_encoder_are_told_apart(monkeypatch: pytest.MonkeyPatch, tmp_path) -> None:
    """Gradient boosting stands for a learner of encoders that can predict without any label."""
    record = replace(LEARNERS["gradient_boosting"], takes_encoder="codes", can=frozenset({ZERO}))
    monkeypatch.setitem(LEARNERS._loaded, "gradient_boosting", record)

    def separation(cell: Cell) -> float:
        return {"mask": 2.2, "head": 1.4}.get(cell.classifier, 1.5)

    head = {"classifier": "head", "embedding": "codes", "strategy": "local"}
    mask = {**head, "classifier": "mask"}
    claims = [
        a_claim("Mask wins.", mask, head, target_sizes=[50]),
        a_claim("Mask needs no label.", {**mask, "strategy": "zero"}, head),
        a_claim("The first is meant.", {"embedding": "codes", "strategy": "local"}, LOGISTIC),
    ]
    study, _, answers = answers_of(
        tmp_path,
        separation,
        claims=claims,
        classifiers={
            "cnn": None,
            "logistic": None,
            "mask": {"kind": "gradient_boosting"},
            "head": {"kind": "gradient_boosting"},
        },
        encoders={"codes": {"sites": ["north"]}},
        strategies=["local", "direct", "zero"],
    )
    rows = answers["claims"]["rows"]
    assert {row["verdict"] for row in rows} == {"better"}
    assert [row["size"] for row in rows] == ["50", "50", "all", "50", "all"]
    assert {row["source"] for row in rows} == {""}
    said = words(study, answers["claims"])
    assert "mask codes local beats head codes local" in said
    assert "mask codes zero beats head codes local" in said
