"""How the report names and draws a study's learners, strategies, embeddings and sites.

The one place that asks for their kinds. What has no words or colours of its own goes by its name
in the config, or takes the next colour of the palette.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from concept_transfer.grid import NO_EMBEDDING
from concept_transfer.settings.embeddings import parents_of
from concept_transfer.study import Study

GROUPS = ("pretrained", "control", "simple model")
MEANINGLESS = ("one_hot", "shuffled", "random")  # providers
TITLES = {
    "cnn": "concept CNN",
    "logistic": "logistic regression",
    "gradient_boosting": "gradient boosting",
}
CAVEATS = {
    "simulated": "Encounters were simulated. Differences between methods show what can happen, not "
    "what will happen with real patients.",
    "nhamcs": "NHAMCS has no patient identifier across visits, so a patient's visits may lie on "
    "both sides of a split; clusters are hospitals within a year. Visits are an unweighted sample, "
    "not national estimates.",
}


@dataclass(frozen=True)
class Look:
    """How a figure marks something: a colour and matplotlib's name of a marker."""

    colour: str
    marker: str


KIND_LOOKS = {  # Okabe and Ito's palette, distinct for every common colour vision
    "local": Look("#000000", "o"),
    "direct": Look("#0072B2", "s"),
    "linear": Look("#E69F00", "^"),
    "full": Look("#D55E00", "D"),
    "pooled": Look("#009E73", "v"),
}
SPARE_COLOURS = ("#CC79A7", "#56B4E9", "#8C6D1F", "#7F7F7F")
SPARE_MARKERS = ("P", "X", "<", ">", "*")


def learner_title(study: Study, name: str) -> str:
    """A classifier of the config in words."""
    return TITLES.get(name, name)


def takes_embedding(study: Study, name: str) -> bool:
    """Whether a classifier of the config is trained with each of the study's embeddings."""
    return name == "cnn"


def model_label(study: Study, embedding: str, classifier: str) -> str:
    """What tables and figures call the models of one embedding, or of one simple classifier.

    The study's first classifier with embeddings goes by the embedding alone.
    """
    if embedding == NO_EMBEDDING:
        return learner_title(study, classifier)
    first = next((name for name in study.classifiers if takes_embedding(study, name)), classifier)
    return embedding if classifier == first else f"{embedding}, {learner_title(study, classifier)}"


def uses_labels(study: Study, strategy: str) -> bool:
    """Whether a strategy learns from labelled encounters of the target."""
    return study.strategies[strategy].kind != "direct"


def has_source(study: Study, strategy: str) -> bool:
    """Whether anything of a source site comes into a strategy."""
    return study.strategies[strategy].kind != "local"


def tunes(study: Study, strategy: str) -> bool:
    """Whether a strategy trains a source's model further."""
    return study.strategies[strategy].kind in ("linear", "full")


def strategy_looks(study: Study) -> dict[str, Look]:
    """Colour and marker of every strategy; the first of each kind gets the kind's own."""
    looks: dict[str, Look] = {}
    taken: set[Look] = set()
    spare = 0
    for name, strategy in study.strategies.items():
        look = KIND_LOOKS.get(strategy.kind)
        if look is None or look in taken:
            look = Look(
                SPARE_COLOURS[spare % len(SPARE_COLOURS)], SPARE_MARKERS[spare % len(SPARE_MARKERS)]
            )
            spare += 1
        looks[name] = look
        taken.add(look)
    return looks


def group_of(study: Study, embedding: str) -> str:
    """``pretrained``, ``control`` or, for models without an embedding, ``simple model``.

    What is derived from controls alone (a scaled one-hot table) is a control too.
    """
    if embedding == NO_EMBEDDING:
        return "simple model"
    settings = study.embeddings.get(embedding)
    if settings is None:
        return "pretrained"
    parents = parents_of(settings)
    derived = bool(parents) and all(group_of(study, name) == "control" for name in parents)
    return "control" if derived or settings.provider in MEANINGLESS else "pretrained"


def caveats(study: Study) -> list[str]:
    """What a reader must know of where the study's encounters come from."""
    adapters = {site.adapter for site in study.sites.values()}
    return [words for adapter, words in CAVEATS.items() if adapter in adapters]


def other_settings(section: Any, *left_out: str) -> str:
    """The settings of a section that differ from their defaults: ``key value, key value``."""
    settings = section.model_dump(exclude_defaults=True, exclude=set(left_out))
    return ", ".join(f"{key} {value}" for key, value in settings.items())
