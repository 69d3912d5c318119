"""The report's tables of coverage: shares, and what must not show."""

import math
from typing import Any

import pytest
from reporting_data import a_study

from concept_transfer.reporting.mapping_tables import mapping_tables

STUDY = a_study()


def report(**changes: Any) -> dict[str, Any]:
    mapping = {
        "codes": {"mapped": 3, "set_aside": 1, "unmapped": 4},
        "values": {"mapped": 600, "set_aside": 100, "unmapped": 300},
        "mapped_codes": {"A": 600},
        "encounters": 400,
        "encounters_mapped": 300,
    }
    unmapped = {"X": 200, "Y": 60, "Z": 30, "W": 10}
    return {"encounters": 500, "unmapped": unmapped, "mapping": mapping | changes}


def tables(own: dict[str, Any]) -> dict[str, Any]:
    return {table.stem: table.raw for table in mapping_tables({"north_county": own}, STUDY)}


def test_shares_of_codes_occurrences_and_encounters() -> None:
    row = tables(report())["coverage"].iloc[0]
    assert (row["codes"], row["codes_mapped"], row["codes_set_aside"]) == (8, 3, 1)
    assert (row["values"], row["values_share"]) == (1000, 0.6)
    assert (row["encounters"], row["encounters_share"]) == (400, 0.75)


def test_rare_codes_are_not_listed_nor_told_by_the_others() -> None:
    codes = tables(report())["unmapped_codes"]
    assert dict(zip(codes["code"], codes["encounters"], strict=True)) == {"X": 200, "Y": 60}
    everywhere = tables(report() | {"unmapped": {"X": 495, "Y": 60, "Z": 70}})["unmapped_codes"]
    assert everywhere["code"].tolist() == ["Z"]


@pytest.mark.parametrize(
    ("changes", "hidden"),
    [
        ({"encounters_mapped": 395}, "encounters_share"),
        ({"encounters_mapped": 5}, "encounters_share"),
        ({"encounters": 495}, "encounters_share"),
        ({"values": {"mapped": 995, "set_aside": 5, "unmapped": 0}}, "values_share"),
    ],
)
def test_what_would_tell_a_small_count_is_missing(changes: dict[str, Any], hidden: str) -> None:
    assert math.isnan(tables(report(**changes))["coverage"].iloc[0][hidden])


def test_a_small_site_tells_nothing_and_one_without_codes_has_no_row() -> None:
    small = report() | {"hidden": ["encounters"]}
    row = tables(small)["coverage"].iloc[0]
    assert row["encounters"] == "suppressed"
    assert "unmapped_codes" not in tables(small)
    assert tables({"encounters": 5, "unmapped": {}}) == {}
