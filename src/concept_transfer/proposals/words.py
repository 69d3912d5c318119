"""What `snakemake propose_crosswalk` prints."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

import pandas as pd

from concept_transfer.cell import ALL_SITES
from concept_transfer.proposals.accuracy import STRINGS
from concept_transfer.proposals.propose import Proposals

SHOWN = 8


def proposal_text(proposals: Proposals, files: Mapping[str, str], small_cells: int) -> str:
    """A paragraph a site with its most frequent proposals, and a table of accuracy.

    files: site -> where its table lies. Codes in fewer than `small_cells` encounters are counted
    as such.
    """
    parts = [
        _site(site, table, files[site], small_cells) for site, table in proposals.tables.items()
    ]
    return "\n" + "\n\n".join([*parts, _accuracy(proposals.accuracy)]) + "\n"


def _site(site: str, table: pd.DataFrame, file: str, small_cells: int) -> str:
    if table.empty:
        return f"{site}: every code has a concept or was set aside; nothing to propose."
    silent = int((table["description"] == "").sum())
    text = f"{site}: {len(table):,} codes lack a mapping; proposals to review are in {file}"
    if silent:
        text += f" ({silent:,} have no words: give code_descriptions)"
    for row in table[table["concept"] != ""].head(SHOWN).to_dict("records"):
        count = int(row["encounters"])
        shown = f"{count:,}" if count >= small_cells else f"<{small_cells}"
        text += f"\n  {row['site_code']} '{row['description']}' x {shown}: {row['concept']} "
        text += f"{row['note']}"
    return text


def _accuracy(accuracy: pd.DataFrame) -> str:
    if accuracy.empty:
        return "No code with words is mapped yet, so nothing is known of the proposals' accuracy."
    site = ALL_SITES if ALL_SITES in set(accuracy["site"]) else str(accuracy["site"].iloc[0])
    rows = accuracy[accuracy["site"] == site]
    lines = [
        f"How often a mapped code's concept is the first, or among the first five, of "
        f"{int(rows['codes'].iloc[0])} codes ({site}), with 95% intervals; weighted by encounters "
        "in brackets:"
    ]
    for row in rows.to_dict("records"):
        shares = f"{_share(row, '')} ({_share(row, 'weighted_')})"
        line = f"  {row['method']}, top {int(row['top'])}: {shares}"
        if row["method"] != STRINGS:
            line += (
                f"; right alone {int(row['only_it'])}, {STRINGS} alone {int(row['only_strings'])}, "
                f"exact McNemar p {row['p']:.3g}, by Holm {row['p_holm']:.3g}"
            )
        lines.append(line)
    return "\n".join(lines)


def _share(row: Mapping[Hashable, Any], prefix: str) -> str:
    estimate = row["accuracy" if not prefix else "weighted"]
    return f"{estimate:.3f} [{row[f'{prefix}lower']:.3f}, {row[f'{prefix}upper']:.3f}]"
