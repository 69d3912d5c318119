"""Tables on codes that belong together."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd

from concept_transfer.reporting.columns import Column, intervals
from concept_transfer.reporting.formats import Table
from concept_transfer.reporting.interconnections import (
    HALVES,
    SECTION,
    Connected,
    is_control,
    marginals,
    of_texts,
)
from concept_transfer.reporting.rows import level
from concept_transfer.study import Study

CONTROL = "control"


def method_table(connected: Connected, study: Study) -> Table:
    """One row a method: how it foretells edges of other patients."""
    assert study.interconnections is not None
    measures = {
        "precision": ("precision", "all", "significant", "halves"),
        "precision_rare": ("precision", "rare", "significant", "halves"),
        "precision_common": ("precision", "common", "significant", "halves"),
        "precision_strong": ("precision", "all", "strong", "halves"),
        "precision_sites": ("precision", "all", "significant", "sites"),
        "auroc_rare": ("auroc", "rare", "significant", "halves"),
        "auroc_common": ("auroc", "common", "significant", "halves"),
        "auprc_common": ("auprc", "common", "significant", "halves"),
        "auroc_new": ("auroc", "new", "significant", "halves"),
        "ratio": ("ratio", "all", "significant", "halves"),
    }
    names = list(study.interconnections.methods)
    raw = _of_methods(names, study)
    for column, asked in measures.items():
        raw[column] = connected.judged(*asked).reindex(names).to_numpy()
    bounds = connected.performance[
        connected.performance["judged"].isin(HALVES)
        & connected.performance["measure"].eq("precision")
        & connected.performance["truth"].eq("significant")
        & connected.performance["stratum"].eq("all")
    ].groupby("method")[["lower", "upper"]]
    for end in ("lower", "upper"):
        raw[f"precision_{end}"] = bounds.mean().reindex(names)[end].to_numpy()
    raw = raw.dropna(subset=list(measures), how="all")
    shown = _columns(
        raw,
        ("Rare pairs", "precision_rare", 2),
        ("Common pairs", "precision_common", 2),
        ("Second truth", "precision_strong", 2),
        ("At other sites", "precision_sites", 2),
        ("AUROC, rare", "auroc_rare"),
        ("AUROC, common", "auroc_common"),
        ("AUPRC, common", "auprc_common"),
        ("AUROC, new", "auroc_new"),
        ("Observed / expected", "ratio", 1),
    )
    precision = intervals(raw, ["precision", "precision_lower", "precision_upper"], unknown="")
    shown.insert(2, Column("Precision", "interval", precision, 2))
    common = study.interconnections.edges.common
    return Table(
        stem="interconnections_methods",
        section=SECTION,
        title="How methods foretell the edges of other patients",
        caption="Learned from one half of the clusters, judged on the other, mean of both ways. "
        "Precision: of as many pairs as there are true edges, the share that are (interval "
        f"{level(study)}, mean of both ways); rare and common pairs (chance alone would bring them "
        f"together less than {common:g} times, or more) are each given as many as they have. The "
        "second truth are strong odds ratios, adjusted for age and sex. New: among pairs that were "
        "no edge in the learning half. Observed over expected counts of a method's edges in the "
        "judging half: high where it chooses rare pairs. Methods that read nobody's record are "
        "judged alike; encoders only at sites that they never read.",
        raw=raw,
        columns=shown,
    )


def text_table(connected: Connected, study: Study) -> Iterator[Table]:
    """One row a method that learns from no patient: beside frequencies, on all patients."""
    names = [*of_texts(study)]
    everywhere = connected.judged("auroc", on="all")
    others = [name for name in everywhere.index if name not in names]
    chosen = [name for name in [*names, *others] if name in everywhere]
    if not names or not chosen:
        return
    raw = _of_methods(chosen, study)
    for stratum in ("common", "rare", "all"):
        for measure in ("auroc", "precision"):
            found = connected.judged(measure, stratum, on="all")
            raw[f"{measure}_{stratum}"] = found.reindex(chosen).to_numpy()
    control = marginals(study)
    yield Table(
        stem="interconnections_texts",
        section=SECTION,
        title="What texts know that frequencies do not",
        caption="Methods that learned from no patient, judged on all of them"
        + (f", beside {control}, which knows how frequent codes are" if control else "")
        + ". Read the column on common pairs: over all pairs a method is right for knowing which "
        "codes are frequent, because only frequent codes meet often enough to be significant.",
        raw=raw,
        columns=_columns(
            raw,
            ("AUROC, common pairs", "auroc_common"),
            ("AUROC, rare pairs", "auroc_rare"),
            ("AUROC, all pairs", "auroc_all"),
            ("Precision, common", "precision_common", 2),
            ("Precision, all", "precision_all", 2),
        ),
    )


def planted_table(connected: Connected, study: Study) -> Iterator[Table]:
    """One row a method: how many of the links that patients were simulated with it finds."""
    rows = connected.performance[connected.performance["truth"] == "planted"]
    if rows.empty:
        return
    assert study.interconnections is not None
    names = [name for name in study.interconnections.methods if name in set(rows["method"])]
    raw = _of_methods(names, study)
    for measure in ("recall", "auroc", "auprc", "direction"):
        told = rows[rows["measure"] == measure].groupby("method")["value"].mean()
        raw[measure] = told.reindex(names).to_numpy()
    yield Table(
        stem="interconnections_planted",
        section=SECTION,
        title="Links that were put in",
        caption="Patients were simulated, so that it is known which codes follow from each other. "
        f"Recall of {int(rows['edges'].max())} linked pairs in as many pairs, and the areas under "
        "the curves, means over halves and sites. What is not linked directly may still come "
        "together, through a third condition or with age, so that no method can have all of them "
        "first. Direction: of linked pairs, how often the cause is put first.",
        raw=raw,
        columns=_columns(
            raw,
            ("Recall", "recall", 2),
            ("AUROC", "auroc"),
            ("AUPRC", "auprc"),
            ("Direction", "direction", 2),
        ),
    )


def answer_table(connected: Connected, study: Study) -> Iterator[Table]:
    """One row a method that was asked: how far its answers agree with each other."""
    assert study.interconnections is not None
    names = [name for name in study.interconnections.methods if name in connected.facts]
    if not names:
        return
    raw = pd.DataFrame([{"method": name, **connected.facts[name]} for name in names])
    share = raw["no_answer"] / raw["requests"]
    yield Table(
        stem="interconnections_answers",
        section=SECTION,
        title="What answers are worth",
        caption="Requests to chat models, the share of answers that were none (counted, not "
        "guessed), and Cohen's kappa between answers about whether two codes are linked: asked "
        "again, in other words, and from the other code.",
        raw=raw,
        columns=[
            Column("Method", "name", raw["method"]),
            Column("Requests", "number", raw["requests"]),
            Column("No answer", "number", share),
            Column("Asked again", "number", raw["agreement_repeats"].astype(float), 2),
            Column("Other words", "number", raw["agreement_phrasings"].astype(float), 2),
            Column("Other direction", "number", raw["agreement_directions"].astype(float), 2),
        ],
    )


def difference_table(connected: Connected, study: Study) -> Table:
    """Each method against the one of highest precision, on the same draws of judging clusters."""
    precision = connected.judged("precision")
    own = [name for name in precision.index if not is_control(study, name)]
    best = str((precision[own] if own else precision).idxmax())
    frame = connected.differences[connected.differences["measure"] == "precision"]
    first, second = frame[frame["a"] == best], frame[frame["b"] == best]
    turned = second.assign(
        b=second["a"],
        difference=-second["difference"],
        lower=-second["upper"],
        upper=-second["lower"],
    )
    raw = pd.concat([first, turned]).assign(a=best)[
        ["judged", "a", "b", "difference", "lower", "upper"]
    ]
    raw = raw.sort_values(["judged", "difference"], kind="stable").reset_index(drop=True)
    return Table(
        stem="interconnections_differences",
        section=SECTION,
        title=f"How much better {best} is than others",
        caption=f"Difference in precision, judged on the same patients, with {level(study)} "
        "intervals of paired draws of clusters. The best of several is named in hindsight.",
        raw=raw,
        columns=[
            Column("Judged on", "name", raw["judged"]),
            Column("Than", "name", raw["b"]),
            Column("Difference", "interval", intervals(raw, ["difference", "lower", "upper"])),
        ],
    )


def graph_table(connected: Connected) -> Table:
    """One row a method: what its graph of all patients looks like."""
    raw = connected.graphs
    return Table(
        stem="interconnections_graphs",
        section=SECTION,
        title="What the graphs look like",
        caption="Graphs of equal density, of all patients. Clustering: how often two neighbours of "
        "a code are neighbours; communities by Louvain's method, and how much more lies inside "
        "them than by chance (modularity). Alone: edges that no other method has, and the share of "
        "such edges that hold in the half of patients that was not learned from. The consensus has "
        "the edges that more than half of the methods have, controls apart.",
        raw=raw,
        columns=_columns(
            raw,
            ("Edges", "edges"),
            ("Codes linked", "linked"),
            ("Highest degree", "highest_degree"),
            ("Clustering", "clustering", 2),
            ("Communities", "communities"),
            ("Modularity", "modularity", 2),
            ("Alone", "unique"),
            ("Of these hold", "unique_hold", 2),
        ),
    )


def agreement_table(connected: Connected) -> Table:
    """One row a pair of methods."""
    raw = connected.agreement
    return Table(
        stem="interconnections_agreement",
        section=SECTION,
        title="How alike methods rank pairs",
        caption="Spearman correlation of their scores over all pairs, of all patients; p by "
        "permuting the codes of one; Jaccard index of their graphs.",
        raw=raw,
        columns=[
            Column("Method", "name", raw["a"]),
            Column("Other method", "name", raw["b"]),
            Column("Spearman", "number", raw["spearman"], 2),
            Column("p", "p", raw["p"]),
            Column("Edges shared", "number", raw["jaccard"], 2),
        ],
    )


def site_table(connected: Connected) -> Table:
    """One row a pair of sites, and the halves."""
    raw = connected.sites
    return Table(
        stem="interconnections_sites",
        section=SECTION,
        title="How many edges sites share",
        caption="Significant pairs of each, those of both, and their share of those of either "
        "(Jaccard index). The halves of all patients show what sampling alone does; a site with "
        "more patients has more edges.",
        raw=raw,
        columns=[
            Column("Site", "name", raw["a"]),
            Column("Other site", "name", raw["b"]),
            Column("Edges", "number", raw["edges_a"]),
            Column("Edges of the other", "number", raw["edges_b"]),
            Column("Shared", "number", raw["shared"]),
            Column("Jaccard", "number", raw["jaccard"], 2),
        ],
    )


def _of_methods(names: list[str], study: Study) -> pd.DataFrame:
    """A row a method, with what it is there for."""
    roles = [CONTROL if is_control(study, name) else "method" for name in names]
    return pd.DataFrame({"method": names, "role": roles})


def _columns(raw: pd.DataFrame, *headings: tuple[str, str] | tuple[str, str, int]) -> list[Column]:
    """Method, role where known, and numbers: (heading, column of `raw`, digits)."""
    named = [("Method", "method"), ("Role", "role")]
    return [
        *(Column(heading, "name", raw[name]) for heading, name in named if name in raw),
        *(Column(heading, "number", raw[name], *digits) for heading, name, *digits in headings),
    ]
