"""What the vocabulary takes of each site's codes, and the codes that it does not take."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pandas as pd

from concept_transfer.reporting.columns import Column
from concept_transfer.reporting.formats import Table
from concept_transfer.reporting.suppression import not_alone, suppress
from concept_transfer.study import Study

MOST = 20  # codes a site


def mapping_tables(reports: Mapping[str, Mapping[str, Any]], study: Study) -> Iterator[Table]:
    """The tables of coverage and of codes without a concept, where a site has codes to map."""
    mapped = {site: reports[site] for site in study.sites if "mapping" in reports.get(site, {})}
    if not mapped:
        return
    threshold = study.evaluation.small_cells
    yield coverage_table(mapped, threshold)
    codes = pd.concat(
        [_codes(site, report, threshold) for site, report in mapped.items()], ignore_index=True
    )
    if len(codes):
        yield _code_table(codes, threshold)


def coverage_table(reports: Mapping[str, Mapping[str, Any]], threshold: int) -> Table:
    """Codes, their occurrences and encounters of each site, and how many of them have a concept."""
    frame = pd.DataFrame([_row(site, report) for site, report in reports.items()])
    few = frame["site"].map(lambda site: "encounters" in reports[site].get("hidden", ()))
    total = frame["site"].map(lambda site: reports[site]["encounters"])
    raw = suppress(
        frame, "values_mapped", threshold, "values", ("values", "values_share"), others=few
    )
    raw = suppress(
        raw, "encounters_mapped", threshold, "encounters", ("encounters_share",), others=few
    )
    alone = few | (total - frame["encounters"]).between(1, threshold - 1)
    raw = suppress(raw, "encounters", threshold, None, ("encounters_share",), others=alone)
    columns = [
        Column("Site", "name", raw["site"]),
        Column("Codes", "number", raw["codes"]),
        Column("With a concept", "number", raw["codes_mapped"]),
        Column("Set aside", "number", raw["codes_set_aside"]),
        Column("Occurrences", "number", raw["values"]),
        Column("Share of occurrences", "number", raw["values_share"]),
        Column("Encounters with a code", "number", raw["encounters"]),
        Column("Share of encounters", "number", raw["encounters_share"]),
    ]
    return Table(
        stem="coverage",
        section="data",
        title="Coverage of the sites' codes",
        caption="What the vocabulary, with the site's crosswalk, takes of the codes that the site "
        "records. A code occurs once at an encounter, however often it is written there. Shares "
        "are of those with a concept. Set aside are codes that somebody looked at and found no "
        "concept for.",
        raw=raw,
        columns=columns,
    )


def _row(site: str, report: Mapping[str, Any]) -> dict[str, Any]:
    mapping = report["mapping"]
    codes, values = mapping["codes"], sum(mapping["values"].values())
    return {
        "site": site,
        "codes": sum(codes.values()),
        "codes_mapped": codes["mapped"],
        "codes_set_aside": codes["set_aside"],
        "values": values,
        "values_mapped": mapping["values"]["mapped"],
        "values_share": mapping["values"]["mapped"] / max(values, 1),
        "encounters": mapping["encounters"],
        "encounters_mapped": mapping["encounters_mapped"],
        "encounters_share": mapping["encounters_mapped"] / max(mapping["encounters"], 1),
    }


def _codes(site: str, report: Mapping[str, Any], threshold: int) -> pd.DataFrame:
    """The site's most frequent codes without a concept whose counts may show."""
    counts = pd.Series(report["unmapped"], dtype="int64").sort_values(ascending=False)
    own = "encounters" in report.get("hidden", ())
    hidden = (counts < threshold) | (report["encounters"] - counts < threshold) | own
    shown = counts[~not_alone(hidden, counts)].head(MOST)
    return pd.DataFrame({"site": site, "code": shown.index, "encounters": shown.to_numpy()})


def _code_table(codes: pd.DataFrame, threshold: int) -> Table:
    return Table(
        stem="unmapped_codes",
        section="data",
        title="Codes without a concept",
        caption=f"The {MOST} most frequent codes of each site that no concept takes and nobody set "
        f"aside; they are not used. Not listed are codes in fewer than {threshold} encounters, or "
        "in all but so few.",
        raw=codes,
        columns=[
            Column("Site", "name", codes["site"]),
            Column("Code", "text", codes["code"]),
            Column("Encounters", "number", codes["encounters"]),
        ],
    )
