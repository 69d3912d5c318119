"""Units of numbers: one at all sites, or said; from the adapters' reports to the refusal."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from in_process import run_study
from omop_tables import write as write_omop
from synthea_meds import write_meds
from test_meds import events
from test_meds import read as read_meds
from test_meds import site as meds_site
from test_meds_study import some_events
from test_omop import PER_MINUTE, PULSE, small
from test_omop import read as read_omop
from test_omop import site as omop_site

from concept_transfer.errors import StudyError
from concept_transfer.sites.units import check_units_of_sites


def report(declared: bool, *names: str) -> dict[str, Any]:
    return {"units": {"pulse": {"declared": declared, "names": list(names)}}}


@pytest.mark.parametrize(
    ("one", "other", "bins", "where"),
    [
        (report(False, "/min"), report(False, "/min"), "", ""),
        (report(False, "/min"), {}, "", ""),
        (report(False, "/min"), {}, "/min", ""),
        (report(True, "bpm"), report(True, "/min"), "1/min", ""),
        (report(True, "bpm", "/min"), report(False, "/min"), "", ""),
        (report(False, "/min"), report(False, "/s"), "", "site east"),
        (report(True, "/min"), report(False, "/s"), "", "site west"),
        (report(False, "/s"), report(True, "/min"), "", "site east"),
        ({}, report(False, "/s"), "/min", "site west"),
    ],
)
def test_a_unit_that_is_another_elsewhere_is_declared_or_refused(
    one: dict[str, Any], other: dict[str, Any], bins: str, where: str
) -> None:
    given = {"east": one, "west": other}, {"pulse": bins}
    if not where:
        check_units_of_sites(*given)
        return
    with pytest.raises(StudyError, match=rf"concept pulse .*'/s'.* under 'units' of {where}"):
        check_units_of_sites(*given)


def test_adapters_report_the_units_that_count_as_those_of_the_bins(tmp_path: Path) -> None:
    write_omop(small(), tmp_path / "cdm", "parquet")
    found = read_omop(omop_site(tmp_path / "cdm")).report["units"]
    assert found == {str(PULSE): {"declared": True, "names": [str(PER_MINUTE)]}}
    folder = write_meds(tmp_path / "meds", [e for e in events() if e[4] != "/s"])
    found = read_meds(meds_site(folder, units={})).report["units"]
    assert found == {"LAB//pulse": {"declared": False, "names": ["/min"]}}
    assert "units" not in read_meds(meds_site(folder, units={}, unit_column=None)).report


def test_the_check_refuses_a_study_of_two_units(tmp_path: Path) -> None:
    made, _ = some_events(0)
    write_meds(tmp_path / "east", made)
    seconds = [(*e[:3], e[3] / 60, "/s") if e[4] else e for e in some_events(1)[0]]
    write_meds(tmp_path / "west", seconds)
    words = "concept\tname\tcategory\tstate\ttext\nDX//R05\tCough\tfinding\tpresent\tcough\n"
    (tmp_path / "vocabulary.tsv").write_text(words)
    cohort = {"index": ["VISIT//*"], "outcome": ["DX//J10"], "horizon_days": 30}
    site = {"adapter": "meds", "cohort": cohort}
    config = {
        "study": "tiny",
        "vocabulary": str(tmp_path / "vocabulary.tsv"),
        "task": {"label": "flu"},
        "sites": {name: site | {"path": str(tmp_path / name)} for name in ("east", "west")},
        "bins": {"LAB//pulse": {"quantiles": {"of": "east", "bins": 4}}},
        "split": {"by": "share"},
        "embeddings": {"one_hot": {"provider": "one_hot"}},
        "classifiers": ["logistic"],
        "strategies": ["local", "direct"],
        "target_sizes": ["all"],
    }
    with pytest.raises(AssertionError, match=r"'/min' \(site east\) and in '/s' \(site west\)"):
        run_study(tmp_path, config, "check")
