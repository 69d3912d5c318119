"""Words and looks of a study's parts, and of parts that have none of their own."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from reporting_data import a_study, evidence

from concept_transfer.learners import LEARNERS
from concept_transfer.reporting import looks
from concept_transfer.reporting.limitations import limitations
from concept_transfer.reporting.looks import Look, learner_title, model_label, strategy_looks
from concept_transfer.reporting.methods_of_models import embeddings, models, strategies
from concept_transfer.strategies import STRATEGIES
from concept_transfer.study import Study

STUDY = a_study()


def with_classifiers(*kinds: str) -> Study:
    sections = {kind: LEARNERS[kind].settings.model_validate({"kind": kind}) for kind in kinds}
    return STUDY.model_copy(update={"classifiers": sections})


def test_every_part_of_the_study_has_words() -> None:
    said = embeddings(STUDY, {})
    assert "one_hot (one dimension per token)" in said
    assert "minilm (language model hub/minilm, mean pooling, rows scaled to norm 1)" in said
    assert "minilm_shuffled (the vectors of minilm, concepts permuted)" in said
    told = models(with_classifiers(*LEARNERS))
    for record in LEARNERS.values():
        assert record.title.casefold() in told.casefold()
    assert "local: trained on the target only;" in strategies(STUDY)


def test_summaries_of_strategies_tell_them_apart() -> None:
    summaries = {record.summary for record in STRATEGIES.values()}
    assert len(summaries) == len(STRATEGIES)


def test_a_classifier_goes_by_its_title_and_any_other_name_by_itself() -> None:
    assert learner_title(STUDY, "logistic") == "logistic regression"
    assert learner_title(STUDY, "oracle") == "oracle"
    assert model_label(STUDY, "none", "oracle") == "oracle"


def test_a_second_classifier_with_embeddings_is_named_beside_them() -> None:
    assert model_label(STUDY, "minilm", "cnn") == "minilm"
    first = {"wide": STUDY.classifiers["cnn"], **STUDY.classifiers}
    study = STUDY.model_copy(update={"classifiers": first})
    assert model_label(study, "minilm", "wide") == "minilm"
    assert model_label(study, "minilm", "cnn") == "minilm, concept CNN"


def test_strategies_without_a_look_take_the_next_of_the_palette() -> None:
    again = {**STUDY.strategies, "full_again": STUDY.strategies["full"]}
    again["held"] = STRATEGIES["l2_sp"].settings.model_validate({"kind": "l2_sp"})
    drawn = strategy_looks(STUDY.model_copy(update={"strategies": again}))
    assert list(drawn) == list(again)
    assert drawn["local"] == Look("#000000", "o")
    assert len(set(drawn.values())) == len(drawn)


def test_caveats_are_those_of_the_adapters_in_use() -> None:
    said = limitations(evidence(STUDY))
    assert sum("simulated. Differences" in text for text in said) == 1
    assert not any("NHAMCS" in text for text in said)
    nhamcs = STUDY.model_copy(update={"sites": {"a": SimpleNamespace(adapter="nhamcs")}})
    assert [text.split()[0] for text in looks.caveats(nhamcs)] == ["NHAMCS"]


@pytest.mark.parametrize("name", sorted(STRATEGIES))
def test_a_look_is_a_colour_and_a_marker_of_its_own(name: str) -> None:
    others = [record.look for kind, record in STRATEGIES.items() if kind != name and record.look]
    assert STRATEGIES[name].look not in others
