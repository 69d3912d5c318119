"""Invented results of invented studies, shaped like real ones, for the tests of the report."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import astuple, replace
from typing import Any

import numpy as np
import pandas as pd

from concept_transfer.cell import Cell
from concept_transfer.evaluation.subgroups import DIFFERENCE
from concept_transfer.grid import Grid
from concept_transfer.reporting.columns import Column
from concept_transfer.reporting.evidence import Evidence
from concept_transfer.reporting.sides import labelled
from concept_transfer.study import Study, load_study


def a_study(sites: int = 2, pretrained: int = 2, **changes: Any) -> Study:
    """A study of ``sites`` simulated sites and ``pretrained`` embeddings with their controls."""
    names = ["minilm", "clinical_assertion_negation_bert", *(f"model_{i}" for i in range(3, 30))]
    embeddings: dict[str, Any] = {"one_hot": {"provider": "one_hot"}}
    for name in names[:pretrained]:
        embeddings[name] = {"provider": "transformers", "model": f"hub/{name}", "scale": "unit"}
    embeddings["minilm_shuffled"] = {"provider": "shuffled", "of": "minilm"}
    embeddings["random"] = {"provider": "random", "like": "minilm"}
    places = ["north_county", "south_county", "east", "west"]
    config = {
        "study": "invented",
        "title": "Influenza between invented counties",
        "notice": "All patients of this study are simulated.",
        "vocabulary": "resources/concepts/influenza.tsv",
        "task": {"label": "influenza", "exclude_categories": ["lab result"]},
        "sites": {
            place: {"adapter": "simulated", "network": f"resources/networks/{place}.yaml"}
            for place in places[:sites]
        },
        "split": {"by": "share"},
        "embeddings": embeddings,
        "target_sizes": [50, 200, "all"],
        **changes,
    }
    return load_study(config)


def estimates(study: Study, seed: int = 0, simple_gain: float = 0.0) -> pd.DataFrame:
    """Tidy estimates; ``simple_gain`` lifts the AUROC of the simple models."""
    generator = np.random.default_rng(seed)
    meaning = {name: generator.normal(0, 0.012) for name in [*study.embeddings, "none"]}
    rows = []
    for cell in Grid(study).cells:
        kind = study.strategies[cell.strategy].kind
        labels = {"0": 0, "all": 2000}.get(cell.size)
        labels = int(cell.size) if labels is None else labels
        growth = 0.12 * (1 - np.exp(-labels / 400))
        start = {
            "local": 0.72,
            "direct": 0.83,
            "linear": 0.8,
            "full": 0.78,
            "pooled": 0.82,
            "auto": 0.84,
        }[kind]
        auroc = start + growth * (0.3 if kind == "linear" else 1) + meaning[cell.embedding]
        auroc += simple_gain * (cell.embedding == "none") + generator.normal(0, 0.004)
        half = generator.uniform(0.008, 0.02)
        positives, encounters = (240, 2400) if cell.target != "west" else (9, 600)
        flag = "few positives" if positives < 20 else ""
        values = {
            "auroc": (auroc, half),
            "auprc": (auroc - 0.35, 2 * half),
            "brier": (0.5 - 0.45 * auroc, half / 4),
            "log_loss": (0.9 - 0.7 * auroc, half / 2),
            "calibration_intercept": (generator.normal(0, 0.2), 0.15),
            "calibration_slope": (generator.normal(0.9, 0.15), 0.15),
        }
        for metric, (value, width) in values.items():
            rows.append(
                {
                    **cell.as_dict(),
                    "metric": metric,
                    "estimate": value,
                    "lower": value - width,
                    "upper": value + width,
                    "sampling_se": width / 2,
                    "replicate_sd": width / 5,
                    "no_skill": {"auroc": 0.5, "auprc": positives / encounters}.get(metric, np.nan),
                    "encounters": encounters,
                    "positives": positives,
                    "replicates": study.replicates,
                    "not_estimable": 0,
                    "diverged": 0,
                    "flag": flag,
                }
            )
    return pd.DataFrame(rows)


def comparisons(study: Study, frame: pd.DataFrame, seed: int = 2) -> pd.DataFrame:
    """`comparison_rows` as the report holds them."""
    return labelled(pd.DataFrame(comparison_rows(study, frame, seed)))


def comparison_rows(study: Study, frame: pd.DataFrame, seed: int = 2) -> list[dict[str, Any]]:
    """Paired comparisons between the cells of ``frame``, shaped like the study's table."""
    generator = np.random.default_rng(seed)
    cells = [cell for cell in Grid(study).cells if cell.target != "west"]
    local = next(name for name, s in study.strategies.items() if s.kind == "local")
    rows = []
    for metric in ("auroc", "brier"):
        values = frame[frame["metric"] == metric].set_index(list(Cell.__dataclass_fields__))
        estimate = values["estimate"].to_dict()
        for cell in cells:
            for family, other in _contrasts(study, cell, local):
                if astuple(other) not in estimate:
                    continue
                difference = estimate[astuple(cell)] - estimate[astuple(other)]
                half = generator.uniform(0.004, 0.012)
                p = min(1.0, float(np.exp(-3 * abs(difference) / half)))
                shared = {
                    name: getattr(cell, name) if getattr(cell, name) == getattr(other, name) else ""
                    for name in ("embedding", "classifier", "strategy")
                }
                sign = "better" if difference > 0 else "worse"
                rows.append(
                    {
                        "family": family,
                        "target": cell.target,
                        "source": cell.source,
                        **shared,
                        "size": cell.size if cell.size != "0" else other.size,
                        "a": [cell.as_dict()],
                        "b": [other.as_dict()],
                        "metric": metric,
                        "difference": difference,
                        "lower": difference - half,
                        "upper": difference + half,
                        "lower_holm": difference - 1.5 * half if metric == "auroc" else np.nan,
                        "upper_holm": difference + 1.5 * half if metric == "auroc" else np.nan,
                        "p": p if metric == "auroc" else np.nan,
                        "p_holm": min(1.0, 3 * p) if metric == "auroc" else np.nan,
                        "verdict": ""
                        if metric != "auroc"
                        else sign
                        if 3 * p < 0.05
                        else "no evidence",
                    }
                )
    return rows


def _contrasts(study: Study, cell: Cell, local: str) -> Iterator[tuple[str, Cell]]:
    controls = [name for name in study.embeddings if name in ("minilm_shuffled", "random")]
    if cell.embedding == "minilm":
        for name in controls:
            family = "random control" if name == "random" else "shuffled control"
            yield family, replace(cell, embedding=name)
        for name in study.classifiers:
            if name != "cnn":
                simple = replace(cell, embedding="none", classifier=name)
                if study.strategies[cell.strategy].kind in ("linear", "full"):
                    simple = replace(simple, strategy="pooled")
                yield "simple baselines", simple
    kind = study.strategies[cell.strategy].kind
    if kind != "local":
        for size in map(str, study.target_sizes) if kind == "direct" else [cell.size]:
            yield "target data only", replace(cell, source="", strategy=local, size=size)


def subgroups(frame: pd.DataFrame) -> pd.DataFrame:
    """Two age groups and two years of every cell; few of 2020 have the outcome."""
    cells = frame.loc[frame["metric"] == "auroc", list(Cell.__dataclass_fields__)]
    rows = []
    for cell in cells.to_dict("records"):
        for variable, group, positives in (
            ("age group", "adult", 150),
            ("age group", "child", 90),
            ("period", "2019", 235),
            ("period", "2020", 5),
        ):
            size = {"encounters": 1200, "positives": positives}
            flag = "few positives" if positives < 20 else ""
            for metric, value in (("auroc", 0.8), ("brier", 0.1), (DIFFERENCE, -0.02)):
                bounds = {"estimate": value, "lower": value - 0.03, "upper": value + 0.03}
                named = {"variable": variable, "group": group, "metric": metric}
                rows.append({**cell, **named, **bounds, **size, "flag": flag})
    return pd.DataFrame(rows)


def calibration(frame: pd.DataFrame) -> pd.DataFrame:
    """Curves of twenty bins for every cell; predictions are a fifth too high."""
    cells = frame.loc[frame["metric"] == "auroc", list(Cell.__dataclass_fields__)]
    risks = np.linspace(0.01, 0.6, 20) ** 1.5
    return pd.DataFrame(
        {**cell, "bin": i, "encounters": 120, "predicted": risk, "positives": 100 * risk}
        for cell in cells.to_dict("records")
        for i, risk in enumerate(risks)
    )


def answers(simple_wins: bool = False) -> list[dict[str, Any]]:
    """Answers of the shape that the comparisons give."""
    meaning = {"embedding": "minilm", "source": "north_county", "target": "south_county"}
    meaning |= {"size": "all", "auroc": 0.81, "shuffles": 99, "p_alone": 0.01, "p_max_t": 0.01}
    meaning |= {"shuffled_lowest": 0.7, "shuffled_mean": 0.74, "shuffled_highest": 0.78}
    meaning |= {"shown": False, "missing": [["not over", "one_hot"]]}
    simple = {
        "family": "simple baselines",
        "a": {"classifier": "cnn", "strategy": "direct"},
        "b": {"classifier": "logistic", "strategy": "direct"},
        "both": {},
        "size": "0",
        "comparisons": 6,
        "difference": -0.03,
        "lower": -0.04,
        "upper": -0.02,
        "p": 0.0001,
        "p_holm": 0.0002,
        "lower_holm": -0.04,
        "upper_holm": -0.02,
        "test": "DeLong",
        "lowest": -0.04,
        "lowest_at": {"source": "north_county", "target": "south_county"},
        "highest": -0.02,
        "highest_at": {"source": "south_county", "target": "north_county"},
        "verdict": "worse" if simple_wins else "better",
    }
    strategies = ["direct", "local", "full", "linear", "pooled"]
    return [
        {"name": "semantic", "rows": [{**meaning, "strategy": name} for name in strategies]},
        {"name": "simple", "rows": [simple]},
    ]


CLASSES = ("I", "R", "P / M")


def of_classes(frame: pd.DataFrame) -> pd.DataFrame:
    """Whole-study estimates of ``frame``, and for each of three classes those of a class.

    AUROC of class k is 0.01 k higher than that of all together; classes have 100 + k encounters.
    """
    whole = frame[frame["metric"].isin(["auroc", "brier", "log_loss"])].assign(**{"class": None})
    shares = [
        whole[whole["metric"] == "brier"].assign(metric=metric, estimate=value)
        for metric, value in (("accuracy", 0.7), ("macro_f1", 0.6))
    ]
    each = frame[~frame["metric"].isin(["brier", "log_loss"])]
    parts = [
        each.assign(
            **{"class": name, "estimate": each["estimate"] + 0.01 * k, "positives": 100 + k}
        )
        for k, name in enumerate(CLASSES)
    ]
    return pd.concat([whole, *shares, *parts], ignore_index=True)


def text_columns(frame: pd.DataFrame) -> list[Column]:
    """The columns of a frame as running text."""
    return [Column(str(name), "text", frame[name].astype(str)) for name in frame]


def reports(study: Study) -> dict[str, dict[str, Any]]:
    """Ingest reports of every site."""
    return {
        site: {
            "rows_read": 6100,
            "dropped": {"no label": 100},
            "encounters": 6000,
            "positives": 1200,
            "prevalence": 0.2,
            "unmapped": {"X1": 4},
            "not_recorded": {},
        }
        for site in study.sites
    }


def evidence(study: Study, simple_wins: bool = False, **changes: Any) -> Evidence:
    """Everything that the report of an invented study needs."""
    frame = estimates(study, simple_gain=0.03 if simple_wins else 0.0)
    given = {
        "estimates": frame,
        "comparisons": comparisons(study, frame),
        "answers": answers(simple_wins),
        "reports": reports(study),
        "subgroups": subgroups(frame),
        "calibration": calibration(frame),
        "ceilings": {
            site: {"estimate": 0.97, "lower": 0.96, "upper": 0.98} for site in study.sites
        },
    }
    return Evidence(study, **{**given, **changes})
