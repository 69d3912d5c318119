"""Nothing that a study publishes tells a small count: an attacker tries."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from attacker import Attacker, Fact
from reporting_data import a_study, estimates, evidence
from small_sites import VOCABULARY, Hospital, evidence_of

from concept_transfer.errors import StudyError
from concept_transfer.reporting.answers import answered
from concept_transfer.reporting.evidence import Evidence
from concept_transfer.reporting.limitations import limitations
from concept_transfer.reporting.provenance import Provenance
from concept_transfer.reporting.published import hidden_in, published, published_provenance
from concept_transfer.reporting.report import write_figures, write_page, write_tables

SMALL = 11
HOSPITALS = {
    "few positives, few rows dropped, a rare finding; a group without any positive": (
        0.3,
        {
            "north_county": Hospital(
                {"child": (2, 80), "adult": (3, 95)}, (12, 400), dropped=3, rare={"cough": 4}
            ),
            "south_county": Hospital(
                {"child": (0, 60), "adult": (11, 100), "old": (79, 90)}, (210, 590)
            ),
        },
    ),
    "few without the outcome; two groups of ten positives": (
        0.3,
        {
            "north_county": Hospital({"child": (70, 2), "adult": (80, 2)}, (350, 9), dropped=7),
            "south_county": Hospital({"child": (10, 100), "adult": (10, 140)}, (47, 580)),
        },
    ),
    "few positives beside the test set; a group of few": (
        0.7,
        {
            "north_county": Hospital({"child": (9, 80), "adult": (12, 109)}, (9, 81), dropped=1),
            "south_county": Hospital(
                {"child": (3, 9), "adult": (22, 100), "old": (45, 121)}, (30, 100)
            ),
        },
    ),
}


@dataclass(frozen=True)
class Report:
    """A published study, and the truth about its patients."""

    evidence: Evidence
    share: float
    hospitals: dict[str, Hospital]
    folder: Path

    @cached_property
    def attacker(self) -> Attacker:
        settings = self.evidence.study.evaluation
        return Attacker(
            self.folder,
            settings.small_cells,
            self.evidence.study.replicates,
            self.share,
            settings.min_positives,
            tuple(VOCABULARY.concept_states),
        )

    def truth(self) -> dict[Fact, int]:
        found: dict[Fact, int] = {}
        for site, hospital in self.hospitals.items():
            (tested, _), (whole, _) = hospital.tested, hospital.whole
            found[("positives", site)] = whole
            found[("test positives", site)] = tested
            found[("other positives", site)] = whole - tested
            found[("dropped", site)] = hospital.dropped
            for group, (positives, others) in hospital.test.items():
                found["group positives", site, "age group", group] = positives
                found["group encounters", site, "age group", group] = positives + others
            found |= {("recorded", site, c): n for c, n in hospital.rare.items()}
        return found

    def totals(self) -> dict[Fact, int]:
        """What the counts are parts of."""
        return {
            ("positives", site): sum(hospital.whole)
            for site, hospital in self.hospitals.items()
        } | {
            ("test positives", site): sum(hospital.tested)
            for site, hospital in self.hospitals.items()
        } | {
            ("other positives", site): sum(hospital.rest)
            for site, hospital in self.hospitals.items()
        } | {
            ("group positives", site, "age group", group): sum(counts)
            for site, hospital in self.hospitals.items()
            for group, counts in hospital.test.items()
        }  # fmt: skip


@pytest.fixture(scope="module", params=HOSPITALS)
def report(request, tmp_path_factory) -> Report:
    """Tables and page of every study; the figures, which take longest, of the first."""
    share, hospitals = HOSPITALS[request.param]
    folder = tmp_path_factory.mktemp("published")
    found = evidence_of(hospitals, share, tmp_path_factory.mktemp("metrics"))
    write_tables(found, folder / "tables")
    (folder / "figures").mkdir()
    (folder / "figures" / "index.json").write_text("[]")
    if request.param == next(iter(HOSPITALS)):
        write_figures(found, folder / "figures")
    digests = Provenance("1", {}, {f"site {site}": "ab" * 32 for site in hospitals})
    write_page(found, folder / "figures", digests, folder / "report.html")
    return Report(found, share, hospitals, folder)


def test_at_least_three_values_remain_possible_for_every_small_count(report: Report) -> None:
    truth, totals = report.truth(), report.totals()
    found = report.attacker.candidates()
    for fact, candidates in found.items():
        count = truth.get(fact)
        if fact[0].startswith("hidden"):
            assert min(candidates) >= SMALL, fact
            continue
        if count is None:
            continue
        assert count in candidates, f"the attacker is wrong about {fact}"
        smallest = min(count, totals.get(fact, math.inf) - count)
        if smallest < SMALL and not (fact[0] == "dropped" and count == 0):
            assert len(candidates) >= 3, (fact, candidates)


def test_no_share_of_a_small_count_stands_in_a_file(report: Report) -> None:
    values = {}
    totals = report.totals()
    for fact, count in report.truth().items():
        total = totals.get(fact)
        if total is None or min(count, total - count) >= SMALL or count in (0, total):
            continue
        share = count / total
        values |= {
            f"{fact} share": share,
            f"{fact} uncertainty": share * (1 - share),
            f"{fact} entropy": -share * math.log(share) - (1 - share) * math.log(1 - share),
        }
    assert values
    assert report.attacker.verbatim(values) == []


def test_published_evidence_is_the_same_where_no_count_is_small() -> None:
    study = a_study()
    found = evidence(study)
    shown = published(found)
    assert not hidden_in(found).sites
    pd.testing.assert_frame_equal(
        shown.estimates.drop(columns="suppressed"), found.estimates, check_dtype=False
    )
    pd.testing.assert_frame_equal(shown.comparisons.drop(columns="suppressed"), found.comparisons)
    assert shown.ceilings == found.ceilings


@pytest.mark.parametrize(
    ("positives", "encounters", "hidden"),
    [(10, 600, True), (11, 600, False), (589, 600, False), (590, 600, True), (0, 600, True)],
)
def test_either_class_may_be_the_small_one(positives: int, encounters: int, hidden: bool) -> None:
    study = a_study()
    tidy = estimates(study)
    tidy.loc[tidy["target"] == "south_county", "positives"] = positives
    tidy.loc[tidy["target"] == "south_county", "encounters"] = encounters
    found = evidence(study, estimates=tidy, reports={})
    assert (hidden_in(found).tests == {"south_county"}) == hidden
    shown = published(found).estimates
    own = shown[shown["target"] == "south_county"]
    assert own["estimate"].isna().all() == hidden
    auroc = shown[(shown["target"] == "north_county") & (shown["metric"] == "auroc")]
    assert not auroc["suppressed"].any()


def test_models_of_a_site_with_few_positives_show_ranks_but_no_risks() -> None:
    """The mean risk of a model is about the prevalence where it learned."""
    study = a_study(pairs=[["north_county", "south_county"]])
    report = {"rows_read": 600, "dropped": {}, "encounters": 600, "positives": 8}
    report |= {"prevalence": 8 / 600, "unmapped": {}}
    found = evidence(study, reports={"north_county": report})
    assert hidden_in(found).tests == set()
    shown = published(found)
    known = shown.estimates.groupby("metric")["estimate"].agg(lambda values: values.notna().all())
    learned = shown.estimates[shown.estimates["source"] == "north_county"]
    missing = learned.groupby("metric")["estimate"].agg(lambda values: values.isna().all())
    assert missing[["brier", "log_loss", "calibration_slope"]].all()
    assert known[["auroc", "auprc"]].all()
    assert set(shown.calibration["source"]) == {""}
    brier = shown.comparisons[shown.comparisons["metric"] == "brier"]
    assert brier.loc[brier["source"] == "north_county", "difference"].isna().all()
    assert (
        "site south_county"
        in published_provenance(
            Provenance("1", {}, {"site north_county": "a", "site south_county": "b"}), found
        ).fingerprints
    )


def test_a_digest_of_few_patients_is_not_published(tmp_path: Path) -> None:
    tidy = estimates(a_study()).assign(positives=5)
    found = evidence(a_study(), estimates=tidy)
    digests = Provenance("1", {}, {"site north_county": "ab" * 32, "vocabulary": "cd" * 32})
    assert published_provenance(digests, found).fingerprints == {"vocabulary": "cd" * 32}


def test_a_small_target_is_named_and_its_answers_are_left_out() -> None:
    tidy = estimates(a_study())
    tidy.loc[tidy["target"] == "south_county", "positives"] = 5
    model = {"embedding": "minilm", "classifier": "cnn", "strategy": "full", "source": ""}
    row = {"size": "all", "chosen": model, "best_in_hindsight": model, "flag": ""}
    row |= {"chosen_by": 2, "choices": 3, "auroc_of_choices": 0.8125, "candidates": 9}
    row |= {"regret": 0.01, "regret_naive": 0.02}
    rows = [{"target": place, **row} for place in ("north_county", "south_county")]
    answers = [{"name": "choice", "rows": rows}]
    shown = published(evidence(a_study(), estimates=tidy, answers=answers))
    (answer,) = answered(shown.study, shown.answers)
    assert [row["target"] for row in answer.rows] == ["north_county"]
    assert len(answer.sentences) == 1
    assert "On north_county" in answer.short
    assert not [value for value in shown.answers[0]["rows"][1].values() if value == 0.8125]
    assert shown.ceilings.keys() == {"north_county"}
    assert set(shown.subgroups["target"]) == {"north_county"}
    assert any("measured on south_county" in words for words in limitations(shown))


def test_a_claim_on_a_small_target_tells_no_number_and_survives_nowhere() -> None:
    tidy = estimates(a_study())
    tidy.loc[tidy["target"] == "south_county", "positives"] = 5
    side = {"embedding": "minilm", "strategy": "full"}
    row = {"claim": "Meaning wins", "under": "tuned", "size": "all", "a": side, "b": side}
    row |= {"verdict": "better", "difference": 0.0625, "lower": 0.05, "upper": 0.07}
    row |= {"lower_holm": 0.04, "upper_holm": 0.08, "test": "DeLong", "p_holm": 0.001}
    places = [("south_county", "north_county"), ("north_county", "south_county")]
    rows = [{**row, "source": source, "target": target} for source, target in places]
    answers = [{"name": "claims", "rows": rows}]
    shown = published(evidence(a_study(), estimates=tidy, answers=answers))
    (answer,) = answered(shown.study, shown.answers)
    told = " ".join(answer.sentences)
    assert "survive under all conditions tested: 0 of 1" in told
    assert told.count("+0.062") == len(answer.rows) == 1
    assert "(north_county → south_county, all target labels), suppressed" in told
    (complete,) = answered(shown.study, answers)
    assert "Survives: “Meaning wins”." in complete.sentences


def test_findings_never_rest_on_counts_that_are_suppressed() -> None:
    with pytest.raises(
        StudyError, match=r"min_positives \(5\) is less than evaluation\.small_cells \(11\)"
    ):
        a_study(evaluation={"min_positives": 5})
    assert a_study(evaluation={"min_positives": 5, "small_cells": 5})


def test_answers_without_rows_have_no_table(tmp_path: Path) -> None:
    tidy = estimates(a_study()).assign(positives=5)
    paths = write_tables(evidence(a_study(), estimates=tidy), tmp_path)
    assert {"cells", "glance"} <= {path.stem for path in paths}
    shown = pd.read_csv(tmp_path / "cells.csv")
    assert set(shown["positives"]) == {"<11"}
    assert np.isnan(shown["auroc"]).all()
    text = json.dumps((tmp_path / "cells.md").read_text())
    assert "not estimable" not in text
    assert "suppressed" in text
