"""A table on how language models arrange documents."""

from __future__ import annotations

import pandas as pd

from concept_transfer.reporting.columns import Column, intervals
from concept_transfer.reporting.formats import Table
from concept_transfer.reporting.rows import level
from concept_transfer.study import Study

COLUMNS = {
    "same_class": "Cosine, same class",
    "other_class": "Cosine, other class",
    "alignment": "Alignment",
    "uniformity": "Uniformity",
    "silhouette": "Silhouette",
    "davies_bouldin": "Davies-Bouldin",
    "neighbour_purity": "Neighbour purity",
    "probe_macro_f1": "Linear probe, macro F1",
}


def document_table(space: pd.DataFrame, study: Study) -> Table:
    """One row a language model and site."""
    raw = space[["encoder", "site", "documents"]].drop_duplicates().reset_index(drop=True)
    columns = [
        Column("Language model", "name", raw["encoder"]),
        Column("Site", "name", raw["site"]),
        Column("Documents", "number", raw["documents"], 0),
    ]
    for measure, words in COLUMNS.items():
        names = [measure, f"{measure}_lower", f"{measure}_upper"]
        own = raw[["encoder", "site"]].merge(space[space["measure"] == measure], how="left")
        raw[names] = own[["value", "lower", "upper"]].to_numpy()
        values = intervals(raw, names, unknown="")
        columns.append(Column(f"{words} [{level(study)} CI]", "interval", values))
    return Table(
        stem="document_space",
        section="geometry",
        title="How language models arrange documents",
        caption="Of documents outside every test set. Cosines of the vectors of two documents of "
        "one class and of two classes; alignment is the mean squared distance of two of one class, "
        "and uniformity the log of the mean Gaussian potential of any two (Wang and Isola 2020): "
        "both are better where they are lower, but a model can buy one with the other. Silhouette "
        "and the share of the ten nearest documents that are of a document's class are better "
        "where higher, Davies-Bouldin where lower. The probe is a logistic regression, judged on "
        "documents that it has not seen. Intervals resample clusters. Classes with few documents "
        "are left out.",
        raw=raw,
        columns=columns,
    )
