"""Tables on what the embeddings know about concepts."""

from __future__ import annotations

import pandas as pd

from concept_transfer.reporting.columns import Column, number, p_value
from concept_transfer.reporting.formats import Table
from concept_transfer.reporting.looks import group_of
from concept_transfer.study import Study

COLUMNS = {
    "anisotropy": "Two concepts",
    "present_absent": "Present and absent",
    "negation_direction": "Two negations",
    "absent_is_nearest": "Absent is nearest",
    "effective_dimension": "Effective dimension",
    "silhouette": "Silhouette",
    "neighbour_purity": "Neighbour purity",
}


def geometry_table(geometry: pd.DataFrame, study: Study) -> Table:
    """One row an embedding."""
    names = [name for name in study.embeddings if name in set(geometry["embedding"])]
    wide = {
        column: geometry.pivot(index="embedding", columns="measure", values=column).reindex(names)
        for column in ("value", "low", "high", "baseline", "p")
    }
    raw = pd.DataFrame({"embedding": names, "role": [group_of(study, name) for name in names]})
    columns = [
        Column("Embedding", "name", raw["embedding"]),
        Column("Role", "name", raw["role"]),
    ]
    for measure, words in COLUMNS.items():
        if measure not in wide["value"]:
            continue
        raw[measure] = wide["value"][measure].to_numpy()
        for column in ("low", "high", "baseline", "p"):
            values = wide[column][measure].to_numpy()
            if not pd.isna(values).all():
                raw[f"{measure}_{column}"] = values
        columns.append(_measure_column(raw, measure, words))
    return Table(
        stem="geometry",
        section="geometry",
        title="Geometry of the embeddings",
        caption="Cosines of two concepts' vectors, of a concept's present and absent vectors, and "
        "of the steps from present to absent of two concepts (1: negation is one direction for "
        "all). Where present and absent are much more alike than two concepts are, a model must "
        "magnify a small difference to read a negation. Absent is nearest: share of concepts with "
        "no nearer token than their own negation. Silhouette and purity say how well the "
        "categories of concepts separate, beside what permuted categories give. Controls are shown "
        "in their first draw.",
        raw=raw,
        columns=columns,
    )


def _measure_column(raw: pd.DataFrame, measure: str, words: str) -> Column:
    """A measure's values, beside what chance gives where that is known."""
    if f"{measure}_baseline" not in raw:
        digits = 1 if measure == "effective_dimension" else 2
        return Column(words, "number", raw[measure], digits)
    texts = [
        f"{number(value, 2)} (chance {number(chance, 2)}, p {p_value(p)})"
        for value, chance, p in raw[[measure, f"{measure}_baseline", f"{measure}_p"]].to_numpy()
    ]
    return Column(words, "text", texts)


def neighbour_table(neighbours: pd.DataFrame, embeddings: list[str]) -> Table:
    """One row an embedding and concept: its nearest concepts with their cosines."""
    chosen = neighbours[neighbours["embedding"].isin(embeddings)]
    near = [
        f"{name} {number(cosine, 2)}"
        for name, cosine in zip(chosen["neighbour_name"], chosen["cosine"], strict=True)
    ]
    shown = (
        chosen.assign(near=near)
        .groupby(["embedding", "concept", "name", "category"], sort=False)["near"]
        .agg(", ".join)
        .reset_index()
    )
    columns = [
        Column("Embedding", "name", shown["embedding"]),
        Column("Concept", "name", shown["name"]),
        Column("Category", "name", shown["category"]),
        Column("Nearest concepts, cosine", "text", shown["near"]),
    ]
    return Table(
        stem="neighbours",
        section="geometry",
        title="Nearest neighbours",
        caption="The concepts whose vectors are most alike. A source model carries what it learned "
        "about a concept over to these: where they mean something else for the outcome, transfer "
        "misleads.",
        raw=chosen.reset_index(drop=True),
        columns=columns,
    )
