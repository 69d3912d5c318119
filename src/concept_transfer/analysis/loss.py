"""What a source model loses on a target, beside the distance between the two sites."""

from __future__ import annotations

import itertools
import math
from collections.abc import Collection, Sequence

import numpy as np
import pandas as pd

from concept_transfer.analysis.schemas import DISTANCES, SPACES

FAMILY = "target data only"
MODEL = ["embedding", "classifier"]
PAIR = ["source", "target"]
PERMUTATIONS = 2000  # at most; all of them up to six sites
FEWEST_PAIRS = 4  # fewer can be ranked in too few ways to say anything


def shift_against_loss(
    comparisons: pd.DataFrame,
    shift: pd.DataFrame,
    sizes: Sequence[str],
    unchanged: Collection[str],
) -> pd.DataFrame:
    """One row a direction and model: AUROC lost, with its interval, beside the site distances.

    Directions without a distance (the source's encounters are not here) are left out.

    The loss is the AUROC of a model trained on the target's own labels (the largest of
    ``sizes``) less that of the source model used unchanged (a strategy of ``unchanged``), from the
    study's paired comparisons. Columns: source, target, embedding, classifier, loss, lower, upper,
    verdict (on the source model), one a measure of `DISTANCES`, and mmd2 and mmd2_ratio in the
    embedding's own space (NaN for simple models).
    """
    largest = "all" if "all" in sizes else max(sizes, key=int)
    rows = comparisons[
        (comparisons["family"] == FAMILY)
        & (comparisons["metric"] == "auroc")
        & comparisons["a"].map(lambda side: side[0]["strategy"]).isin(unchanged)
        & (comparisons["size"] == largest)
    ]
    loss = rows[[*PAIR, *MODEL]].assign(
        loss=-rows["difference"],
        lower=-rows["upper"],
        upper=-rows["lower"],
        verdict=rows["verdict"],
    )
    distances = shift[shift["measure"].isin(DISTANCES)].pivot(
        index=PAIR, columns="measure", values="estimate"
    )
    spaces = shift[shift["measure"].isin(SPACES)].pivot(
        index=[*PAIR, "embedding"], columns="measure", values="estimate"
    )
    spaces = spaces.reindex(columns=list(SPACES))
    return (
        loss.merge(distances.reindex(columns=list(DISTANCES)).reset_index(), on=PAIR)
        .merge(
            spaces.reindex(columns=list(SPACES)).reset_index(), on=[*PAIR, "embedding"], how="left"
        )
        .reset_index(drop=True)
    )


def rank_correlations(loss: pd.DataFrame) -> pd.DataFrame:
    """Spearman correlation of loss with each distance over the directions of a study.

    One row a model and measure: embedding, classifier, measure, pairs, spearman, p. Directions
    share sites, so the test permutes sites, not directions (the quadratic assignment procedure,
    Krackhardt 1988, Social Networks 10): p is the share of permutations with a correlation at
    least as strong, two-sided, missing unless all directions between the sites were estimated.
    Empty where fewer than `FEWEST_PAIRS` directions were.
    """
    rows = []
    for model, losses in loss.dropna(subset=["loss"]).groupby(MODEL, sort=False):
        for measure in (*DISTANCES, "mmd2"):
            known = losses.dropna(subset=[measure])
            if len(known) >= FEWEST_PAIRS and known[measure].nunique() > 1:
                rho = known["loss"].rank().corr(known[measure].rank())
                rows.append([*model, measure, len(known), rho, _permutation_p(known, measure)])
    return pd.DataFrame(rows, columns=[*MODEL, "measure", "pairs", "spearman", "p"])


def _permutation_p(known: pd.DataFrame, measure: str) -> float:
    sites = sorted({*known["source"], *known["target"]})
    if len(known) != len(sites) * (len(sites) - 1):
        return float("nan")
    ranks = known.assign(loss=known["loss"].rank(), distance=known[measure].rank())
    lost, distance = (
        ranks.pivot(index="source", columns="target", values=name).loc[sites, sites].to_numpy()
        for name in ("loss", "distance")
    )
    if math.factorial(len(sites)) <= PERMUTATIONS:
        orders = np.array(list(itertools.permutations(range(len(sites)))))
    else:
        rng = np.random.default_rng(0)
        drawn = [rng.permutation(len(sites)) for _ in range(PERMUTATIONS)]
        orders = np.array([np.arange(len(sites)), *drawn])
    between = ~np.eye(len(sites), dtype=bool)
    moved = lost[orders[:, :, None], orders[:, None, :]][:, between]
    products = np.abs((moved - moved[0].mean()) @ (distance - distance[between].mean())[between])
    return float(np.mean(products >= products[0] * (1 - 1e-12)))
