"""What a reader must not conclude from a study, derived from how it was set up."""

from __future__ import annotations

from concept_transfer.comparison.comparisons import FEWEST_REPLICATES
from concept_transfer.evaluation.schemas import CLASS
from concept_transfer.reporting.evidence import Evidence
from concept_transfer.reporting.looks import caveats
from concept_transfer.reporting.words import listing
from concept_transfer.study import Study

FEW_SITES = 5


def limitations(evidence: Evidence) -> list[str]:
    """Sentences, the most serious first; only those that hold for this study."""
    study, estimates = evidence.study, evidence.estimates
    auroc = estimates[estimates["metric"] == "auroc"]
    sentences = list(evidence.warnings)
    if study.notice:
        sentences.append(study.notice)
    sentences += caveats(study)
    flagged = sorted(set(auroc.loc[auroc["flag"] != "", "target"]))
    if flagged:
        few = "of a class" if evidence.many_classes else "with, or without, the outcome"
        sentences.append(
            f"Too few test encounters {few} to conclude anything on "
            f"{listing(flagged)} (fewer than {study.evaluation.min_positives}); these cells are "
            "marked and left out of the findings."
        )
    sentences += _of_classes(evidence)
    sentences += _of_encoders(study)
    if "suppressed" in auroc:
        silent = sorted(set(auroc.loc[auroc["suppressed"], "target"]))
        if silent:
            sentences.append(
                f"Nothing that was measured on {listing(silent)} is shown: it would tell counts of "
                f"fewer than {study.evaluation.small_cells} encounters."
            )
    failed, diverged = int(auroc["not_estimable"].sum()), int(auroc["diverged"].sum())
    if failed or diverged:
        sentences.append(
            f"In {failed:,} replicates a draw held one class only, and in {diverged:,} training "
            "diverged; they are not part of any mean, and the table of all models counts them by "
            "cell."
        )
    if study.split.by == "folds":
        sentences.append(
            "Under cross-fitting an estimate is the mean of several folds' models, each trained on "
            "less than all encounters; the model to use would be trained on all and may differ."
        )
    if study.replicates < FEWEST_REPLICATES:
        sentences.append(
            f"With fewer than {FEWEST_REPLICATES} replicates the spread between training runs is "
            "not known well enough, so no comparison has a verdict."
        )
    if study.split.by == "given":
        sentences.append(
            "The partition into training and test encounters came with the data and was not "
            "redrawn."
        )
    if len(study.sites) < FEW_SITES:
        sentences.append(
            f"{len(study.sites)} sites are a sample of sites: the intervals say how surely the "
            "results hold for these sites, not for others."
        )
    sentences.append(
        "Each site gave one training sample. Intervals and tests hold it fixed: they contain the "
        "sampling of test encounters, of labelled subsets, and of initial weights and batches, not "
        "what another sample of a site's training encounters would have given."
    )
    sentences.append(
        "Sensitivities at 90 and 95 % specificity are read off the test encounters' own ROC "
        "curves; a threshold fixed beforehand reaches the intended specificity only roughly, as "
        "the columns beside them show."
    )
    sentences.append(
        "The highest of many cells is higher in this test set than it would be in new data; the "
        "choice by validation, and its regret, is the fairer figure."
    )
    sentences.append(
        "'No evidence' of a difference is not evidence of equality; the intervals show which "
        "differences remain possible."
    )
    return sentences


def _of_classes(evidence: Evidence) -> list[str]:
    """Of more than two classes: those that a test set lacks, and what is not reported."""
    if not evidence.many_classes:
        return []
    shown = evidence.class_estimates.drop_duplicates(["target", CLASS])
    lacking = shown[shown["positives"] == 0]
    missing = [
        f"{listing(list(classes))} on {target}"
        for target, classes in lacking.groupby("target", sort=False)[CLASS]
    ]
    sentences = [
        f"No test encounter is of the class {'; '.join(missing)}: nothing is estimated of it "
        "there, and the macro means leave it out."
    ]
    return [
        *(sentences if missing else []),
        "Recalibration and the Brier score's parts are not reported for more than two classes: "
        "risks that are recalibrated class by class no longer sum to 1.",
    ]


def _of_encoders(study: Study) -> list[str]:
    """Of encoders that know more of a target than its labels."""
    targets = {target for _, target in study.ordered_pairs()}
    taught = {
        site
        for encoder in study.encoders.values()
        if encoder.kind == "codes" and encoder.pretrain
        for site in targets.intersection(encoder.sites)
    }
    if not taught:
        return []
    return [
        f"Encoders that were pre-trained on whole records of {listing(sorted(taught))} have read, "
        "as codes, what happened after their index times to patients who train: with few labels "
        "there, models that start from them know more of the site than these labels."
    ]
