"""Words and looks of a study's parts, and of parts that brought none."""

from types import SimpleNamespace

from reporting_data import a_study, evidence

from concept_transfer.reporting.limitations import limitations
from concept_transfer.reporting.looks import (
    Look,
    caveats,
    learner_title,
    model_label,
    strategy_looks,
)
from concept_transfer.reporting.methods import methods_text
from concept_transfer.reporting.methods_of_models import embeddings, models, training

STUDY = a_study()


def test_the_methods_say_what_every_part_of_the_study_is() -> None:
    said = dict(methods_text(STUDY, {}, {}))
    assert "simulated from the Bayesian network" in said["Data and outcome"]
    for words in (
        "one_hot (one dimension per token)",
        "minilm (language model hub/minilm, mean pooling, rows scaled to norm 1)",
        "minilm_shuffled (the vectors of minilm, concepts permuted)",
    ):
        assert words in said["Concept embeddings"]
    for name in STUDY.classifiers:
        assert learner_title(STUDY, name).lower() in said["Models"].lower()
    assert "local: trained on the target only" in said["Transfer strategies"]


def test_a_second_classifier_with_embeddings_is_named_beside_them() -> None:
    study = a_study(classifiers={"cnn": {"kind": "cnn"}, "wide": {"kind": "cnn"}, "logistic": None})
    assert model_label(study, "minilm", "cnn") == "minilm"
    assert model_label(study, "minilm", "wide") == "minilm, concept CNN (wide)"
    assert model_label(study, "none", "logistic") == "logistic regression"
    assert model_label(study, "none", "oracle") == "oracle"


def test_strategies_without_a_look_take_the_next_of_the_palette() -> None:
    kinds = {name: {"kind": "l2_sp", "strength": n} for n, name in enumerate("abc")}
    looks = strategy_looks(a_study(strategies={"local": None, "full": None, **kinds}))
    assert list(looks) == ["local", "full", *"abc"]
    assert looks["local"] == Look("#000000", "o")
    assert len({look.colour for look in looks.values()}) == 5
    assert len({look.marker for look in looks.values()}) == 5


def test_caveats_are_those_of_the_adapters_in_use() -> None:
    said = limitations(evidence(STUDY))
    assert sum("simulated. Differences" in text for text in said) == 1
    assert not any("NHAMCS" in text for text in said)
    nhamcs = STUDY.model_copy(update={"sites": {"a": SimpleNamespace(adapter="nhamcs")}})
    assert [text.split()[0] for text in caveats(nhamcs)] == ["NHAMCS"]
    tabular = STUDY.model_copy(update={"sites": {"a": SimpleNamespace(adapter="tabular")}})
    assert caveats(tabular) == []


def test_two_classifiers_of_one_kind_are_told_apart() -> None:
    cautious = {"kind": "naive_bayes", "smoothing": 5}
    study = a_study(classifiers={"naive_bayes": None, "cautious": cautious}, strategies=["local"])
    labels = [model_label(study, "none", name) for name in study.classifiers]
    assert labels == ["naive Bayes (naive_bayes)", "naive Bayes (cautious)"]
    assert "cautious: Bernoulli naive Bayes" in models(study)


def test_methods_say_of_training_what_the_learners_do() -> None:
    simple = a_study(classifiers=["logistic"], strategies=["local"])
    assert "gradient descent" in training(STUDY)
    assert "dropout" in training(STUDY)
    for words in ("gradient descent", "dropout", "control tables"):
        assert words not in training(simple)
    assert "a replicate redraws the target's labelled subset." in training(simple)
    assert embeddings(simple, {}) == "No classifier of this study takes an embedding."
