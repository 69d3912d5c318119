"""What a reader must not conclude from a study, derived from how it was set up."""

from __future__ import annotations

from concept_transfer.reporting.evidence import Evidence
from concept_transfer.reporting.words import listing

FEW_REPLICATES = 5
FEW_SITES = 5


def limitations(evidence: Evidence) -> list[str]:
    """Sentences, the most serious first; only those that hold for this study."""
    study, estimates = evidence.study, evidence.estimates
    auroc = estimates[estimates["metric"] == "auroc"]
    found = []
    if study.notice:
        found.append(study.notice)
    if any(site.adapter == "simulated" for site in study.sites.values()):
        found.append(
            "Encounters were simulated. Differences between methods show what can happen, not what "
            "will happen with real patients."
        )
    flagged = sorted(set(auroc.loc[auroc["flag"] != "", "target"]))
    if flagged:
        found.append(
            f"Too few positive test encounters to conclude anything on {listing(flagged)} "
            f"(fewer than {study.evaluation.min_positives}); these cells are marked and left out "
            "of the findings."
        )
    if "suppressed" in auroc:
        silent = sorted(set(auroc.loc[auroc["suppressed"], "target"]))
        if silent:
            found.append(
                f"Nothing that was measured on {listing(silent)} is shown: it would tell counts of "
                f"fewer than {study.evaluation.small_cells} patients."
            )
    failed, diverged = int(auroc["not_estimable"].sum()), int(auroc["diverged"].sum())
    if failed or diverged:
        found.append(
            f"In {failed:,} replicates a draw held one class only, and in {diverged:,} training "
            "diverged; they are not part of any mean, and the table of all models counts them by "
            "cell."
        )
    if study.split.by == "folds":
        found.append(
            "Under cross-fitting the predictions of several models are ranked together: where "
            "folds differ in calibration, AUROC is somewhat lower than that of any one model."
        )
    if study.replicates == 1:
        found.append(
            "With one replicate no interval contains the spread between training runs; differences "
            "may be theirs."
        )
    elif study.replicates < FEW_REPLICATES:
        found.append(
            f"With {study.replicates} replicates the spread between training runs is known only "
            "roughly."
        )
    if study.split.by == "given":
        found.append(
            "The partition into training and test encounters came with the data and was not "
            "redrawn."
        )
    if any(site.adapter == "nhamcs" for site in study.sites.values()):
        found.append(
            "NHAMCS has no patient identifier across visits, so a patient's visits may lie on both "
            "sides of a split; clusters are hospitals within a year. Visits are an unweighted "
            "sample, not national estimates."
        )
    if len(study.sites) < FEW_SITES:
        found.append(
            f"{len(study.sites)} sites are a sample of sites: the intervals say how surely the "
            "results hold for these sites, not for others."
        )
    found.append(
        "The highest of many cells is higher in this test set than it would be in new data; the "
        "choice by validation, and its regret, is the fairer figure."
    )
    found.append(
        "'No evidence' of a difference is not evidence of equality; the intervals show which "
        "differences remain possible."
    )
    return found
