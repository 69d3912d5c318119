"""What the report shows of codes that belong together."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from concept_transfer.cell import ALL_SITES
from concept_transfer.interconnections.methods import METHODS
from concept_transfer.interconnections.methods.method import Method
from concept_transfer.interconnections.schemas import TABLES
from concept_transfer.parquet import read_table
from concept_transfer.reporting.answers import Answer
from concept_transfer.reporting.columns import interval, number
from concept_transfer.reporting.formats import Table
from concept_transfer.reporting.rows import records
from concept_transfer.reporting.words import listing
from concept_transfer.study import Study

if TYPE_CHECKING:
    from concept_transfer.reporting.figures.canvas import Drawing

SECTION = "interconnections"
HALVES = ("half a", "half b")
QUESTION = "Which method foretells which codes come together in other patients?"
QUESTION_OF_TEXTS = "Do texts know which codes come together?"


@dataclass(frozen=True)
class Connected:
    """The tables of ``interconnections/`` (docs/contracts.md), by the names of their files; no pair
    of fewer patients than ``evaluation.small_cells`` is in them. facts: method -> what is known of
    how it was asked."""

    performance: pd.DataFrame
    differences: pd.DataFrame
    agreement: pd.DataFrame
    graphs: pd.DataFrame
    sites: pd.DataFrame
    pairs: pd.DataFrame
    codes: pd.DataFrame
    facts: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def judged(
        self, measure: str, stratum: str = "all", truth: str = "significant", on: str = "halves"
    ) -> pd.Series:
        """Method -> mean of a measure over directions: between the `halves`, between `sites`, or
        of what learned from nobody on `all` patients."""
        rows = self.performance
        halves, whole = rows["judged"].isin(HALVES), rows["judged"] == ALL_SITES
        where = {"halves": halves, "all": whole, "sites": ~halves & ~whole}[on]
        told = rows["measure"].eq(measure) & rows["stratum"].eq(stratum) & rows["truth"].eq(truth)
        return rows[where & told].groupby("method", sort=False)["value"].mean()


def read_connected(folder: Path) -> Connected:
    """Read the Parquet files of ``interconnections/``."""
    return Connected(
        **{
            name: read_table(folder / f"{name}.parquet", schema).to_pandas()
            for name, schema in TABLES.items()
        },
        facts={
            path.stem: json.loads(path.read_text(encoding="utf-8"))
            for path in sorted((folder / "prepared").glob("*.json"))
        },
    )


def record_of(study: Study, name: str) -> Method:
    """The record of a method of the study."""
    assert study.interconnections is not None
    return METHODS[study.interconnections.methods[name].kind]


def is_control(study: Study, name: str) -> bool:
    """Whether a method is there to be compared with; so is one of an embedding that is."""
    assert study.interconnections is not None
    record, section = record_of(study, name), study.interconnections.methods[name]
    return record.control or any(study.is_control(one) for one in record.embeddings(section))


def of_texts(study: Study) -> list[str]:
    """Methods that read the names of codes, or embeddings of the study, and are no controls."""
    assert study.interconnections is not None
    return [
        name
        for name, section in study.interconnections.methods.items()
        if (record_of(study, name).embeddings(section) or record_of(study, name).prepare)
        and not is_control(study, name)
    ]


def marginals(study: Study) -> str | None:
    """The study's control that knows frequencies alone, if it has one."""
    assert study.interconnections is not None
    methods = study.interconnections.methods
    return next((name for name, one in methods.items() if one.kind == "marginals"), None)


def answers(connected: Connected, study: Study) -> list[Answer]:
    """What the report says first of them."""
    told = [(QUESTION, list(_sentences(connected, study)))]
    told += [(QUESTION_OF_TEXTS, list(_of_texts(connected, study)))]
    return [Answer(SECTION, question, sentences, []) for question, sentences in told if sentences]


def _sentences(connected: Connected, study: Study) -> Iterator[str]:
    precision = connected.judged("precision")
    methods = [name for name in precision.index if not is_control(study, name)]
    best = precision[methods].sort_values(ascending=False)
    if best.empty or best.isna().all():
        yield "Neither half of the patients has enough edges to judge by."
        return
    name = str(best.index[0])
    control = marginals(study)
    beside = (
        f", frequencies alone {number(precision[control], 2)}"
        if control is not None and control in precision
        else ""
    )
    yield (
        f"Of as many pairs as there are edges, {name} has {number(best.iloc[0], 2)} right in the "
        f"half of the patients that it has not seen{beside}."
    )
    yield from _of_sites(connected)


def _of_texts(connected: Connected, study: Study) -> Iterator[str]:
    """Frequent codes meet often, whatever they mean: texts are told beside the frequencies, first
    of all pairs, then of those common enough for chance to be no guide."""
    control = marginals(study)
    rows = connected.performance
    rows = rows[(rows["judged"] == ALL_SITES) & (rows["truth"] == "significant")]
    rows = rows[rows["measure"] == "auroc"].dropna(subset="value")
    areas = {(row["method"], row["stratum"]): row for row in records(rows)}
    assert study.interconnections is not None
    if control is None:
        return
    least = study.interconnections.edges.common
    for name in of_texts(study):
        asked = [(one, stratum) for one in (name, control) for stratum in ("all", "common")]
        if not all(key in areas for key in asked):
            continue
        told = {key: _bounded(areas[key]) for key in asked}
        everywhere, common = (
            _verdict(connected, name, control, stratum) for stratum in ("all", "common")
        )
        yield (
            f"Over all pairs {name} tells those that belong together {everywhere} the "
            f"product of their frequencies (AUROC {told[name, 'all']} against "
            f"{told[control, 'all']}). Among pairs that chance alone would bring together "
            f"{least:g} times or more it does {common} that: {told[name, 'common']} "
            f"against {told[control, 'common']}."
        )


def _bounded(row: Mapping[str, Any]) -> str:
    return interval(row["value"], row["lower"], row["upper"], 3)


def _verdict(connected: Connected, name: str, control: str, stratum: str) -> str:
    """Whether a method beats a control in an area among all patients, by paired draws."""
    rows = connected.differences
    rows = rows[(rows["judged"] == ALL_SITES) & (rows["measure"] == f"auroc_{stratum}")]
    own, turned = (
        rows[(rows["a"] == one) & (rows["b"] == other)]
        for one, other in ((name, control), (control, name))
    )
    if (own["lower"] > 0).any() or (turned["upper"] < 0).any():
        return "better than"
    worse = (own["upper"] < 0).any() or (turned["lower"] > 0).any()
    return "worse than" if worse else "no better than"


def _of_sites(connected: Connected) -> Iterator[str]:
    shared = connected.sites[~connected.sites["a"].isin(HALVES)]["jaccard"].dropna()
    if len(shared):
        low, high = number(shared.min(), 2), number(shared.max(), 2)
        span = low if low == high else f"between {low} and {high}"
        yield f"Two sites share {span} of the edges that either has."


def methods_paragraph(study: Study) -> str:
    """How interconnections were sought and judged; "" where they were not."""
    section = study.interconnections
    if section is None:
        return ""
    told = listing(
        [f"{name} ({METHODS[one.kind].methods(one)})" for name, one in section.methods.items()]
    )
    unit = "within a visit" if section.unit == "visit" else "within all that is known of a patient"
    cut = f"cut to {section.codes.characters} characters, " if section.codes.characters else ""
    density = (
        "as many as there were true edges"
        if section.density is None
        else f"{100 * section.density:g} % of all"
    )
    least = study.evaluation.small_cells
    return (
        f"Codes, {cut}that {section.codes.min_patients} patients have at least, were "
        f"paired by whether they come together {unit}. Pairs were scored by {told}. Clusters were "
        "halved at random; what was learned from one half was judged on the other, and what was "
        "learned at a site on every other site. True edges of the judging patients were pairs "
        f"significant by Fisher's exact test, one-sided, at a false discovery rate of "
        f"{section.edges.fdr:g} (Benjamini-Hochberg); as a second truth, pairs of at least "
        f"{least} patients whose Mantel-Haenszel odds ratio, adjusted for age and sex, had an "
        f"interval above {section.edges.odds_ratio:g}. Graphs were compared at equal density: the "
        f"pairs with the highest scores, {density}. Areas under curves are shown among pairs that "
        f"chance would bring together {section.edges.common:g} times or more, and fewer, because "
        "the product of two frequencies alone foretells which pairs are significant. Intervals "
        f"come from {section.draws:,} draws of judging clusters; the edges of the methods, and the "
        "limit of significance, stayed as they were, and the shift that counting chance twice "
        "causes was taken off. Rank correlations of methods were tested by permuting codes "
        f"({section.permutations:,} times; quadratic assignment procedure). Nothing is shown of "
        f"pairs of fewer than {least} patients."
    )


def connected_tables(connected: Connected, study: Study) -> Iterator[Table]:
    """Tables on codes that belong together, in the order of the report."""
    from concept_transfer.reporting import interconnection_tables as tables
    from concept_transfer.reporting import pair_tables

    yield tables.method_table(connected, study)
    yield from tables.text_table(connected, study)
    yield from tables.planted_table(connected, study)
    yield from tables.answer_table(connected, study)
    yield tables.difference_table(connected, study)
    yield tables.graph_table(connected)
    yield tables.agreement_table(connected)
    yield tables.site_table(connected)
    yield from pair_tables.new_edges(connected)
    yield from pair_tables.alone_edges(connected, study)
    yield from pair_tables.edge_table(connected)


def connected_figures(connected: Connected, study: Study) -> Iterator[Drawing]:
    """Figures on codes that belong together, in the order of the report."""
    from concept_transfer.reporting.figures.chapters import chapter_map
    from concept_transfer.reporting.figures.foretelling import foretelling
    from concept_transfer.reporting.figures.network import network

    if connected.pairs["significant"].any():
        yield network(connected, study)
    yield foretelling(connected, study)
    if not connected.pairs.empty:
        yield chapter_map(connected, study)
