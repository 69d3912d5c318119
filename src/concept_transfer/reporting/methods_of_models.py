"""The paragraphs of the methods section on embeddings, models, strategies and training."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from concept_transfer.embeddings.providers import PROVIDERS
from concept_transfer.reporting.words import count, listing
from concept_transfer.settings.embeddings import EmbeddingSection
from concept_transfer.settings.scale import Norm, Standardized
from concept_transfer.study import Study


def embeddings(study: Study, cards: Mapping[str, Mapping[str, Any]]) -> str:
    parts = []
    for name, embedding in study.embeddings.items():
        width = cards.get(name, {}).get("width")
        size = f", {width} dimensions" if width else ""
        parts.append(f"{name} ({_embedding(embedding)}{size})")
    return (
        "Each token was represented by a fixed vector, never changed in training: "
        f"{'; '.join(parts)}. Shuffled controls keep the vectors and permute the concepts, states "
        "kept together, so that geometry stays and meaning is lost; random controls keep width and "
        "row norms only. Both are drawn anew in every replicate."
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
    training = study.training
    parts = []
    for name, settings in study.classifiers.items():
        parts.append(study.learner(name).methods(settings, training))
    return " ".join(parts)


def strategies(study: Study) -> str:
    words = "; ".join(f"{name}: {_strategy(study, name)}" for name in study.strategies)
    sizes = [
        "all labelled training and validation encounters" if size == "all" else f"{size:,}"
        for size in study.target_sizes
    ]
    return (
        f"{words}. The number of labelled encounters that the target contributed, validation "
        f"included, was {listing(sizes)}; smaller draws are nested in larger ones and shared by "
        f"all models, so that comparisons are paired. All ordered pairs studied: "
        f"{listing([f'{s} to {t}' for s, t in study.ordered_pairs()])}."
    )


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
    training = study.training
    optimizer = (
        f"stochastic gradient descent with Nesterov momentum {training.momentum:g}"
        if training.optimizer == "sgd"
        else "AdamW"
    )
    length = f"{training.iterations} batches" if training.iterations else "one pass over the data"
    stop = (
        f", stopping after {training.patience} epochs without improvement"
        if training.patience
        else ""
    )
    monitored = {"log_loss": "log loss", "auroc": "AUROC"}[training.monitor]
    tunes = any(study.strategy(name).tunes for name in study.strategies)
    untuned = (
        ", or the source model as it came where no epoch of tuning was better"
        if tunes and training.protocol != "gao2024"
        else ""
    )
    weighted = (
        " Classes were weighted by the inverse of their frequency."
        if training.class_weight == "balanced"
        else " Classes were not reweighted."
    )
    return (
        f"Models were fitted to the cross-entropy by {optimizer}, learning rate "
        f"{training.learning_rate:g}, weight decay {training.weight_decay:g}, batches of "
        f"{training.batch_size}, for at most {count(training.epochs, 'epoch')} of {length}{stop}; "
        f"the epoch with the best validation {monitored} was kept{untuned}. With fewer than 10 "
        f"labels of {'any' if study.task.many_classes else 'either'} class in the labelled "
        "target data, "
        f"{count(training.fixed_epochs, 'epoch')} were run without early stopping.{weighted} "
        "Each cell was repeated in "
        f"{count(study.replicates, 'replicate')}; a replicate redraws the target's labelled "
        "subset, initial weights, batches, dropout and control tables. All embeddings, controls "
        "and strategies had the same settings except where stated."
    )
