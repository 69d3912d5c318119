"""Tables of codes that belong together, pair by pair; searchable by code."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd

from concept_transfer.reporting.columns import Column, intervals
from concept_transfer.reporting.formats import Table
from concept_transfer.reporting.interconnections import SECTION, Connected, is_control
from concept_transfer.reporting.words import listing
from concept_transfer.study import Study

MOST = 1000  # rows of a table
ALONE = 10  # pairs shown of every method


def new_edges(connected: Connected) -> Iterator[Table]:
    """Edges that a method foretold where they were none yet, and that hold elsewhere."""
    pairs = connected.pairs
    several = pairs["sites"].map(len) >= min(2, pairs["sites"].map(len).max())
    found = pairs[(pairs["foretold"].map(len) > 0) & several]
    if not found.empty:
        yield _pair_table(
            found,
            connected,
            "interconnections_new",
            "New edges that hold elsewhere",
            "Pairs that were significant in one half of the patients and not in the other, in "
            "whose graph a method had them all the same, and that are significant at several "
            "sites (with enough patients to be shown). Foretold by: the methods that had them.",
            "foretold",
            "Foretold by",
        )


def edge_table(connected: Connected) -> Iterator[Table]:
    """All edges of all patients that may be shown."""
    found = connected.pairs[connected.pairs["significant"]]
    if not found.empty:
        more = f" The {MOST:,} surest are shown." if len(found) > MOST else ""
        yield _pair_table(
            found.head(MOST),
            connected,
            "interconnections_edges",
            "Codes that belong together",
            "Significant pairs of all patients, the surest first, of enough patients to be shown. "
            "Find a code to see its neighbours. Ratio: observed over expected counts within groups "
            "of age and sex, shrunken by what all pairs show; odds ratios are adjusted likewise. "
            "Replicated: significant in both halves of the patients; consensus: in the graphs of "
            "more than half of the methods."
            f"{more}",
            "methods",
            "Methods that have it",
        )


def alone_edges(connected: Connected, study: Study) -> Iterator[Table]:
    """What each method finds that no other does."""
    assert study.interconnections is not None
    pairs = connected.pairs
    names = [name for name in study.interconnections.methods if not is_control(study, name)]
    own = pairs["methods"].map(lambda methods: [name for name in methods if name in names])
    alone = pairs.assign(only=own.map(lambda methods: methods[0] if len(methods) == 1 else ""))
    found = alone[alone["only"] != ""].groupby("only", sort=False).head(ALONE)
    if not found.empty:
        order = found["only"].map(names.index).sort_values(kind="stable").index
        yield _pair_table(
            found.loc[order],
            connected,
            "interconnections_alone",
            "What one method finds alone",
            "Pairs in the graph of one method and of no other, controls apart: the "
            f"{ALONE} surest of each, among pairs of enough patients to be shown.",
            "only",
            "Found by",
        )


def _pair_table(
    pairs: pd.DataFrame,
    connected: Connected,
    stem: str,
    title: str,
    caption: str,
    methods: str,
    heading: str,
) -> Table:
    names = connected.codes.set_index("code")["name"]
    raw = pairs.reset_index(drop=True)
    raw = raw.assign(
        name_a=raw["code_a"].map(names),
        name_b=raw["code_b"].map(names),
        **{name: raw[name].map(_listing) for name in ("sites", "methods", "foretold")},
    )
    if raw["planted"].isna().all():
        raw = raw.drop(columns="planted")
    sites = [Column("Sites", "text", raw["sites"])] if raw["sites"].any() else []
    planted = [Column("Put in", "name", _yes(raw["planted"]))] if "planted" in raw else []
    return Table(
        stem=stem,
        section=SECTION,
        title=title,
        caption=caption,
        raw=raw,
        columns=[
            Column("Code", "text", raw["code_a"]),
            Column("Name", "text", raw["name_a"]),
            Column("With", "text", raw["code_b"]),
            Column("Name of that", "text", raw["name_b"]),
            Column("Patients", "number", raw["patients"]),
            Column("Ratio", "number", raw["ratio"], 1),
            Column("Odds ratio", "interval", intervals(raw, ["odds_ratio", "lower", "upper"]), 1),
            *planted,
            *sites,
            Column("Replicated", "name", _yes(raw["replicated"])),
            Column("Consensus", "name", _yes(raw["consensus"])),
            Column(heading, "text", raw[methods]),
        ],
    )


def _listing(words: list[str]) -> str:
    return listing(list(words))


def _yes(flags: pd.Series) -> pd.Series:
    return flags.map({True: "yes", False: "no"})
