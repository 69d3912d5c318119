"""Studies of small sites: real evaluation of invented patients with counts that stay inside."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from analysis_data import a_vocabulary, site_of
from evaluation_data import encounter_ids, predictions
from reporting_data import a_study

from concept_transfer.analysis.geometry import concept_map, geometry, nearest_neighbours
from concept_transfer.analysis.loss import rank_correlations, shift_against_loss
from concept_transfer.analysis.shift import site_shift
from concept_transfer.cell import Cell
from concept_transfer.comparison.comparisons import compare_study
from concept_transfer.comparison.questions import answer_questions
from concept_transfer.evaluation.evaluate import evaluate_cells
from concept_transfer.evaluation.results import read_results
from concept_transfer.grid import Grid
from concept_transfer.reporting.analysis import Analysis
from concept_transfer.reporting.evidence import Evidence
from concept_transfer.reporting.sides import labelled
from concept_transfer.sites.site import Site
from concept_transfer.study import Study

VOCABULARY = a_vocabulary()


@dataclass(frozen=True)
class Hospital:
    """(positives, others) of each age among the test encounters, and of all that do not test."""

    test: dict[str, tuple[int, int]]
    rest: tuple[int, int]
    dropped: int = 0
    rare: dict[str, int] = field(default_factory=dict)  # concept -> encounters that record it

    @property
    def tested(self) -> tuple[int, int]:
        positives, others = zip(*self.test.values(), strict=True)
        return sum(positives), sum(others)

    @property
    def whole(self) -> tuple[int, int]:
        return self.tested[0] + self.rest[0], self.tested[1] + self.rest[1]


def small_study(share: float) -> Study:
    return a_study(
        embeddings={
            "one_hot": {"provider": "one_hot"},
            "minilm": {"provider": "transformers", "model": "hub/minilm", "scale": "unit"},
        },
        classifiers=["cnn", "gradient_boosting"],
        strategies={"local": None, "direct": None},
        target_sizes=["all"],
        replicates=2,
        split={"by": "share", "test_share": share},
        evaluation={"draws": 100},
    )


def evidence_of(hospitals: dict[str, Hospital], share: float, folder: Path) -> Evidence:
    """Everything that a report of these hospitals needs, as the workflow makes it.

    ``share`` of their encounters test.
    """
    study = small_study(share)
    rng = np.random.default_rng(7)
    frames: dict[str, list[pd.DataFrame]] = {"estimates": [], "subgroups": [], "calibration": []}
    for target, hospital in hospitals.items():
        found = _evaluated(study, target, hospital, rng)
        found.write(folder / target / "all")
        for name, tables in frames.items():
            tables.append(getattr(found, name).to_pandas())
    results = read_results(sorted(folder.glob("*/*")))
    contrasts, rows = compare_study(study, results, {})
    lengths = dict.fromkeys(study.embeddings, 1.0)
    comparisons = labelled(pd.DataFrame(rows))
    return Evidence(
        study,
        comparisons=comparisons,
        answers=answer_questions(study, contrasts, results, rows, {}, lengths),
        reports={name: _report(hospital) for name, hospital in hospitals.items()},
        ceilings={key: {"estimate": 0.97, "lower": 0.96, "upper": 0.98} for key in hospitals},
        analysis=_analysis(study, hospitals, pd.DataFrame(rows), rng),
        **{name: pd.concat(tables, ignore_index=True) for name, tables in frames.items()},
    )


def _evaluated(study: Study, target: str, hospital: Hospital, rng: np.random.Generator) -> Any:
    labels = np.concatenate([np.repeat([1, 0], pair) for pair in hospital.test.values()])
    ages = np.repeat(list(hospital.test), [sum(pair) for pair in hospital.test.values()])
    cells = [
        predictions(cell, labels, _risks(cell, labels, study.replicates, rng))
        for cell in Grid(study).cells
        if cell.target == target
    ]
    ids = encounter_ids(cells[0])
    found = evaluate_cells(cells, ids, ids, study.evaluation, 1, {"age group": ages})
    return replace(found, estimates=_flagged(found.estimates, study.evaluation.min_positives))


def _risks(cell: Cell, labels: np.ndarray, replicates: int, rng: np.random.Generator) -> np.ndarray:
    """Gradient boosting on few positives predicts one risk for everybody."""
    if cell.classifier == "gradient_boosting":
        return np.full((replicates, len(labels)), 0.05)
    scores = 1.2 * labels - 2 + rng.normal(size=(replicates, len(labels)))
    return 1 / (1 + np.exp(-scores))


def _flagged(estimates: pa.Table, least: int) -> pa.Table:
    others = estimates["encounters"].to_numpy() - estimates["positives"].to_numpy()
    flags = np.where(others < least, "few negatives", estimates["flag"].to_numpy(False))
    place = estimates.schema.get_field_index("flag")
    return estimates.set_column(place, "flag", pa.array(flags, pa.string()))


def _report(hospital: Hospital) -> dict[str, Any]:
    positives, others = hospital.whole
    return {
        "rows_read": positives + others + hospital.dropped,
        "dropped": {"no label": hospital.dropped} if hospital.dropped else {},
        "encounters": positives + others,
        "positives": positives,
        "prevalence": positives / (positives + others),
        "unmapped": {"X1": 4},
        "not_recorded": {},
    }


def _site(name: str, hospital: Hospital, rng: np.random.Generator) -> Site:
    positives, others = hospital.whole
    labels = np.repeat([1, 0], [positives, others])
    n = len(labels)
    held = rng.random((n, len(VOCABULARY))) < rng.uniform(0.3, 0.6, len(VOCABULARY))
    for concept, count in hospital.rare.items():
        own = [i for i, other in enumerate(VOCABULARY.concepts) if other == concept]
        held[:, own] = False
        held[rng.permutation(n)[:count], own[0]] = True
    return site_of(name, [np.flatnonzero(row).tolist() for row in held], labels, range(n))


def _analysis(
    study: Study,
    hospitals: dict[str, Hospital],
    comparisons: pd.DataFrame,
    rng: np.random.Generator,
) -> Analysis:
    sites = [_site(name, hospital, rng) for name, hospital in hospitals.items()]
    tables = {
        name: rng.normal(size=(len(VOCABULARY), 6)).astype(np.float32) for name in study.embeddings
    }
    pairs, findings = site_shift(sites, VOCABULARY, {"minilm": tables["minilm"]}, 100, 0.95, 1)

    def of_all(rows_of: Any) -> pd.DataFrame:
        return pd.DataFrame(
            [{"embedding": name, **row} for name, table in tables.items() for row in rows_of(table)]
        )

    shift = pd.DataFrame(pairs)
    loss = shift_against_loss(comparisons, shift, ["all"], ["direct"])
    return Analysis(
        shift=shift,
        shift_findings=pd.DataFrame(findings),
        shift_loss=loss,
        shift_correlations=rank_correlations(loss),
        geometry=of_all(lambda table: geometry(table, VOCABULARY, 1)),
        neighbours=of_all(lambda table: nearest_neighbours(table, VOCABULARY)),
        map=of_all(lambda table: concept_map(table, VOCABULARY)),
    )
