"""The methods section of a study, in words, from its config alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from concept_transfer.comparison.comparisons import FEWEST_REPLICATES
from concept_transfer.grid import Grid
from concept_transfer.reporting.formats import markdown_text
from concept_transfer.reporting.interconnections import methods_paragraph
from concept_transfer.reporting.methods_of_encoders import encoders, language_models
from concept_transfer.reporting.methods_of_models import embeddings, models, strategies, training
from concept_transfer.reporting.methods_of_notes import notes
from concept_transfer.reporting.rows import level
from concept_transfer.reporting.words import count, listing
from concept_transfer.sites.adapters import ADAPTERS
from concept_transfer.study import Study

NOT_RECORDED = {
    "omit": "A finding that nobody recorded contributed nothing to the model.",
    "absent": "A finding that nobody recorded was read as absent, as by Gao et al. (2024).",
}

OF_CLASSES = (
    " Each class was told from all others for the areas, calibration and usefulness (one against "
    "the rest); AUROC and AUPRC of all classes together are macro averages, the means over classes "
    "whatever their frequency. The Brier score is the sum over classes of squared errors; accuracy "
    "and the macro average of F1 (the harmonic mean of sensitivity and positive predictive value) "
    "judge the most probable class. Comparisons test the macro AUROC."
)
SUMMED = "(each encounter's influence summed over classes) "


def methods_text(
    study: Study, cards: Mapping[str, Mapping[str, Any]], packages: Mapping[str, str]
) -> list[tuple[str, str]]:
    """(heading, paragraph) pairs: data, splits, embeddings, encoders, models, training, evaluation.

    ``cards`` maps an embedding to its card (docs/contracts.md, "Embedding table"); ``packages``
    maps an installed package to its version.
    """
    sections = [
        ("Data and outcome", _data(study)),
        ("Findings from notes", notes(study)),
        ("Training, validation and test encounters", _split(study)),
        ("Concept embeddings", embeddings(study, cards)),
        ("Encoders of histories", encoders(study)),
        ("Language models", language_models(study)),
        ("Models", models(study)),
        ("Transfer strategies", strategies(study)),
        ("Training", training(study)),
        ("Evaluation and statistics", _evaluation(study)),
        ("Interconnections of codes", methods_paragraph(study)),
        ("Software", _software(study, packages)),
    ]
    return [section for section in sections if section[1]]


def markdown(sections: Sequence[tuple[str, str]]) -> str:
    """The methods as a Markdown document."""
    return "# Methods\n" + "".join(
        f"\n## {title}\n\n{markdown_text(text)}\n" for title, text in sections
    )


def _data(study: Study) -> str:
    described = {name: ADAPTERS[site.adapter].described(site) for name, site in study.sites.items()}
    own = {name: words for name, words in described.items() if study.has_encounters(name)}
    sites = "; ".join(f"{name}: {words}" for name, words in own.items())
    came = "; ".join(f"{name}: {described[name]}" for name in described if name not in own)
    received = f" Models came from elsewhere ({came})." if came else ""
    left_out = [*study.task.exclude_categories, *study.task.exclude_concepts]
    excluded = (
        f" Concepts of the kind {listing(left_out)} were withheld from every model, because they "
        "may give the outcome away."
        if left_out
        else ""
    )
    return (
        f"Encounters of {count(len(own), 'site')} were used ({sites}).{received} The outcome was "
        f"{study.task.label}{_classes(study)}. Predictors were the concepts of one vocabulary "
        f"shared by all sites ({study.vocabulary}), each with its states as separate "
        f"tokens.{_bins(study)}{excluded} "
        f"{NOT_RECORDED[study.task.not_recorded]} Encounters were mapped to the vocabulary before "
        "any split; codes without a concept were counted and reported, not guessed."
    )


def _classes(study: Study) -> str:
    names = study.task.class_names
    if not study.task.many_classes:
        return ""
    return f", one of {len(names)} classes ({listing(names)})"


def _bins(study: Study) -> str:
    """Where numbers were divided, if any were."""
    divided = [
        f"{entry.name or concept} into {entry.quantiles.bins} by quantiles of the training "
        f"encounters of {entry.quantiles.of}, fewer where values were tied"
        if entry.quantiles
        else f"{entry.name or concept} at {listing([f'{edge:g}' for edge in entry.edges or []])}"
        for concept, entry in study.bins.items()
    ]
    return f" Numbers were divided alike at all sites: {'; '.join(divided)}." if divided else ""


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
        "divided between training, validation and test. "
        + (
            "Encounters were ranked within their fold, whose model predicted them, and rank "
            "metrics averaged over folds by their numbers of pairs; validation data chose within "
            "each fold."
            if split.by == "folds"
            else "Test data were used once, for evaluation."
        )
    )


def _evaluation(study: Study) -> str:
    settings = study.evaluation
    equivalence = (
        f" Models were called equivalent where two one-sided tests, adjusted likewise, placed the "
        f"difference within {settings.margin:g}."
        if settings.margin is not None
        else ""
    )
    many = study.task.many_classes
    return (
        "Discrimination was measured by the areas under the receiver operating characteristic "
        "(AUROC) and precision-recall (AUPRC) curves, overall accuracy of probabilities by the "
        "Brier score and log loss, calibration by intercept and slope, usefulness by sensitivity "
        "at 90% and 95% specificity (points of the test encounters' ROC curve) and by the positive "
        "predictive value when "
        f"{settings.alert_rate:.0%} of the encounters raise an alert."
        f"{OF_CLASSES if many else ''} Estimates are means over "
        f"replicates. {level(study)} intervals come from "
        f"{settings.draws:,} bootstrap draws of clusters, without stratification, crossed with "
        "draws of replicates; the spread of replicates is reported apart. Comparisons are paired: "
        "a t test of the difference in AUROC with Satterthwaite's degrees of freedom, whose "
        "variance is that of the paired draws or, where every cluster is one encounter, DeLong's "
        f"{SUMMED if many else ''}plus the replicates'. "
        "P-values are adjusted by Holm's method within each named family of comparisons, and "
        "'better' is said only of differences that remain significant; intervals quoted with a "
        "verdict have the level at which Holm's method judged it. With fewer than "
        f"{FEWEST_REPLICATES} replicates no verdict is given. All inference holds each site's "
        f"training sample fixed.{equivalence}{_asked(study)}{_meaning(study)} Cells with "
        f"fewer than {settings.min_positives} test encounters "
        f"{'of a class' if many else 'with, or without, the outcome'} are flagged and "
        "kept out of the findings. Counts of encounters below "
        f"{settings.small_cells} are suppressed."
    )


def _asked(study: Study) -> str:
    """What the config asks of its own: steps of a ladder, and claims that grant a margin."""
    margins = {test.margin for claim in study.claims for test in claim.tests if test.margin}
    ladder = (
        f" Each of {listing(study.ladder[1:])} was compared with the one before it and with "
        f"{study.ladder[0]}."
        if study.ladder
        else ""
    )
    granted = listing([f"{margin:g}" for margin in sorted(margins)])
    return ladder + (
        " A claim that a model is no worse was borne out where the same test placed the "
        f"difference above minus {granted}, as stated with the claim."
        if margins
        else ""
    )


def _meaning(study: Study) -> str:
    """How meaning was tested, where the study has a shuffled control."""
    grid = Grid(study)
    if not grid.shuffled_cells:
        return ""
    strategies = listing(list(dict.fromkeys(cell.strategy for cell in grid.shuffled_cells)))
    return (
        " Whether it matters what vectors mean was tested by permutation: concepts exchanged their "
        f"vectors {study.meaning.shuffles:,} times, and models were trained anew on each "
        f"exchange with the same labelled encounters, initial weights and batches ({strategies}, "
        "the same for every direction). P-values are one-sided and corrected by the step-down "
        "max-T method of Westfall and Young (1993) over all these cells. Meaning is claimed only "
        "where the embedding also beats random vectors and one-hot findings of equal length."
    )


def _software(study: Study, packages: Mapping[str, str]) -> str:
    versions = listing([f"{name} {version}" for name, version in packages.items()])
    return f"All random draws derive from the seed {study.seed}. The analysis used {versions}."
