"""How the report names and draws a study's learners, strategies, embeddings and sites.

The one place that asks for their kinds. What has no words or colours of its own goes by its name
in the config, or takes the next colour of the palette.
"""

from __future__ import annotations

from dataclasses import dataclass

from concept_transfer.cell import ALL_MODELS, NO_EMBEDDING
from concept_transfer.embeddings.providers import PROVIDERS
from concept_transfer.settings.embeddings import parents_of
from concept_transfer.sites.adapters import ADAPTERS
from concept_transfer.study import Study

GROUPS = ("pretrained", "control", "simple model", "combination")


@dataclass(frozen=True)
class Look:
    """How a figure marks something: a colour and matplotlib's name of a marker."""

    colour: str
    marker: str


SPARE_COLOURS = ("#CC79A7", "#56B4E9", "#8C6D1F", "#7F7F7F")
LEARNER_COLOURS = (
    *("#0072B2", "#D55E00", "#009E73", "#E69F00", "#000000", "#56B4E9", "#8C6D1F"),
    *("#CC79A7", "#7F7F7F"),
)
LEARNER_MARKERS = ("o", "s", "D", "^", "v")
SPARE_MARKERS = ("P", "X", "<", ">", "*")


def learner_title(study: Study, name: str) -> str:
    """A classifier of the config in words, with its name where another has the same title."""
    if name == ALL_MODELS:
        return "all models"
    if name not in study.classifiers:
        return name
    title = study.learner(name).title
    titles = [study.learner(other).title for other in study.classifiers]
    return title if titles.count(title) == 1 else f"{title} ({name})"


def model_label(study: Study, embedding: str, classifier: str) -> str:
    """What tables and figures call the models of one embedding or encoder, or of one simple
    classifier.

    The study's first classifier with embeddings goes by the embedding alone, and so does the only
    one with encoders.
    """
    if embedding == NO_EMBEDDING:
        return learner_title(study, classifier)
    alone = study.embedding_classifiers()[:1]
    if embedding in study.encoders:
        taking = study.encoder_classifiers()
        alone = taking if len(taking) == 1 else []
    return embedding if classifier in alone else f"{embedding}, {learner_title(study, classifier)}"


def strategy_looks(study: Study) -> dict[str, Look]:
    """Colour and marker of every strategy; the first of each kind gets the kind's own."""
    looks: dict[str, Look] = {}
    taken: set[Look] = set()
    spare = 0
    for name in study.strategies:
        mark = study.strategy(name).look
        look = Look(*mark) if mark else None
        if look is None or look in taken:
            look = Look(
                SPARE_COLOURS[spare % len(SPARE_COLOURS)], SPARE_MARKERS[spare % len(SPARE_MARKERS)]
            )
            spare += 1
        looks[name] = look
        taken.add(look)
    return looks


def learner_looks(study: Study) -> dict[str, Look]:
    """Colour and marker of every learner: of classifiers, and of strategies that combine them,
    whose colours no classifier has."""
    strategies = strategy_looks(study)
    combined = {name: strategies[name] for name in study.combining_strategies()}
    taken = {look.colour for look in combined.values()}
    colours = [colour for colour in LEARNER_COLOURS if colour not in taken]
    looks = {
        name: Look(colours[i % len(colours)], LEARNER_MARKERS[i % len(LEARNER_MARKERS)])
        for i, name in enumerate(study.classifiers)
    }
    return looks | combined


def group_of(study: Study, embedding: str, classifier: str = "") -> str:
    """``pretrained``, ``control`` or, for models without an embedding, ``simple model``;
    ``combination`` of all models.

    What is derived from controls alone (a scaled one-hot table) is a control too.
    """
    if embedding == NO_EMBEDDING:
        return "combination" if classifier == ALL_MODELS else "simple model"
    settings = study.embeddings.get(embedding)
    if settings is None:
        return "control" if study.is_control(embedding) else "pretrained"
    parents = parents_of(settings)
    derived = bool(parents) and all(group_of(study, name) == "control" for name in parents)
    return (
        "control" if derived or not PROVIDERS[settings.provider].carries_meaning else "pretrained"
    )


def caveats(study: Study) -> list[str]:
    """What a reader must know of where the study's encounters come from."""
    adapters = dict.fromkeys(site.adapter for site in study.sites.values())
    return [text for name in adapters if (text := ADAPTERS[name].limitation)]
