"""What `snakemake check` prints: the sites, part by part, and what of the vocabulary they use."""

from __future__ import annotations

from collections.abc import Mapping

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
) -> str:
    """A table of the parts (`site_profile` with a column `site`), one of the categories that each
    site records, and a paragraph a site about concepts and codes."""
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
    ]
    return "\n" + "\n\n".join(paragraphs) + "\n"


def _table(frame: pd.DataFrame) -> str:
    return frame.to_string(index=False, na_rep="", float_format=f"{{:.{_DIGITS}f}}".format)
