"""What the report shows of site shift and embedding geometry, read once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from concept_transfer.analysis.schemas import OF_DOCUMENTS, OF_NOTES, TABLES
from concept_transfer.parquet import read_table
from concept_transfer.reporting.formats import Table
from concept_transfer.reporting.looks import group_of
from concept_transfer.study import Study

if TYPE_CHECKING:
    from concept_transfer.reporting.figures.canvas import Drawing


@dataclass(frozen=True)
class Analysis:
    """The tables of ``analysis/`` (docs/contracts.md), by the names of their files; those of
    documents where a study has language models that read them."""

    shift: pd.DataFrame
    shift_findings: pd.DataFrame
    shift_loss: pd.DataFrame
    shift_correlations: pd.DataFrame
    geometry: pd.DataFrame
    neighbours: pd.DataFrame
    map: pd.DataFrame
    document_space: pd.DataFrame | None = None
    document_map: pd.DataFrame | None = None
    extraction: pd.DataFrame = field(default_factory=lambda: _none("extraction"))
    extraction_cost: pd.DataFrame = field(default_factory=lambda: _none("extraction_cost"))


def _none(table: str) -> pd.DataFrame:
    frame: pd.DataFrame = OF_NOTES[table].empty_table().to_pandas()
    return frame


def read_analysis(
    folder: str | Path, of_documents: bool = False, of_notes: bool = False
) -> Analysis:
    """Read the Parquet files of ``analysis/``; of_documents, of_notes: also those of documents, and
    of findings read from notes."""
    schemas = {**TABLES, **(OF_DOCUMENTS if of_documents else {}), **(OF_NOTES if of_notes else {})}
    return Analysis(
        **{
            name: read_table(Path(folder) / f"{name}.parquet", schema).to_pandas()
            for name, schema in schemas.items()
        }
    )


def analysis_tables(analysis: Analysis, study: Study) -> Iterator[Table]:
    """Tables on site shift and embedding geometry, in the order of the report."""
    from concept_transfer.reporting.document_tables import document_table
    from concept_transfer.reporting.extraction_tables import cost_table, extraction_table
    from concept_transfer.reporting.geometry_tables import geometry_table, neighbour_table
    from concept_transfer.reporting.shift_tables import (
        correlation_table,
        differing_findings,
        finding_table,
        loss_table,
        shift_table,
    )

    if not analysis.extraction.empty:
        yield extraction_table(analysis.extraction, study)
    if not analysis.extraction_cost.empty:
        yield cost_table(analysis.extraction_cost, study)
    if study.measured_pairs():
        yield shift_table(analysis.shift, study)
    if not analysis.shift_loss.empty:
        yield loss_table(analysis.shift_loss, study)
    if not analysis.shift_correlations.empty:
        yield correlation_table(analysis.shift_correlations, study)
    if not differing_findings(analysis.shift_findings, study).empty:
        yield finding_table(analysis.shift_findings, study)
    if not analysis.geometry.empty:
        yield geometry_table(analysis.geometry, study)
        yield neighbour_table(analysis.neighbours, distinct_maps(analysis.map, study))
    if analysis.document_space is not None and not analysis.document_space.empty:
        yield document_table(analysis.document_space, study)


def analysis_figures(analysis: Analysis, study: Study) -> Iterator[Drawing]:
    """Figures on site shift and embedding geometry, in the order of the report."""
    from concept_transfer.reporting.figures.concepts import concept_map
    from concept_transfer.reporting.figures.documents import document_map
    from concept_transfer.reporting.figures.extraction import (
        cost_sizes,
        missed_findings,
        reading_cost,
    )
    from concept_transfer.reporting.figures.negation import negation
    from concept_transfer.reporting.figures.shift import finding_shift, shift_against_loss
    from concept_transfer.reporting.shift_tables import differing_findings

    if not analysis.extraction.empty:
        yield missed_findings(analysis.extraction, study)
    for size in cost_sizes(analysis.extraction_cost):
        drawing = reading_cost(analysis.extraction_cost, study, size)
        if drawing is not None:
            yield drawing
    if not analysis.shift_loss["loss"].isna().all():
        yield shift_against_loss(analysis.shift_loss, study)
    if not differing_findings(analysis.shift_findings, study).empty:
        yield finding_shift(analysis.shift_findings, study)
    if "present_absent" in set(analysis.geometry["measure"]):
        yield negation(analysis.geometry, study)
    for name in distinct_maps(analysis.map, study):
        yield concept_map(analysis.map, name)
    if (points := analysis.document_map) is not None:
        for name in points["encoder"].unique():
            yield document_map(points, name, study)


def distinct_maps(points: pd.DataFrame, study: Study) -> list[str]:
    """Pretrained embeddings, without those whose concepts lie as those of an earlier one do
    (another scale of the same vectors), and those of concepts too few to lie anywhere."""
    kept: dict[str, np.ndarray] = {}
    for name in study.embeddings:
        places = points.loc[points["embedding"] == name, ["x", "y"]].to_numpy()
        known = any(
            places.shape == other.shape and np.allclose(places, other, atol=1e-4)
            for other in kept.values()
        )
        if len(places) and group_of(study, name) == "pretrained" and not known:
            kept[name] = places
    return list(kept)
