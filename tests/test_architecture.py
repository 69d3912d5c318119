"""What docs/architecture.md shows: its examples are files that run, and places that exist."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.sparse import csr_array
from sklearn.metrics import brier_score_loss
from sklearn.tree import DecisionTreeClassifier

from concept_transfer.errors import StudyError
from concept_transfer.evaluation.metrics import condense
from concept_transfer.evaluation.metrics.risks import Sums
from concept_transfer.models.baselines import Examples
from concept_transfer.strategies.strategy import Part, Situation

REPOSITORY = Path(__file__).resolve().parents[1]
TEXT = (REPOSITORY / "docs" / "architecture.md").read_text(encoding="utf-8")
NEIGHBOUR = REPOSITORY / "tests" / "third_party"
FILES = dict(re.findall(r"^`(neighbour/\w+\.py)`\n\n```python\n(.*?)^```", TEXT, re.M | re.S))
OTHERS = [
    code
    for code in re.findall(r"^```python\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL)
    if code not in FILES.values()
]


def test_every_record_of_the_distribution_is_shown() -> None:
    """tests/test_third_party.py runs these very files through Snakemake."""
    there = {f"neighbour/{file.name}": file for file in (NEIGHBOUR / "neighbour").glob("*.py")}
    assert FILES.keys() == there.keys() - {"neighbour/__init__.py"}
    for name, code in FILES.items():
        assert code == there[name].read_text(encoding="utf-8"), name


def run(code: str) -> dict[str, Any]:
    """What an example defines."""
    names: dict[str, Any] = {"__name__": "example"}
    exec(compile(code, "docs/architecture.md", "exec"), names)
    return names


@pytest.mark.parametrize("classes", [2, 3])
def test_the_learner_is_a_tree_of_one_split(monkeypatch: pytest.MonkeyPatch, classes: int) -> None:
    monkeypatch.syspath_prepend(str(NEIGHBOUR))
    from neighbour.one_finding import fit

    rng = np.random.default_rng(classes)
    labels = rng.integers(classes, size=400)
    findings = (rng.random((400, 6)) < 0.3 + 0.1 * labels[:, None] * np.arange(6) / 5).astype(float)
    weights = rng.uniform(0.2, 2, 400)
    model = fit(1e-9, Examples(csr_array(findings), labels.astype(np.int8)), weights, classes)
    tree = DecisionTreeClassifier(criterion="log_loss", max_depth=1)
    tree.fit(findings, labels, sample_weight=weights)
    seen = csr_array((rng.random((50, 6)) < 0.5).astype(float))
    expected = tree.predict_proba(seen.toarray())
    np.testing.assert_allclose(model.predict_proba(seen), expected, atol=1e-9)


@pytest.mark.parametrize("share", [0.1, 0.75])
def test_the_strategy_gives_the_source_its_share(
    monkeypatch: pytest.MonkeyPatch, share: float
) -> None:
    monkeypatch.syspath_prepend(str(NEIGHBOUR))
    from neighbour.mixed import STRATEGY, Mixed

    class Two(Situation):
        labelled = (Part(None, np.zeros((2, 30), int)), Part(None, np.zeros((2, 9), int)))

        def source_part(self, weight: float) -> Part:
            return Part(None, np.zeros((2, 500), int), weight)

    settings = Mixed(kind="mixed", source_share=share)
    target, source = STRATEGY.plan(Two(settings, None, None, None, None)).train
    assert 500 * source.weight / (500 * source.weight + 30 * target.weight) == pytest.approx(share)


def test_the_metric_is_the_share_of_the_no_skill_score() -> None:
    metric = run(OTHERS[0])["SCALED_BRIER"]
    rng = np.random.default_rng(0)
    labels, risks = (rng.random(200) < 0.3).astype(int), rng.random(200)
    found = metric.compute(Sums(condense(labels, risks), np.ones((200, 1))))
    no_skill = brier_score_loss(labels, np.full(200, labels.mean()))
    assert found[0] == pytest.approx(1 - brier_score_loss(labels, risks) / no_skill)


def test_the_input_is_read_as_it_was_written(tmp_path: Path) -> None:
    visits = run(OTHERS[1])["VISITS"]
    value = np.array([0, 3, 1], np.int32)
    visits.check(value, 3, None, "site a")
    visits.write(tmp_path, value, None, None)
    assert {file.name for file in tmp_path.iterdir()} == set(visits.files)
    assert visits.read(tmp_path).tolist() == [0, 3, 1]
    with pytest.raises(StudyError, match="site a: 'visits'"):
        visits.check(value, 4, None, "site a")


def test_all_examples_are_tested() -> None:
    assert len(OTHERS) == 2


def test_the_files_it_names_exist() -> None:
    named = set(re.findall(r"`((?:\w+/)*\w+\.(?:py|smk|md|json))`", TEXT)) - FILES.keys()
    named -= {"answers.json"}  # of a study
    rooms = ("", "src/concept_transfer/", "docs/")
    missing = [n for n in named if not any((REPOSITORY / room / n).exists() for room in rooms)]
    assert not missing
    for room in re.findall(r"[ ►](\w+)/(?= |\n)", TEXT.partition("## The way of the data")[0]):
        places = [REPOSITORY / room, REPOSITORY / "src" / "concept_transfer" / room]
        assert any(place.is_dir() for place in places), room
