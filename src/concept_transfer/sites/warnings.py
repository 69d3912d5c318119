"""What is legitimate now and then, and most often a mistake: said, without stopping a study."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping, Sequence
from functools import cache
from itertools import combinations, product
from pathlib import Path

import numpy as np
import pyarrow.compute as pc

from concept_transfer.sites.extract import Extract


def site_warnings(
    sites: Mapping[str, Extract],
    files: Mapping[str, Sequence[Path]],
    one_source: Collection[frozenset[str]] = (),
) -> list[str]:
    """Sentences about the sites of a study, for the terminal and the report.

    `files`: site -> the files of which all rows are its encounters (none of a site whose adapter
    selects rows); one_source: pairs of sites whose patients' identifiers are those of one folder or
    database, while the split does not know of it. Elsewhere identifiers are local to their site.
    """
    sentences = [
        f"Site {name}: {warning}."
        for name, extract in sites.items()
        for warning in extract.report.get("warnings", ())
    ]
    sentences += [
        f"Site {name}: rows that cannot be used are set aside in its quarantine.parquet: "
        f"{', '.join(f'{count:,} {reason}' for reason, count in reasons.items())}."
        for name, extract in sites.items()
        if (reasons := extract.report.get("quarantined"))
    ]
    sentences += [
        f"{divided:,} patients of site {name} are in several clusters, so they may be on both "
        "sides of a split; leave 'cluster' out to keep patients together."
        for name, site in sites.items()
        if (divided := _divided_patients(site))
    ]
    for (first, one), (second, other) in combinations(sites.items(), 2):
        if _same(one, other):
            sentences.append(
                f"Sites {first} and {second} hold the same encounters, one by one the same "
                "findings and outcomes: they are one site under two names, and a model carried "
                "over meets the patients that it was trained on."
            )
        else:
            sentences += [
                f"Sites {first} and {second} read the same file ({file}): a model carried over "
                "meets patients that it was trained on."
                for file in _shared(files[first], files[second])
            ]
            if {first, second} in one_source and (both := _in_both(one, other)):
                sentences.append(
                    f"{both:,} patients are at {first} and at {second}, which are parts of one "
                    "source: a model carried over may meet patients that it was trained on. Say "
                    "split.shared_identifiers: true."
                )
    return sentences


def _divided_patients(site: Extract) -> int:
    """How many patients have encounters in more than one cluster."""
    pairs = site.encounters.table.select(["patient", "cluster"]).drop_null()
    clusters = pairs.group_by("patient").aggregate([("cluster", "count_distinct")])
    return int(pc.sum(pc.greater(clusters["cluster_count_distinct"], 1)).as_py() or 0)


def _in_both(one: Extract, other: Extract) -> int:
    """How many patient identifiers two sites share."""
    ids, others = (pc.unique(site.encounters.table["patient"]).drop_null() for site in (one, other))
    return int(pc.sum(pc.is_in(ids, value_set=others)).as_py() or 0)


def _same(one: Extract, other: Extract) -> bool:
    return np.array_equal(one.encounters.labels, other.encounters.labels) and (
        one.inputs["findings"].equals(other.inputs["findings"])
    )


def _shared(some: Sequence[Path], others: Sequence[Path]) -> list[str]:
    """Files of equal content, under one name or two."""
    return [
        str(one) if one == other else f"{one}, a copy of {other}"
        for one, other in product(some, others)
        if one.stat().st_size == other.stat().st_size and _digest(one) == _digest(other)
    ]


@cache
def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
