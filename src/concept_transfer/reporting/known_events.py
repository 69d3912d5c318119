"""The table of what encoders know of the targets' events."""

from __future__ import annotations

import pandas as pd

from concept_transfer.evaluation.cell_rows import COVERAGE
from concept_transfer.reporting.columns import Column
from concept_transfer.reporting.formats import Table

WORDS = {
    "events_by_prefix": "Read by the beginning of their code",
    "events_unknown": "Read as unknown",
    "events_cut": "Cut off",
}


def known_events_table(estimates: pd.DataFrame) -> Table | None:
    """A row an encoder and a target; None where no model reads events."""
    known = estimates[estimates["metric"].isin(COVERAGE)]
    if known.empty:
        return None
    keys = ["embedding", "target"]
    raw = known.pivot_table(index=keys, columns="metric", values="estimate", sort=False)
    raw = raw.reindex(columns=list(COVERAGE)).reset_index()
    return Table(
        stem="known_events",
        section="data",
        title="What encoders know of the targets' events",
        caption="Shares of the events before the index times of test encounters, means over all "
        "models with the encoder. Codes that few patients of the encoder's sites have, or that "
        "only the target uses, are read as the longest known code that they begin with, or as "
        "unknown. Of histories that are too long for the encoder the oldest events are cut off; "
        "the other shares are of what is left.",
        raw=raw,
        columns=[
            Column("Encoder", "name", raw["embedding"]),
            Column("Target", "name", raw["target"]),
            *(Column(words, "number", raw[name]) for name, words in WORDS.items()),
        ],
    )
