"""The taggers of a corpus measured and compared: rows of two tables."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations
from typing import Any

import numpy as np
import pyarrow as pa

from concept_transfer.comparison.effects import holm
from concept_transfer.extraction.comparing import Counts, drawn, interval, randomisation_p
from concept_transfer.extraction.corpus import Corpus
from concept_transfer.extraction.scores import MEASURES, MODES, counts, measures, of_units
from concept_transfer.extraction.settings import ExtractionEvaluation
from concept_transfer.extraction.taggings import Tagging
from concept_transfer.parquet import columns

ALL_TYPES = "all types"
F1 = MEASURES.index("f1")

SCORES = pa.schema(
    [
        *columns(pa.string(), ["corpus", "train", "tagger", "mode", "type"]),
        *columns(pa.int32(), ["replicates", "diverged", "marked", "units"]),
        ("unit", pa.string()),
        *columns(
            pa.float64(),
            [f"{measure}{bound}" for measure in MEASURES for bound in ("", "_lower", "_upper")],
        ),
        ("spread", pa.float64()),
        ("seconds", pa.float64()),
    ]
)
TESTS = pa.schema(
    [
        *columns(pa.string(), ["corpus", "train", "a", "b", "mode"]),
        *columns(pa.float64(), ["difference", "lower", "upper", "p", "p_holm"]),
        ("verdict", pa.string()),
    ]
)

Taggings = Mapping[tuple[str, str], Sequence[Tagging]]  # train, tagger -> a tagging a replicate


def measured(
    corpus: str,
    test: Corpus,
    types: Sequence[str],
    taggings: Taggings,
    settings: ExtractionEvaluation,
    seed: int,
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Rows of `SCORES` and of `TESTS`: pairs of taggers that learned from the same, by strict F1 of
    all types, corrected by Holm's method among them.

    Drawn anew are documents, or sentences where documents are not known. ``spread`` is the standard
    deviation of F1 over replicates; ``seconds`` the mean time of a processor that learning took.
    """
    units = test.documents if test.knows_documents else range(len(test))
    counted: dict[tuple[str, str], Counts] = {
        key: np.stack([of_units(counts(test.spans, one.spans, types), units) for one in several])
        for key, several in taggings.items()
    }
    draws = {key: drawn(each, settings.draws, seed) for key, each in counted.items()}
    common = {"corpus": corpus, "unit": "document" if test.knows_documents else "sentence"}
    scores = []
    for (train, tagger), each in counted.items():
        own = {**common, "train": train, "tagger": tagger, "units": each.shape[1]}
        own |= _facts(taggings[train, tagger])
        bounds = interval(draws[train, tagger], settings.confidence)
        scores += [{**own, **row} for row in _rows(each, bounds, types)]
    tests = []
    for train in dict.fromkeys(train for train, _ in counted):
        rows: list[dict[str, Any]] = [
            {
                "corpus": corpus,
                "train": train,
                "a": one,
                "b": other,
                "mode": MODES[0],
                **_test(counted[train, one], counted[train, other], settings.draws, seed),
                **_bounds(draws[train, one] - draws[train, other], settings.confidence),
            }
            for one, other in combinations([name for of, name in counted if of == train], 2)
        ]
        for row, p in zip(rows, holm([row["p"] for row in rows]), strict=True):
            sign = "better" if row["difference"] > 0 else "worse"
            row |= {"p_holm": p, "verdict": sign if p < 1 - settings.confidence else "unclear"}
        tests += rows
    return scores, tests


def _facts(several: Sequence[Tagging]) -> dict[str, Any]:
    return {
        "replicates": len(several),
        "diverged": sum(one.facts["diverged"] for one in several),
        "seconds": float(np.mean([one.facts["learning_seconds"] for one in several])),
    }


def _rows(each: Counts, bounds: np.ndarray, types: Sequence[str]) -> Iterator[dict[str, Any]]:
    """each: [replicates, units, modes, types, 4]; bounds: [2, modes, types + 1, measures]."""
    values = measures(each.sum(1))
    marked = each[0].sum(0)[0, :, 3]
    for m, mode in enumerate(MODES):
        for t, name in enumerate([*types, ALL_TYPES]):
            row: dict[str, Any] = {"mode": mode, "type": name}
            row["marked"] = int(marked[t] if t < len(types) else marked.sum())
            for number, measure in enumerate(MEASURES):
                row[measure] = values[:, m, t, number].mean()
                row[f"{measure}_lower"], row[f"{measure}_upper"] = bounds[:, m, t, number]
            row["spread"] = values[:, m, t, F1].std(ddof=1) if len(values) > 1 else None
            yield row


def _test(one: Counts, other: Counts, draws: int, seed: int) -> dict[str, float]:
    """Of strict F1 of all types."""
    first, second = (measures(c.sum(1))[:, 0, -1, F1].mean() for c in (one, other))
    p = randomisation_p(one, other, draws, seed)[0, -1, F1]
    return {"difference": float(first - second), "p": float(p)}


def _bounds(differences: np.ndarray, confidence: float) -> dict[str, float]:
    lower, upper = interval(differences[:, 0, -1, F1], confidence)
    return {"lower": float(lower), "upper": float(upper)}


def warnings_of(scores: Sequence[Mapping[str, Any]]) -> list[str]:
    """Which taggers diverged."""
    failed = {(r["corpus"], r["train"], r["tagger"]): r for r in scores if r["diverged"]}
    return [
        f"{tagger}, learned from {train} of {corpus}, diverged in {row['diverged']} of "
        f"{row['replicates']} replicate(s): it finds nothing even in what it has learned from. "
        "Lower its learning rate, or give it more epochs"
        for (corpus, train, tagger), row in failed.items()
    ]
