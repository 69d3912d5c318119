"""The methods section of a study, in words, from its config alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from concept_transfer.reporting.cells import CLASSIFIER_LABELS, level
from concept_transfer.study import (
    Norm,
    OneHotEmbedding,
    PrecomputedEmbedding,
    RandomEmbedding,
    ShuffledEmbedding,
    Standardized,
    Strategy,
    Study,
    TransformersEmbedding,
)

NOT_RECORDED = {
    "omit": "A finding that nobody recorded contributed nothing to the model.",
    "absent": "A finding that nobody recorded was read as absent, as by Gao et al. (2024).",
}


def methods_text(
    study: Study, cards: Mapping[str, Mapping[str, Any]], packages: Mapping[str, str]
) -> list[tuple[str, str]]:
    """(heading, paragraph) pairs: data, splits, embeddings, models, training, evaluation.

    ``cards`` maps an embedding to its card (docs/contracts.md, "Embedding table"); ``packages``
    maps an installed package to its version.
    """
    return [
        ("Data and outcome", _data(study)),
        ("Training, validation and test encounters", _split(study)),
        ("Concept embeddings", _embeddings(study, cards)),
        ("Models", _models(study)),
        ("Transfer strategies", _strategies(study)),
        ("Training", _training(study)),
        ("Evaluation and statistics", _evaluation(study)),
        ("Software", _software(study, packages)),
    ]


def markdown(sections: Sequence[tuple[str, str]]) -> str:
    """The methods as a Markdown document."""
    return "# Methods\n" + "".join(f"\n## {title}\n\n{text}\n" for title, text in sections)


def listing(words: Sequence[str]) -> str:
    """``a``, ``a and b``, ``a, b and c``."""
    if len(words) < 2:
        return "".join(words)
    return ", ".join(words[:-1]) + " and " + words[-1]


def count(number: int, noun: str) -> str:
    return f"{number:,} {noun}" + ("" if number == 1 else "s")


def _data(study: Study) -> str:
    sites = "; ".join(f"{name}: {_site(site)}" for name, site in study.sites.items())
    left_out = [*study.task.exclude_categories, *study.task.exclude_concepts]
    excluded = (
        f" Concepts of the kind {listing(left_out)} were withheld from every model, because they "
        "may give the outcome away."
        if left_out
        else ""
    )
    return (
        f"Encounters of {count(len(study.sites), 'site')} were used ({sites}). The outcome was "
        f"{study.task.label}. Predictors were the concepts of one vocabulary shared by all sites "
        f"({study.vocabulary}), each with its states as separate tokens.{excluded} "
        f"{NOT_RECORDED[study.task.not_recorded]} Encounters were mapped to the vocabulary before "
        "any split; codes without a concept were counted and reported, not guessed."
    )


def _site(site: Any) -> str:
    if site.adapter == "simulated":
        return (
            f"{site.encounters:,} encounters simulated from the Bayesian network {site.network} "
            f"(seed {site.seed})"
        )
    if site.adapter == "nhamcs":
        cohort = "with a fever or respiratory reason" if site.cohort == "respiratory" else ""
        years = listing([str(year) for year in site.years])
        return " ".join(
            f"emergency-department visits {cohort} in the {site.region} of the United States, "
            f"NHAMCS public-use files of {years}".split()
        )
    files = [path for path in (site.path, *site.train, *site.validation, *site.test) if path]
    return f"tabular files {listing(files)}"


def _split(study: Study) -> str:
    split = study.split
    how = {
        "given": "Training, validation and test encounters were those given with the data.",
        "time": f"Encounters from {split.test_from} on formed the test set.",
        "share": f"A random {split.test_share:.0%} of the clusters formed the test set.",
        "folds": f"Each site was cross-fitted in {split.folds} folds: every encounter was "
        "predicted once, by models that had seen nothing of its cluster.",
    }[split.by]
    rest = (
        ""
        if split.by == "given"
        else f" Of the remaining clusters, {split.validation_share:.0%} served as validation data."
    )
    return (
        f"{how}{rest} A cluster (the patient, or the unit that the data's adapter names) was never "
        "divided between training, validation and test. Test data were used once, for evaluation."
    )


def _embeddings(study: Study, cards: Mapping[str, Mapping[str, Any]]) -> str:
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


def _embedding(embedding: Any) -> str:
    match embedding:
        case OneHotEmbedding():
            words = "one dimension per token"
        case ShuffledEmbedding():
            words = f"the vectors of {embedding.of}, concepts permuted"
        case RandomEmbedding():
            words = f"Gaussian vectors with the width and norms of {embedding.like}"
        case PrecomputedEmbedding():
            words = f"published vectors, {embedding.path}"
        case TransformersEmbedding():
            revision = f" at revision {embedding.revision}" if embedding.revision else ""
            words = f"language model {embedding.model}{revision}, {embedding.pooling} pooling"
        case _:
            settings = embedding.model_dump(exclude_defaults=True, exclude={"provider", "scale"})
            details = ", ".join(f"{key} {value}" for key, value in settings.items())
            words = f"{embedding.provider} {details}".strip()
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


def _models(study: Study) -> str:
    training = study.training
    parts = []
    if "cnn" in study.classifiers:
        parts.append(
            "The concept CNN of Gao et al. (2024) passes the vectors of an encounter's tokens "
            f"through a convolution of kernel size 1 with {training.filters} filters, ReLU, the "
            f"maximum over the encounter's tokens, dropout {training.dropout:g} and a linear layer "
            "with softmax. Tokens that are not recorded do not enter the maximum."
        )
    simple = [CLASSIFIER_LABELS[name] for name in study.classifiers if name != "cnn"]
    if simple:
        parts.append(
            f"As simple models, {listing(simple)} (scikit-learn) used the same tokens as 0/1 "
            "features, with penalty strength or number of trees chosen by validation log loss."
        )
    return " ".join(parts)


def _strategies(study: Study) -> str:
    words = "; ".join(
        f"{name}: {_strategy(strategy)}" for name, strategy in study.strategies.items()
    )
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


def _strategy(strategy: Strategy) -> str:
    kinds = {
        "local": "trained on the target only",
        "direct": "the source model applied to the target unchanged",
        "linear": "the source model's linear layer tuned on the target, convolution frozen",
        "full": "all layers of the source model tuned on the target",
        "pooled": "trained on source and target together",
    }
    settings = []
    if strategy.learning_rate is not None:
        settings.append(f"learning rate {strategy.learning_rate:g}")
    if strategy.epochs is not None:
        settings.append(f"{strategy.epochs} epochs")
    if strategy.kind == "pooled" and strategy.source_weight != 1:
        settings.append(f"weight {strategy.source_weight:g} for a source encounter")
    return kinds[strategy.kind] + (f" ({', '.join(settings)})" if settings else "")


def _training(study: Study) -> str:
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
    weighted = (
        " Classes were weighted by the inverse of their frequency."
        if training.class_weight == "balanced"
        else " Classes were not reweighted."
    )
    return (
        f"Models were fitted to the cross-entropy by {optimizer}, learning rate "
        f"{training.learning_rate:g}, weight decay {training.weight_decay:g}, batches of "
        f"{training.batch_size}, for at most {count(training.epochs, 'epoch')} of {length}{stop}; "
        f"the epoch with the best validation {monitored} was kept. With fewer than 10 positives "
        f"in the labelled target data, {count(training.fixed_epochs, 'epoch')} were run without "
        f"early stopping.{weighted} Each cell was repeated in "
        f"{count(study.replicates, 'replicate')}; a replicate redraws the target's labelled "
        "subset, initial weights, batches, dropout and control tables. All embeddings, controls "
        "and strategies had the same settings except where stated."
    )


def _evaluation(study: Study) -> str:
    settings = study.evaluation
    return (
        "Discrimination was measured by the areas under the receiver operating characteristic "
        "(AUROC) and precision-recall (AUPRC) curves, overall accuracy of probabilities by the "
        "Brier score and log loss, calibration by intercept and slope. Estimates are means over "
        f"replicates. {level(study)} intervals come from "
        f"{settings.draws:,} bootstrap draws of clusters, without stratification, crossed with "
        "draws of replicates; the spread of replicates is reported apart. Comparisons are paired: "
        "both models are evaluated in the same draws. P-values are adjusted by Holm's method "
        "within each named family of comparisons, and 'better' is said only of differences that "
        f"remain significant. Cells with fewer than {settings.min_positives} positive test "
        "encounters are flagged and kept out of the findings. Counts of patients below "
        f"{settings.small_cells} are suppressed."
    )


def _software(study: Study, packages: Mapping[str, str]) -> str:
    versions = listing([f"{name} {version}" for name, version in packages.items()])
    return (
        f"All random draws derive from the seed {study.seed}. The analysis used {versions}, on "
        f"the device {study.resources.device} with {count(study.resources.threads, 'thread')} per "
        "training job."
    )
