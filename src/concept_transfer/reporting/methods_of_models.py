"""The paragraphs of the methods section on embeddings, models, strategies and training."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from concept_transfer.embeddings.providers import PROVIDERS
from concept_transfer.reporting.looks import learner_title
from concept_transfer.reporting.words import count, listing
from concept_transfer.settings.embeddings import EmbeddingSection, control_of
from concept_transfer.settings.scale import Norm, Standardized
from concept_transfer.settings.training import PRIOR_ENCOUNTERS, TUNED_DECAY, several
from concept_transfer.study import Study


def embeddings(study: Study, cards: Mapping[str, Mapping[str, Any]]) -> str:
    if not study.embedding_classifiers():
        return "No classifier of this study takes an embedding."
    parts = []
    for name, embedding in study.embeddings.items():
        width = cards.get(name, {}).get("width")
        size = f", {width} dimensions" if width else ""
        parts.append(f"{name} ({_embedding(embedding)}{size})")
    controls = (
        " Shuffled controls keep the vectors and permute the concepts, states kept together, so "
        "that geometry stays and meaning is lost; random controls keep width and row norms only. "
        "Both are drawn anew in every replicate."
        if any(control_of(embedding) for embedding in study.embeddings.values())
        else ""
    )
    return (
        "Each token was represented by a fixed vector, never changed in training: "
        f"{'; '.join(parts)}.{controls}"
    )


def _embedding(embedding: EmbeddingSection) -> str:
    words = PROVIDERS[embedding.provider].described(embedding)
    return words + _scale(getattr(embedding, "scale", "raw"))


def _scale(scale: Any) -> str:
    match scale:
        case Norm():
            return f", rows scaled to norm {scale.norm:g}"
        case Standardized():
            return f", columns standardized and rows scaled to norm {scale.standardized:g}"
        case "unit":
            return ", rows scaled to norm 1"
        case "standardized":
            return ", columns standardized"
    return ""


def models(study: Study) -> str:
    sentences = []
    for name, settings in study.classifiers.items():
        record = study.learner(name)
        label = learner_title(study, name)
        named = "" if label == record.title else f"{name}: "
        sentences.append(named + record.methods(settings, study.training))
    return " ".join(sentences)


def strategies(study: Study) -> str:
    words = "; ".join(f"{name}: {_strategy(study, name)}" for name in study.strategies)
    sizes = [
        "all labelled training and validation encounters" if size == "all" else f"{size:,}"
        for size in study.target_sizes
    ]
    looking = [name for name in study.strategies if study.strategy(name).uses_encounters]
    looked = (
        f" {listing(looking)} looked at the target's training and validation encounters without "
        "their labels."
        if looking
        else ""
    )
    without = dict.fromkeys(s for s, _ in study.ordered_pairs() if not study.has_encounters(s))
    needing = [name for name in study.strategies if study.strategy(name).reads_source]
    left_out = (
        f" Of {listing(list(without))} only the models are known, so {listing(needing)} was left "
        "out there."
        if without and needing
        else ""
    )
    return (
        f"{words}.{looked}{left_out} The number of labelled encounters that the target "
        f"contributed, validation included, was {listing(sizes)}; smaller draws "
        f"{_drawn(study)}are nested in larger ones and shared by all models, so that comparisons "
        "are paired. All ordered pairs "
        f"studied: {listing([f'{s} to {t}' for s, t in study.ordered_pairs()])}."
    )


def _drawn(study: Study) -> str:
    return "hold as many of each class, as far as there are, and " if study.balanced_labels else ""


def _strategy(study: Study, name: str) -> str:
    strategy, record = study.strategies[name], study.strategy(name)
    settings = []
    if strategy.learning_rate is not None:
        settings.append(f"learning rate {strategy.learning_rate:g}")
    if strategy.epochs is not None:
        settings.append(f"{strategy.epochs} epochs")
    settings += record.details(strategy)
    return record.summary + (f" ({', '.join(settings)})" if settings else "")


def training(study: Study) -> str:
    read = set().union(*(study.learner(name).training for name in study.classifiers))
    by_steps = "epochs" in read
    weighted = {
        "balanced": "Classes were weighted by the inverse of their frequency.",
        "none": "Classes were not reweighted.",
    }
    drawn = ["initial weights", "batches", "dropout"] if by_steps else []
    drawn += ["control tables"] if study.embedding_classifiers() else []
    redrawn = listing(["the target's labelled subset", *drawn])
    sentences = [
        _steps(study) if by_steps else "",
        weighted[study.training.class_weight] if "class_weight" in read else "",
        f"Each cell was repeated in {count(study.replicates, 'replicate')}; a replicate redraws "
        f"{redrawn}. All embeddings, controls and strategies had the same settings except where "
        "stated.",
    ]
    return " ".join(filter(None, sentences))


def _one_of(values: float | list[float]) -> str:
    return " or ".join(f"{value:g}" for value in several(values))


def _steps(study: Study) -> str:
    """How models are fitted that take gradient steps."""
    training = study.training
    optimizer = (
        f"stochastic gradient descent with Nesterov momentum {training.momentum:g}"
        if training.optimizer == "sgd"
        else "AdamW"
    )
    limits = f"{training.min_iterations:,} to {training.max_iterations:,}"
    length = (
        f"{training.iterations} batches"
        if training.iterations
        else f"one pass over the data ({limits} batches)"
    )
    stop = (
        f", stopping after {training.patience} epochs without improvement"
        if training.patience
        else ""
    )
    monitored = {"log_loss": "log loss", "auroc": "AUROC"}[training.monitor]
    tunes = any(study.strategy(name).tunes for name in study.strategies)
    rate, decay = _one_of(training.learning_rate), _one_of(training.weight_decay or 0)
    if tunes and training.rate_of_tuning != training.learning_rate:
        rate += f" ({_one_of(training.rate_of_tuning)} in tuning)"
    if training.weight_decay is None:
        decay = f"{PRIOR_ENCOUNTERS:g} / number of training encounters"
        decay += f" ({TUNED_DECAY:g} in tuning)" if tunes else ""
    judged = "validation" if training.protocol == "gao2024" else "held-out"
    earliest = min(training.min_epochs, training.epochs)
    among = f", from the {earliest}th on," if earliest > 1 else ""
    untuned = (
        ", or the source model as it came where no epoch of tuning was better"
        if tunes and training.protocol != "gao2024"
        else ""
    )
    return (
        f"Models were fitted to the cross-entropy by {optimizer}, learning rate "
        f"{rate}, weight decay {decay}, batches of "
        f"{training.batch_size}, for at most {count(training.epochs, 'epoch')} of {length}{stop}; "
        f"the epoch{among} with the best {judged} {monitored} was kept{untuned}. "
        f"With fewer than 10 labels of {'any' if study.task.many_classes else 'either'} class in "
        "the labelled target data, "
        f"{count(training.fixed_epochs, 'epoch')} were run without early stopping."
    )
