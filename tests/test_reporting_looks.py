"""Words and looks of a study's parts, and of parts that nobody gave any."""

from types import SimpleNamespace
from typing import Literal

import pytest
from concept_transfer.reporting.methods_of_kinds import (
    embedding_words,
    learner_words,
    site_words,
    strategy_words,
)
from reporting_data import a_study, evidence

from concept_transfer.reporting import looks, methods_of_kinds
from concept_transfer.reporting.limitations import limitations
from concept_transfer.reporting.looks import Look, model_label, strategy_looks
from concept_transfer.settings.section import Section

STUDY = a_study()


class Newcomer(Section):
    """A section that the report has no words for."""

    provider: Literal["knitted"] = "knitted"
    adapter: Literal["registry_of_births"] = "registry_of_births"
    yarn: str
    stitches: int = 3


def test_every_kind_has_words_of_its_own() -> None:
    for site in STUDY.sites.values():
        assert "Bayesian network" in site_words(site, STUDY)
    said = {name: embedding_words(entry, STUDY) for name, entry in STUDY.embeddings.items()}
    assert said["one_hot"] == "one dimension per token"
    assert said["minilm"] == "language model hub/minilm, mean pooling, rows scaled to norm 1"
    assert said["minilm_shuffled"] == "the vectors of minilm, concepts permuted"
    for name in STUDY.classifiers:
        assert learner_words(name, STUDY).endswith(".")
    strategies = {name: strategy_words(entry, STUDY) for name, entry in STUDY.strategies.items()}
    assert strategies["local"] == "trained on the target only"
    assert len(set(strategies.values())) == len(strategies)


def test_a_newcomer_goes_by_its_name_and_its_settings() -> None:
    newcomer = Newcomer(yarn="wool")
    assert embedding_words(newcomer, STUDY) == "knitted yarn wool"
    assert site_words(newcomer, STUDY) == "registry_of_births yarn wool"
    held = SimpleNamespace(kind="held_back", learning_rate=0.1, epochs=None)
    assert strategy_words(held, STUDY) == "held back (learning rate 0.1)"
    assert learner_words("oracle", STUDY) == "Oracle was trained too."
    assert model_label(STUDY, "none", "oracle") == "oracle"


def test_a_second_classifier_with_embeddings_is_named_beside_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert model_label(STUDY, "minilm", "cnn") == "minilm"
    assert model_label(STUDY, "none", "logistic") == "logistic regression"
    monkeypatch.setattr(looks, "takes_embedding", lambda study, name: name != "gradient_boosting")
    assert model_label(STUDY, "minilm", "cnn") == "minilm"
    assert model_label(STUDY, "minilm", "logistic") == "minilm, logistic regression"


def test_strategies_without_a_look_take_the_next_of_the_palette(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    known = {kind: look for kind, look in looks.KIND_LOOKS.items() if kind in ("local", "full")}
    monkeypatch.setattr(looks, "KIND_LOOKS", known)
    drawn = strategy_looks(STUDY)
    assert list(drawn) == list(STUDY.strategies)
    assert drawn["local"] == Look("#000000", "o")
    assert len(set(drawn.values())) == len(drawn)


def test_caveats_are_those_of_the_adapters_in_use() -> None:
    said = limitations(evidence(STUDY))
    assert sum("simulated. Differences" in text for text in said) == 1
    assert not any("NHAMCS" in text for text in said)
    nhamcs = STUDY.model_copy(update={"sites": {"a": SimpleNamespace(adapter="nhamcs")}})
    assert [text.split()[0] for text in looks.caveats(nhamcs)] == ["NHAMCS"]
    unknown = STUDY.model_copy(update={"sites": {"a": SimpleNamespace(adapter="new")}})
    assert looks.caveats(unknown) == []


def test_no_kind_of_the_config_is_without_words() -> None:
    assert methods_of_kinds.LEARNERS.keys() == looks.TITLES.keys()
    assert methods_of_kinds.STRATEGIES.keys() == looks.KIND_LOOKS.keys()
