"""How often proposals are right: on codes that somebody mapped already.

Nothing is trained on the mapping, so each code is judged as if it had none.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from concept_transfer.comparison.effects import holm

TOPS = (1, 5)
STRINGS = "character n-grams"
CONFIDENCE = 0.95
DRAWS = 2000


def hits(order: NDArray[np.int64], truths: Sequence[frozenset[int]], top: int) -> NDArray[np.bool_]:
    """Whether one of a code's concepts is among its first `top` proposals, bool [codes].

    order: concepts by rank [codes, ranks]; truths: the concepts of each code.
    """
    return np.array(
        [bool(truth & set(row[:top].tolist())) for row, truth in zip(order, truths, strict=True)]
    )


def wilson(right: int, count: int) -> tuple[float, float]:
    """Wilson's (1927, doi:10.1080/01621459.1927.10502953) interval of a share."""
    from scipy.stats import binomtest

    bounds = binomtest(right, count).proportion_ci(CONFIDENCE, method="wilson")
    return float(bounds.low), float(bounds.high)


def weighted(
    right: NDArray[np.bool_], weights: NDArray[np.float64], seed: int
) -> tuple[float, float, float]:
    """Share of the weight that is right, with a percentile bootstrap interval over codes.

    Efron (1979, doi:10.1214/aos/1176344552).
    """
    draws = np.random.default_rng(seed).integers(0, len(right), (DRAWS, len(right)))
    shares = (right * weights)[draws].sum(axis=1) / weights[draws].sum(axis=1)
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(shares, [tail, 1 - tail])
    return float((right * weights).sum() / weights.sum()), float(low), float(high)


def mcnemar(one: NDArray[np.bool_], other: NDArray[np.bool_]) -> tuple[int, int, float]:
    """Codes that only one and only the other has right, and the exact two-sided p of that.

    McNemar (1947, doi:10.1007/BF02295996), by the binomial distribution; 1 without such codes.
    """
    from scipy.stats import binomtest

    first, second = int((one & ~other).sum()), int((other & ~one).sum())
    p = binomtest(first, first + second).pvalue if first + second else 1.0
    return first, second, float(p)


def accuracy_table(
    orders: Mapping[str, NDArray[np.int64]],
    truths: Sequence[frozenset[int]],
    encounters: NDArray[np.int64],
    seed: int,
) -> pd.DataFrame:
    """A row a method and number of proposals, on codes that have concepts.

    orders: method -> concepts by rank [codes, ranks], `STRINGS` among them; encounters: those of
    each code [codes]. Columns: method, top, codes, accuracy with lower and upper (Wilson), the
    same weighted by encounters (bootstrap over codes), and of all but `STRINGS` the codes that
    only it, and only the strings, have right, with p and p_holm (over the rows).
    """
    rows: list[dict[str, Any]] = []
    weights = encounters.astype(np.float64)
    for method, order in orders.items():
        for top in TOPS:
            right = hits(order, truths, top)
            lower, upper = wilson(int(right.sum()), len(right))
            share, low, high = weighted(right, weights, seed)
            row = {
                "method": method,
                "top": top,
                "codes": len(right),
                "accuracy": right.mean(),
                "lower": lower,
                "upper": upper,
                "weighted": share,
                "weighted_lower": low,
                "weighted_upper": high,
            }
            if method != STRINGS:
                only, strings, p = mcnemar(right, hits(orders[STRINGS], truths, top))
                row |= {"only_it": only, "only_strings": strings, "p": p}
            rows.append(row)
    table = pd.DataFrame(rows).reindex(
        columns=[*rows[0], *(c for c in ("only_it", "only_strings", "p") if c not in rows[0])]
    )
    return table.assign(p_holm=holm(table["p"].astype(float).tolist()))
