"""What `snakemake check` prints: the sites, part by part, and what of the vocabulary they use."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from concept_transfer.concepts.vocabulary import Vocabulary
from concept_transfer.sites.coverage import Coverage, coverage_text
from concept_transfer.sites.profile import RECORDED

_DIGITS = 3


def check_text(
    profiles: pd.DataFrame,
    coverage: Mapping[str, Coverage],
    vocabulary: Vocabulary,
    small_cells: int,
    histories: Mapping[str, Mapping[str, Any]] | None = None,
) -> str:
    """A table of the parts (`site_profile` with a column `site`), one of the categories that each
    site records, and a paragraph a site about concepts and codes; of histories (site -> their
    report) another."""
    shares = [name for name in map(str, profiles) if name.startswith(RECORDED)]
    parts = profiles.drop(columns=shares).dropna(axis="columns", how="all")
    whole = profiles[profiles["part"] == "all"].set_index("site")[shares].T
    whole = whole[(whole > 0).any(axis="columns")]
    whole.index = pd.Index([name.removeprefix(RECORDED) for name in whole.index], name="category")
    recorded = whole.rename_axis(columns=None).reset_index()
    title = "Share of a category's concepts that an encounter records, on average:"
    paragraphs = [
        _table(parts),
        f"{title}\n{_table(recorded)}",
        coverage_text(coverage, vocabulary, small_cells),
        *([histories_text(histories, small_cells)] if histories else []),
    ]
    return "\n" + "\n\n".join(paragraphs) + "\n"


def histories_text(reports: Mapping[str, Mapping[str, Any]], small_cells: int) -> str:
    """How many events there are before index times, and in whole records; numbers of encounters
    below `small_cells` are called such."""
    return "\n".join(
        f"{site}: before the index time {_events(its['encounters'])}; {_without(its, small_cells)} "
        f"encounters have none. Whole records of {its['patients']['rows']:,} patients hold "
        f"{_events(its['patients'])}."
        for site, its in reports.items()
    )


def _events(its: Mapping[str, Any]) -> str:
    return f"{its['median']:,.0f} events (median; {its['fewest']:,.0f} to {its['most']:,.0f})"


def _without(its: Mapping[str, Any], small_cells: int) -> str:
    count, rows = (its["encounters"][key] for key in ("without_events", "rows"))
    shown = f"<{small_cells}" if 0 < count < small_cells else f"{count:,}"
    return f"{shown} of {rows:,}"


def _table(frame: pd.DataFrame) -> str:
    return frame.to_string(index=False, na_rep="", float_format=f"{{:.{_DIGITS}f}}".format)
