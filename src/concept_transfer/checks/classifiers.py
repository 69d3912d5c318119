"""Classifiers, and the encoders that some of them take."""

from __future__ import annotations

from typing import TYPE_CHECKING

from concept_transfer.cell import ALL_MODELS, NO_EMBEDDING, SIMPLE
from concept_transfer.errors import choices
from concept_transfer.learners import LEARNERS
from concept_transfer.settings.embeddings import encoder_of
from concept_transfer.settings.encoders import CodeEncoder

if TYPE_CHECKING:
    from concept_transfer.study import Study


def check_classifiers(study: Study) -> None:
    """Raise ValueError for names that mean something else."""
    if SIMPLE in study.classifiers:
        raise ValueError(
            f"classifiers: '{SIMPLE}' is reserved: it names the jobs of all classifiers "
            "without an embedding"
        )
    if ALL_MODELS in study.classifiers:
        raise ValueError(
            f"classifiers: '{ALL_MODELS}' is reserved: it stands for all models together, "
            "where a strategy combines them"
        )


def check_encoders(study: Study) -> None:
    """Raise ValueError unless each has a name of its own, sites that there are, and somebody who
    takes it."""
    for name, settings in study.classifiers.items():
        if problem := study.learner(name).refused(settings, study.task):
            raise ValueError(f"classifiers.{name}: {problem}")
        kind = study.learner(name).takes_encoder
        if kind and not study.encoders_of(kind):
            raise ValueError(
                f"encoders: the classifier '{name}' takes an encoder of kind {kind}; define one"
            )
    _check_adapted(study)
    for name, encoder in study.encoders.items():
        where = f"encoders.{name}"
        _check_taken(study, name)
        if name in (*study.embeddings, NO_EMBEDDING):
            raise ValueError(f"{where}: the name is that of an embedding; give another")
        for site in encoder.all_sites:
            if site not in study.sites:
                raise ValueError(
                    f"{where} names the site '{site}'; defined are {choices(study.sites)}"
                )
            if site in study.parked_sites():
                raise ValueError(f"{where} names the site '{site}', which no pair names")
        _check_patients(study, name)
        if isinstance(encoder, CodeEncoder) and encoder.vectors not in (None, *study.embeddings):
            raise ValueError(
                f"{where}.vectors is '{encoder.vectors}'; embeddings are "
                f"{choices(study.embeddings)}"
            )


def _check_adapted(study: Study) -> None:
    """Embeddings read no language models but those of the study."""
    for name, embedding in study.embeddings.items():
        encoder = encoder_of(embedding)
        if encoder is not None and encoder not in study.encoders_of("text"):
            raise ValueError(
                f"embeddings.{name} is read by the encoder '{encoder}', which is no language model "
                f"of the study; encoders of kind text are {choices(study.encoders_of('text'))}"
            )


def _check_taken(study: Study, name: str) -> None:
    kind = study.encoders[name].kind
    if any(study.learner(classifier).takes_encoder == kind for classifier in study.classifiers):
        return
    if any(encoder_of(embedding) == name for embedding in study.embeddings.values()):
        return
    able = [other for other, record in LEARNERS.items() if record.takes_encoder == kind]
    adapted = f", or an embedding with 'model: adapted:{name}'" if kind == "text" else ""
    raise ValueError(
        f"encoders.{name}: no classifier takes an encoder of kind {kind}; add one "
        f"({choices(able)}){adapted}"
    )


def _check_patients(study: Study, name: str) -> None:
    """Somebody can be learned from, unless the encoder comes with a site's models, or learns
    nothing."""
    encoder, where = study.encoders[name], f"encoders.{name}"
    silent = [site for site in encoder.all_sites if not study.has_encounters(site)]
    if silent and not silent == encoder.sites == encoder.all_sites:
        raise ValueError(
            f"{where}: the site '{silent[0]}' is given as models without encounters, and no "
            "encoder can be pre-trained on it; name sites with encounters, or under 'sites' it "
            "alone, for the encoder that comes with its models"
        )
    if study.split.by == "folds" and encoder.learns and not silent:
        raise ValueError(
            f"{where}: an encoder learns from patients outside every test set, but under split.by: "
            "folds everybody tests, so that every fold would need an encoder of its own; "
            "use 'share' or 'time'"
        )
