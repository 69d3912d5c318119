"""What of a study's results leaves the sites: decided once, for every table, figure and text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pandas as pd

from concept_transfer.cell import ALL_SITES
from concept_transfer.evaluation.metrics import RANKING
from concept_transfer.evaluation.schemas import CLASS
from concept_transfer.reporting.analysis import Analysis
from concept_transfer.reporting.classes import class_names
from concept_transfer.reporting.evidence import Evidence
from concept_transfer.reporting.provenance import Provenance
from concept_transfer.reporting.suppression import COMPLEMENT, below, few

DECIMALS = 3  # of what the sites' shift is published with, in every file
MEASURED = ["estimate", "lower", "upper", "sampling_se", "replicate_sd", "no_skill"]
COMPARED = ["difference", "lower", "upper", "lower_holm", "upper_holm", "standard_error"]
COMPARED += ["freedom", "p", "p_holm", "p_equivalence"]
FITTED = ["replicates", "not_estimable", "diverged"]
UNTESTED = ("underpowered", "not estimable")  # verdicts that tell no number
DISTANCES = ("js_", "kl_", "classifier_auroc")
OF_LABELS = ("prevalence_difference", "js_positive", "js_negative")


@dataclass(frozen=True)
class Hidden:
    """Sites that keep counts to themselves.

    ``sites``: how many of their patients have the outcome; ``tests``: the same of their test
    encounters, and with it all that was measured on these; ``encounters``: how many there are.
    """

    sites: frozenset[str]
    tests: frozenset[str]
    encounters: frozenset[str]

    @property
    def carriers(self) -> frozenset[str]:
        """Sites whose models' risks carry what ``sites`` hides; all sites together are one."""
        return self.sites | {ALL_SITES} if self.sites else self.sites


def hidden_in(evidence: Evidence) -> Hidden:
    """Whose counts are small: with or without the outcome (of more than two classes, any of them),
    at the site, in its test set or beside it.

    The counts of a site are hidden with those of its test set, because a split by share meets its
    share among all classes alike; so are those of its test set with a small rest.
    """
    threshold = evidence.study.evaluation.small_cells
    by_share = evidence.study.split.by == "share"
    tested = _tested(evidence)
    tests = {target for target, counts in tested.items() if counts.are_small(threshold)}
    sites: set[str] = set()
    encounters: set[str] = set()
    for site, report in evidence.reports.items():
        whole = _at_site(report, class_names(evidence.class_estimates))
        rest = whole.without(tested.get(site, whole))
        few_rest = rest.encounters > 0 and rest.are_small(threshold)
        if whole.are_small(threshold) or few_rest:
            sites.add(site)
        if few_rest and by_share:
            tests.add(site)
        if whole.encounters < threshold or 0 < rest.encounters < threshold:
            encounters.add(site)
    return Hidden(frozenset(sites | tests), frozenset(tests), frozenset(encounters))


@dataclass(frozen=True)
class Counts:
    """Encounters, and how many of them have each class (of two, the outcome alone)."""

    encounters: int
    of_class: Mapping[str, int]

    def are_small(self, threshold: int) -> bool:
        """Whether a class has few encounters, or few have it not."""
        return any(few(own, self.encounters, threshold) for own in self.of_class.values())

    def without(self, part: Counts) -> Counts:
        """Those that are not in ``part``."""
        rest = {name: own - part.of_class[name] for name, own in self.of_class.items()}
        return Counts(self.encounters - part.encounters, rest)


def _tested(evidence: Evidence) -> dict[str, Counts]:
    """Target -> its test encounters."""
    each = evidence.class_estimates if evidence.many_classes else evidence.estimates
    each = each.assign(**{CLASS: each[CLASS] if evidence.many_classes else ""})
    rows = each.drop_duplicates(["target", CLASS])
    return {
        str(target): Counts(
            int(own["encounters"].iloc[0]), dict(zip(own[CLASS], own["positives"], strict=True))
        )
        for target, own in rows.groupby("target", sort=False)
    }


def _at_site(report: Mapping[str, Any], classes: Sequence[str]) -> Counts:
    own = {name: report["classes"][name] for name in classes} or {"": report["positives"]}
    return Counts(report["encounters"], own)


def published(evidence: Evidence) -> Evidence:
    """The evidence without small counts of patients and without what would give them away.

    Nothing is left that was measured on a test set with few encounters of any class: its
    AUROC, sensitivity or intervals tell how many they are. Of models that learned from a site with
    hidden counts, or are tested there, only rank metrics are left, because their risks carry its
    prevalence. Rows whose numbers were taken away are marked in a column ``suppressed``.
    """
    hidden = hidden_in(evidence)
    threshold = evidence.study.evaluation.small_cells
    return replace(
        evidence,
        estimates=_counts_hidden(_without(evidence.estimates, hidden, MEASURED), hidden, threshold),
        class_estimates=_counts_hidden(
            _without(evidence.class_estimates, hidden, MEASURED), hidden, threshold
        ),
        comparisons=_without(evidence.comparisons, hidden, COMPARED),
        answers=[
            {**answer, "rows": [_answered(row, hidden) for row in answer["rows"]]}
            for answer in evidence.answers
        ],
        reports={site: _report(site, report, hidden) for site, report in evidence.reports.items()},
        ceilings={
            site: best for site, best in evidence.ceilings.items() if site not in hidden.tests
        },
        analysis=evidence.analysis and _analysis(evidence.analysis, hidden),
        subgroups=_without(
            evidence.subgroups[~evidence.subgroups["target"].isin(hidden.tests)],
            hidden,
            ["estimate", "lower", "upper"],
        ),
        calibration=evidence.calibration[~_carries_prevalence(evidence.calibration, hidden)],
    )


def _answered(row: Mapping[str, Any], hidden: Hidden) -> dict[str, Any]:
    """An answer's row; of a hidden test set its names only, marked as ``suppressed``."""
    places = [row, row.get("lowest_at", {}), row.get("highest_at", {})]
    if hidden.tests.isdisjoint(place.get("target") for place in places):
        if hidden.carriers.isdisjoint((row.get("source"), row.get("target"))):
            return dict(row)
        unknown = {name: float("nan") for name in row if name.startswith("calibration_")}
        return {**row, **unknown}
    named = {name: value for name, value in row.items() if isinstance(value, str | dict)}
    if row.get("verdict", "") not in UNTESTED:
        named["verdict"] = COMPLEMENT
    return {**named, "suppressed": True}


def published_provenance(provenance: Provenance, evidence: Evidence) -> Provenance:
    """The provenance without digests of files that hold hidden counts: guesses could be tested."""
    files = {f"site {site}" for site in hidden_in(evidence).sites}
    kept = {name: sha for name, sha in provenance.fingerprints.items() if name not in files}
    return replace(provenance, fingerprints=kept)


def _carries_prevalence(frame: pd.DataFrame, hidden: Hidden) -> pd.Series:
    """Cells whose predicted risks would tell a hidden count."""
    return frame["source"].isin(hidden.carriers) | frame["target"].isin(hidden.sites)


def _without(frame: pd.DataFrame, hidden: Hidden, columns: list[str]) -> pd.DataFrame:
    """The frame with ``columns`` missing where they would tell a hidden count."""
    ranks = frame["metric"].isin([metric.name for metric in RANKING])
    risks = _carries_prevalence(frame, hidden) & ~ranks
    taken = frame["target"].isin(hidden.tests) | risks
    present = [name for name in columns if name in frame]
    shown = frame.assign(suppressed=taken)
    shown[present] = frame[present].mask(taken)
    if "verdict" in frame:
        shown["verdict"] = frame["verdict"].mask(taken & (frame["verdict"] != ""), COMPLEMENT)
    return shown


def _counts_hidden(estimates: pd.DataFrame, hidden: Hidden, threshold: int) -> pd.DataFrame:
    taken = estimates["target"].isin(hidden.tests)
    shown = estimates.copy()
    for name in FITTED:
        shown[name] = estimates[name].astype("Int64").mask(taken)
    small = estimates["positives"] < threshold
    labels = small.map({True: below(threshold), False: COMPLEMENT})
    shown["positives"] = estimates["positives"].astype(object).mask(taken, labels)
    small = estimates["encounters"] < threshold
    shown["encounters"] = estimates["encounters"].astype(object).mask(small, below(threshold))
    return shown


def _report(site: str, report: Mapping[str, Any], hidden: Hidden) -> dict[str, Any]:
    """A site's report with the names of the counts that must be hidden beside its own."""
    names = {"positives": hidden.sites, "encounters": hidden.encounters}
    return {**report, "hidden": [name for name, sites in names.items() if site in sites]}


def _analysis(analysis: Analysis, hidden: Hidden) -> Analysis:
    """Site shift with the digits that are published, without the prevalences of hidden sites."""
    loss = analysis.shift_loss.copy()
    taken = loss["target"].isin(hidden.tests)
    loss[["loss", "lower", "upper"]] = loss[["loss", "lower", "upper"]].mask(taken)
    either = _carries_prevalence(loss, hidden)
    measures = [str(name) for name in loss if str(name).startswith(DISTANCES)]
    loss[measures] = loss[measures].astype(float).round(DECIMALS)
    of_labels = [name for name in measures if name.startswith(OF_LABELS)]
    loss[of_labels] = loss[of_labels].mask(either)
    loss["verdict"] = loss["verdict"].mask(taken, COMPLEMENT)
    return replace(
        analysis,
        extraction_cost=_cost(analysis.extraction_cost, hidden),
        shift=_shift(analysis.shift, hidden),
        shift_findings=_shift(analysis.shift_findings, hidden),
        shift_loss=loss.assign(suppressed=taken),
    )


def _cost(cost: pd.DataFrame, hidden: Hidden) -> pd.DataFrame:
    """What reading from notes costs, without what was measured on hidden test sets."""
    taken = cost["target"].isin(hidden.tests) | cost["gold_target"].isin(hidden.tests)
    numbers = ["estimate", "gold_estimate", "difference", "lower", "upper"]
    numbers += ["lower_holm", "upper_holm", "p", "p_holm"]
    shown = cost.assign(suppressed=taken, verdict=cost["verdict"].mask(taken, COMPLEMENT))
    shown[numbers] = cost[numbers].mask(taken)
    return shown


def _shift(frame: pd.DataFrame, hidden: Hidden) -> pd.DataFrame:
    numbers = ["estimate", "lower", "upper", "source_value", "target_value"]
    told = frame["measure"].str.startswith(OF_LABELS) & _carries_prevalence(frame, hidden)
    return frame.assign(**frame[numbers].round(DECIMALS).mask(told))
