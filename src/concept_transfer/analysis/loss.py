"""What a source model loses on a target, beside the distance between the two sites."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd

FAMILY = "target data only"
MODEL = ["embedding", "classifier"]
PAIR = ["source", "target"]
DISTANCES = (
    "js_sum",
    "js_recording_sum",
    "js_positive_sum",
    "js_negative_sum",
    "kl_target_source_sum",
    "classifier_auroc",
)
FEWEST_PAIRS = 4  # fewer can be ranked in too few ways to say anything


def shift_against_loss(
    comparisons: pd.DataFrame,
    shift: pd.DataFrame,
    kinds: Mapping[str, str],
    sizes: Sequence[str],
) -> pd.DataFrame:
    """One row a direction and model: AUROC lost, with its interval, beside the site distances.

    The loss is the AUROC of a model trained on the target's own labels (the largest of
    ``sizes``) less that of the source model used unchanged, from the study's paired comparisons;
    ``kinds`` maps a strategy to its kind. Columns: source, target, embedding, classifier, loss,
    lower, upper, verdict (on the source model), one a measure of `DISTANCES`, and mmd2 in the
    embedding's own space (NaN for simple models).
    """
    largest = "all" if "all" in sizes else max(sizes, key=int)
    rows = comparisons[
        (comparisons["family"] == FAMILY)
        & (comparisons["metric"] == "auroc")
        & (comparisons["a"].map(kinds) == "direct")
        & (comparisons["b"].map(kinds) == "local")
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
    spaces = shift.loc[shift["measure"] == "mmd2", [*PAIR, "embedding", "estimate"]]
    return (
        loss.merge(distances[list(DISTANCES)].reset_index(), on=PAIR, how="left")
        .merge(spaces.rename(columns={"estimate": "mmd2"}), on=[*PAIR, "embedding"], how="left")
        .reset_index(drop=True)
    )


def rank_correlations(loss: pd.DataFrame) -> pd.DataFrame:
    """Spearman correlation of loss with each distance over the directions of a study.

    One row a model and measure: embedding, classifier, measure, pairs, spearman. Directions share
    sites, so this describes the study and carries no interval. Empty where fewer than
    `FEWEST_PAIRS` directions were estimated.
    """
    rows = []
    for model, own in loss.dropna(subset=["loss"]).groupby(MODEL, sort=False):
        for measure in (*DISTANCES, "mmd2"):
            known = own.dropna(subset=[measure])
            if len(known) >= FEWEST_PAIRS and known[measure].nunique() > 1:
                rho = known["loss"].rank().corr(known[measure].rank())
                rows.append([*model, measure, len(known), rho])
    return pd.DataFrame(rows, columns=[*MODEL, "measure", "pairs", "spearman"])
