"""What the methods section says of each adapter, embedding provider, learner and strategy.

One function a kind, from the section of the config that describes one use of it and the study.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from concept_transfer.reporting.looks import learner_title, other_settings
from concept_transfer.reporting.words import listing
from concept_transfer.settings.embeddings import Norm, Standardized
from concept_transfer.study import Study

Words = Mapping[str, Callable[[Any, Study], str]]


def site_words(site: Any, study: Study) -> str:
    """Where the encounters of a site come from."""
    return ADAPTERS.get(site.adapter, _any_site)(site, study)


def embedding_words(embedding: Any, study: Study) -> str:
    """How the vectors of an embedding are made, and to which length they are scaled."""
    words = PROVIDERS.get(embedding.provider, _any_embedding)(embedding, study)
    return words + _scale(getattr(embedding, "scale", "raw"))


def learner_words(name: str, study: Study) -> str:
    """What a classifier is, in whole sentences."""
    title = learner_title(study, name)
    words = LEARNERS.get(name)
    return words(None, study) if words else f"{title[:1].upper()}{title[1:]} was trained too."


def strategy_words(strategy: Any, study: Study) -> str:
    """What a strategy does, and the settings that it does not share with the study."""
    words = STRATEGIES.get(strategy.kind, strategy.kind.replace("_", " "))
    settings = []
    if strategy.learning_rate is not None:
        settings.append(f"learning rate {strategy.learning_rate:g}")
    if strategy.epochs is not None:
        settings.append(f"{strategy.epochs} epochs")
    if strategy.kind == "pooled" and strategy.source_weight != 1:
        settings.append(f"weight {strategy.source_weight:g} for a source encounter")
    return words + (f" ({', '.join(settings)})" if settings else "")


def _simulated(site: Any, study: Study) -> str:
    return (
        f"{site.encounters:,} encounters simulated from the Bayesian network {site.network} "
        f"(seed {site.seed})"
    )


def _nhamcs(site: Any, study: Study) -> str:
    cohort = " with a fever or respiratory reason" if site.cohort == "respiratory" else ""
    years = listing([str(year) for year in site.years])
    return (
        f"emergency-department visits{cohort} in the {site.region} of the United States, NHAMCS "
        f"public-use files of {years}"
    )


def _tabular(site: Any, study: Study) -> str:
    files = [path for path in (site.path, *site.train, *site.validation, *site.test) if path]
    return f"tabular files {listing(files)}"


def _any_site(site: Any, study: Study) -> str:
    return f"{site.adapter} {other_settings(site, 'adapter')}".strip()


def _one_hot(embedding: Any, study: Study) -> str:
    return "one dimension per token"


def _shuffled(embedding: Any, study: Study) -> str:
    return f"the vectors of {embedding.of}, concepts permuted"


def _random(embedding: Any, study: Study) -> str:
    return f"Gaussian vectors with the width and norms of {embedding.like}"


def _precomputed(embedding: Any, study: Study) -> str:
    return f"published vectors, {embedding.path}"


def _transformers(embedding: Any, study: Study) -> str:
    revision = f" at revision {embedding.revision}" if embedding.revision else ""
    wording = embedding.model_dump(include={"prompt", "wording"}, exclude_defaults=True)
    changed = "".join(f", {key} {value}" for key, value in wording.items())
    return f"language model {embedding.model}{revision}, {embedding.pooling} pooling{changed}"


def _any_embedding(embedding: Any, study: Study) -> str:
    return f"{embedding.provider} {other_settings(embedding, 'provider', 'scale')}".strip()


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


def _concept_cnn(settings: Any, study: Study) -> str:
    training = study.training
    return (
        "The concept CNN of Gao et al. (2024) passes the vectors of an encounter's tokens "
        f"through a convolution of kernel size 1 with {training.filters} filters, ReLU, the "
        f"maximum over the encounter's tokens, dropout {training.dropout:g} and a linear layer "
        "with softmax. Tokens that are not recorded do not enter the maximum."
    )


def _logistic(settings: Any, study: Study) -> str:
    return (
        "Logistic regression (scikit-learn) used the same tokens as 0/1 features, with the "
        "strength of its L2 penalty chosen by validation log loss."
    )


def _gradient_boosting(settings: Any, study: Study) -> str:
    return (
        "Gradient boosting (scikit-learn) used the same tokens as 0/1 features, with the number "
        "of trees chosen by validation log loss."
    )


ADAPTERS: Words = {"simulated": _simulated, "nhamcs": _nhamcs, "tabular": _tabular}
PROVIDERS: Words = {
    "one_hot": _one_hot,
    "shuffled": _shuffled,
    "random": _random,
    "precomputed": _precomputed,
    "transformers": _transformers,
}
LEARNERS: Words = {
    "cnn": _concept_cnn,
    "logistic": _logistic,
    "gradient_boosting": _gradient_boosting,
}
STRATEGIES = {
    "local": "trained on the target only",
    "direct": "the source model applied to the target unchanged",
    "linear": "the source model's linear layer tuned on the target, convolution frozen",
    "full": "all layers of the source model tuned on the target",
    "pooled": "trained on source and target together",
}
