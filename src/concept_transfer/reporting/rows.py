"""The cells of a study in the order of its config, with the labels that readers see.

A *row* of a figure is an embedding, or a classifier that uses none. Rows fall into four groups:
pretrained tables (which carry meaning), controls (one-hot, shuffled, random: which do not), simple
models on the findings themselves, and combinations of all models.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pandas as pd

from concept_transfer.cell import ALL_SITES, NO_EMBEDDING
from concept_transfer.comparison.contrasts import FAMILIES
from concept_transfer.reporting.columns import Column
from concept_transfer.reporting.looks import GROUPS, group_of, model_label
from concept_transfer.reporting.words import site_words
from concept_transfer.study import Study

KEYS = ["target", "source", "embedding", "classifier", "strategy", "size"]  # of a cell


def direction_label(source: str, target: str) -> str:
    return f"{site_words(source)} → {target}" if source else f"{target} alone"


def size_label(size: str) -> str:
    """A target size in words: labelled encounters of the target, validation included."""
    return {"0": "no labels", "all": "all labels"}.get(size, f"{size} labels")


def level(study: Study) -> str:
    """The intervals' level, its number and sign held together."""
    return f"{100 * study.evaluation.confidence:g}\u00a0%"


def family_order(comparisons: pd.DataFrame) -> list[str]:
    """The families of a comparison table, in the order in which the evaluation names them."""
    present = dict.fromkeys(comparisons["family"])
    known = [name for name in FAMILIES if name in present]
    return [*known, *(name for name in present if name not in FAMILIES)]


def size_rank(size: str) -> float:
    return float("inf") if size == "all" else float(size or -1)


def direction_stem(source: str, target: str) -> str:
    """A direction as part of a file's name."""
    return f"{source}-to-{target}" if source else target


def directions(study: Study, frame: pd.DataFrame) -> list[tuple[str, str]]:
    """The (source, target) pairs of the study that the frame has results for.

    A target that no model was carried to stands alone, with the source "".
    """
    present = set(zip(frame["source"], frame["target"], strict=True))
    pairs = study.directions()
    alone = {target for _, target in present} - {target for source, target in present if source}
    wanted = dict.fromkeys(("" if pair[1] in alone else pair[0], pair[1]) for pair in pairs)
    return [pair for pair in wanted if pair in present]


def in_direction(frame: pd.DataFrame, source: str, target: str) -> pd.DataFrame:
    """The cells that serve one target: those tuned from ``source`` and the target-only ones."""
    return frame[(frame["target"] == target) & frame["source"].isin([source, ""])]


def at_size(frame: pd.DataFrame, study: Study, size: str) -> pd.DataFrame:
    """The cells of one target size, and those of strategies that use no label at any."""
    free = [name for name in study.strategies if not study.strategy(name).uses_labels]
    return frame[frame["size"].eq(size) | (frame["size"].eq("0") & frame["strategy"].isin(free))]


def arrange(frame: pd.DataFrame, study: Study) -> pd.DataFrame:
    """The frame in the order of the config, with ``row``, ``group`` and ``rank`` added.

    ``rank`` is the row's place among all rows, whichever of them a frame holds.
    """
    order: dict[str, list[str]] = {
        "target": list(study.sites),
        "source": ["", *study.sites, ALL_SITES],
        "group": list(GROUPS),
        "embedding": [*study.embeddings, *study.encoders, NO_EMBEDDING],
        "classifier": list(study.classifiers),
        "strategy": list(study.strategies),
    }
    arranged = frame.assign(
        group=[
            group_of(study, *pair)
            for pair in zip(frame["embedding"], frame["classifier"], strict=True)
        ],
        row=model_labels(frame, study),
    )
    ranks = {
        column: arranged[column].map({name: rank for rank, name in enumerate(names)})
        for column, names in order.items()
    }
    ranks["size"] = arranged["size"].map(size_rank)
    arranged["rank"] = list(
        zip(*(ranks[name].fillna(-1) for name in ("group", "embedding", "classifier")), strict=True)
    )
    keys = pd.DataFrame(ranks, index=arranged.index)
    return arranged.loc[keys.sort_values(list(ranks), kind="stable").index].reset_index(drop=True)


def model_labels(frame: pd.DataFrame, study: Study) -> list[str]:
    """What readers call the model of every row."""
    names = zip(frame["embedding"], frame["classifier"], strict=True)
    return [model_label(study, *pair) for pair in names]


def cell_columns(frame: pd.DataFrame, study: Study) -> list[Column]:
    """The columns of a table that say which cell a row is about."""
    return [
        Column("Target", "name", frame["target"]),
        Column("Source", "name", frame["source"].map(site_words).replace("", "–")),
        Column("Model", "name", model_labels(frame, study)),
        Column("Strategy", "name", frame["strategy"]),
        Column("Labels", "labels", frame["size"]),
    ]


def widened(tidy: pd.DataFrame, keys: list[str], metrics: Iterable[str]) -> pd.DataFrame:
    """One row a combination of ``keys``, in the order of the frame.

    Every metric becomes the columns ``<metric>``, ``<metric>_lower`` and ``<metric>_upper``,
    missing where a combination lacks it.
    """
    wide = tidy[keys].drop_duplicates(ignore_index=True)
    for metric in metrics:
        names = {"estimate": metric, "lower": f"{metric}_lower", "upper": f"{metric}_upper"}
        estimates = tidy.loc[tidy["metric"] == metric, [*keys, *names]].rename(columns=names)
        wide = wide.merge(estimates, on=keys, how="left")
    return wide


def suppressed_in(
    tidy: pd.DataFrame, wide: pd.DataFrame, keys: list[str], metric: str
) -> pd.Series:
    """Which rows of ``wide`` (bool) lack a metric because it would tell small counts."""
    taken: set[tuple[Any, ...]] = set()
    if "suppressed" in tidy:
        rows = tidy[(tidy["metric"] == metric) & tidy["suppressed"]]
        taken = set(rows[keys].itertuples(index=False, name=None))
    shown = wide[keys].itertuples(index=False, name=None)
    return pd.Series([row in taken for row in shown], index=wide.index, dtype=bool)


def bounds_of(metric: str) -> tuple[str, str, str]:
    """The columns that `widened` gives a metric."""
    return metric, f"{metric}_lower", f"{metric}_upper"


def highest(cells: pd.DataFrame) -> dict[str, Any]:
    """The row with the highest estimate."""
    return records(cells.nlargest(1, "estimate"))[0]


def records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """The rows as dicts."""
    return [{str(key): value for key, value in row.items()} for row in frame.to_dict("records")]


def rows_of(arranged: pd.DataFrame) -> list[tuple[str, str]]:
    """(row label, group) of an arranged frame: groups in order, config order within each."""
    ordered = arranged.sort_values("rank", kind="stable")[["row", "group"]].drop_duplicates()
    return list(zip(ordered["row"], ordered["group"], strict=True))
