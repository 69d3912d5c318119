"""A study of two MEDS sites, from their files to the report."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from in_process import run_study
from synthea_meds import write_labels, write_meds
from test_meds import ROWS, Event, an_event, at

SUBJECTS = 240


def some_events(seed: int) -> tuple[list[Event], list[tuple]]:
    """Events of subjects whose fever and pulse tell of influenza, and their labels."""
    rng = np.random.default_rng(seed)
    events, labels = [], []
    for subject in range(1, SUBJECTS + 1):
        ill = bool(rng.random() < 0.35)
        events.append(an_event(subject, -365 * rng.uniform(5, 90), "MEDS_BIRTH"))
        events += [an_event(subject, day, "DX//Z00") for day in (0, 400)]
        events.append(an_event(subject, 100, "VISIT//A"))
        codes = {"DX//R05": 0.4, "DX//R50": 0.7 if ill else 0.3, "GENDER//F": 0.5, "DX//Z99": 0.2}
        for code, share in codes.items():
            if rng.random() < share:
                events.append(an_event(subject, rng.uniform(1, 99), code))
        pulse = rng.normal(95 if ill else 85, 10)
        events.append(an_event(subject, 50, "LAB//pulse", pulse, "/min"))
        if ill:
            events.append(an_event(subject, 110, "DX//J10"))
        labels.append((subject, at(100), ill))
    return events, labels


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("meds")
    for seed, name in enumerate(("east", "west")):
        events, labels = some_events(seed)
        write_meds(folder / name, events)
        write_labels(folder / f"{name}.parquet", labels)
    lines = ["concept\tname\tcategory\tstate\ttext"]
    lines += ["\t".join(row[:5]) for row in ROWS if not row[5]]
    (folder / "vocabulary.tsv").write_text("\n".join(lines) + "\n")
    cohort = {"index": ["VISIT//*"], "outcome": ["DX//J10"], "horizon_days": 30}
    config = {
        "study": "tiny",
        "vocabulary": str(folder / "vocabulary.tsv"),
        "task": {"label": "flu"},
        "sites": {
            "east": {"adapter": "meds", "path": str(folder / "east"), "cohort": cohort},
            "west": {
                "adapter": "meds",
                "path": str(folder / "west"),
                "labels": str(folder / "west.parquet"),
            },
        },
        "bins": {"LAB//pulse": {"quantiles": {"of": "east", "bins": 4}, "name": "pulse"}},
        "split": {"by": "share"},
        "embeddings": {"one_hot": {"provider": "one_hot"}},
        "classifiers": ["logistic"],
        "strategies": ["local", "direct"],
        "target_sizes": ["all"],
        "replicates": 2,
        "evaluation": {"draws": 100, "small_cells": 5, "min_positives": 5},
    }
    return run_study(folder, config)


def test_the_bins_are_quantiles_of_the_source(results: Path) -> None:
    found = json.loads((results / "bins/east.json").read_text())["LAB//pulse"]
    split = pd.read_parquet(results / "splits/east.parquet")
    subjects = {int(name.partition("@")[0]) for name in split["encounter"]}
    assert subjects == set(range(1, SUBJECTS + 1))
    training = split[(split["fold"] == -1) & ~split["validation"]]
    events, _ = some_events(0)
    pulses = {e[0]: e[3] for e in events if e[2] == "LAB//pulse"}
    numbers = [pulses[int(name.partition("@")[0])] for name in training["encounter"]]
    assert found["numbers"] == len(numbers)
    assert found["edges"] == pytest.approx(np.quantile(numbers, [0.25, 0.5, 0.75]), abs=0.6)


def test_what_is_recorded_tells_of_the_outcome_at_both_sites(results: Path) -> None:
    for site, labels in (("east", some_events(0)[1]), ("west", some_events(1)[1])):
        report = json.loads((results / f"encounters/{site}/report.json").read_text())
        assert report["encounters"] == SUBJECTS
        assert report["positives"] == sum(label for *_, label in labels)
        assert report["unmapped"].keys() == {"DX//Z00", "DX//Z99"} | (
            {"DX//J10"} & report["unmapped"].keys()
        )
    estimates = pd.read_parquet(results / "metrics/west/none/estimates.parquet")
    auroc = estimates[(estimates["metric"] == "auroc") & (estimates["strategy"] == "direct")]
    assert auroc["estimate"].min() > 0.65
    assert "Medical Event Data Standard" in (results / "methods.md").read_text()
    assert (results / "report.html").is_file()
