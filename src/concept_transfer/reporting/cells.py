"""The cells of a study in the order of its config, with the labels that readers see.

A *row* of a figure is an embedding, or a classifier that uses none. Rows fall into three groups:
pretrained tables (which carry meaning), controls (one-hot, shuffled, random: which do not) and
simple models on the findings themselves.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pandas as pd

from concept_transfer.comparison.contrasts import FAMILIES
from concept_transfer.embeddings.providers import PROVIDERS
from concept_transfer.settings.embeddings import parents_of
from concept_transfer.study import Study

KEYS = ["target", "source", "embedding", "classifier", "strategy", "size"]  # of a cell
GROUPS = ("pretrained", "control", "simple model")
CLASSIFIER_LABELS = {
    "cnn": "concept CNN",
    "logistic": "logistic regression",
    "gradient_boosting": "gradient boosting",
}


def group_of(study: Study, embedding: str) -> str:
    """``pretrained``, ``control`` or, for the baselines' ``none``, ``simple model``.

    What is derived from controls alone (a scaled one-hot table) is a control too.
    """
    if embedding == "none":
        return "simple model"
    settings = study.embeddings.get(embedding)
    if settings is None:
        return "pretrained"
    parents = parents_of(settings)
    derived = bool(parents) and all(group_of(study, name) == "control" for name in parents)
    carries_meaning = PROVIDERS[settings.provider].carries_meaning
    return "control" if derived or not carries_meaning else "pretrained"


def row_label(embedding: str, classifier: str) -> str:
    """What a figure calls the models of one embedding, or of one simple classifier."""
    return CLASSIFIER_LABELS.get(classifier, classifier) if embedding == "none" else embedding


def direction_label(source: str, target: str) -> str:
    return f"{source} → {target}" if source else f"{target} alone"


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


def largest_size(study: Study) -> str:
    return str(max((str(size) for size in study.target_sizes), key=size_rank))


def direction_stem(source: str, target: str) -> str:
    """A direction as part of a file's name."""
    return f"{source}-to-{target}" if source else target


def directions(study: Study, frame: pd.DataFrame) -> list[tuple[str, str]]:
    """The (source, target) pairs of the config that the frame has results for.

    A target that no model was carried to stands alone, with the source "".
    """
    present = set(zip(frame["source"], frame["target"], strict=True))
    pairs = study.ordered_pairs()
    alone = {target for _, target in present} - {target for source, target in present if source}
    wanted = dict.fromkeys(("" if pair[1] in alone else pair[0], pair[1]) for pair in pairs)
    return [pair for pair in wanted if pair in present]


def in_direction(frame: pd.DataFrame, source: str, target: str) -> pd.DataFrame:
    """The cells that serve one target: those tuned from ``source`` and the target-only ones."""
    return frame[(frame["target"] == target) & frame["source"].isin([source, ""])]


def arrange(frame: pd.DataFrame, study: Study) -> pd.DataFrame:
    """The frame in the order of the config, with ``row``, ``group`` and ``rank`` added.

    ``rank`` is the row's place among all rows, whichever of them a frame holds.
    """
    order: dict[str, list[str]] = {
        "target": list(study.sites),
        "source": ["", *study.sites],
        "group": list(GROUPS),
        "embedding": [*study.embeddings, "none"],
        "classifier": list(study.classifiers),
        "strategy": list(study.strategies),
    }
    arranged = frame.assign(
        group=[group_of(study, name) for name in frame["embedding"]],
        row=[
            row_label(*names) for names in zip(frame["embedding"], frame["classifier"], strict=True)
        ],
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


def widened(tidy: pd.DataFrame, keys: list[str], metrics: Iterable[str]) -> pd.DataFrame:
    """One row a combination of ``keys``, in the order of the frame.

    Every metric becomes the columns ``<metric>``, ``<metric>_lower`` and ``<metric>_upper``,
    missing where a combination lacks it.
    """
    wide = tidy[keys].drop_duplicates(ignore_index=True)
    for metric in metrics:
        names = {"estimate": metric, "lower": f"{metric}_lower", "upper": f"{metric}_upper"}
        own = tidy.loc[tidy["metric"] == metric, [*keys, *names]].rename(columns=names)
        wide = wide.merge(own, on=keys, how="left")
    return wide


def suppressed_in(
    tidy: pd.DataFrame, wide: pd.DataFrame, keys: list[str], metric: str
) -> pd.Series:
    """Which rows of ``wide`` (bool) lack a metric because it would tell small counts."""
    taken: set[tuple[Any, ...]] = set()
    if "suppressed" in tidy:
        own = tidy[(tidy["metric"] == metric) & tidy["suppressed"]]
        taken = set(own[keys].itertuples(index=False, name=None))
    rows = wide[keys].itertuples(index=False, name=None)
    return pd.Series([row in taken for row in rows], index=wide.index, dtype=bool)


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
