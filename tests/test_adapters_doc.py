"""The worked examples of docs/adapters.md: configs that load, and data that read as it says."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from concept_transfer.concepts.bins import planned_edges, with_bins
from concept_transfer.concepts.vocabulary import Vocabulary
from concept_transfer.registry import imported
from concept_transfer.settings.task import Task
from concept_transfer.sites.reading import check_site, read_site
from concept_transfer.study import Study, load_study

REPOSITORY = Path(__file__).resolve().parents[1]
TEXT = (REPOSITORY / "docs" / "adapters.md").read_text(encoding="utf-8")
SECTIONS = dict(re.findall(r"^## (.+?)\n(.*?)(?=^## |\Z)", TEXT, re.MULTILINE | re.DOTALL))


def blocks(title: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", SECTIONS[title], re.MULTILINE | re.DOTALL)


def study(title: str) -> Study:
    text, *_ = blocks(title, "yaml")
    config: dict[str, Any] = {
        "study": "s",
        "vocabulary": "v.tsv",
        "task": {"label": "influenza"},
        "split": {"by": "folds"},
        "pairs": [],
        "embeddings": {"one_hot": {"provider": "one_hot"}},
        **yaml.safe_load(text),
    }
    if len(config["sites"]) == 1:
        config["sites"]["other"] = next(iter(config["sites"].values()))
    return load_study({key: value for key, value in config.items() if value != []})


def test_every_example_is_a_config() -> None:
    for title in SECTIONS:
        assert study(title).sites


def test_long_tables(tmp_path: Path) -> None:
    title = "`tabular`, with findings in long tables"
    encounters, findings = blocks(title, "")
    (tmp_path / "encounters.csv").write_text(encounters)
    (tmp_path / "findings.csv").write_text(findings)
    pd.read_csv(tmp_path / "findings.csv").to_parquet(tmp_path / "findings.parquet")
    walk = "site_code\tconcept\ntemp\ttemperature\ncough\tcough\nage\tage\n"
    (tmp_path / "codes.tsv").write_text(walk)
    config = study(title)
    cough = [("cough", "cough", "finding", state, state) for state in ("present", "absent")]
    vocabulary = with_bins(
        Vocabulary(*zip(*cough, strict=True)), config.bins, planned_edges(config.bins)
    )
    site, task = config.sites["north"], Task(label="flu")
    check_site(site, vocabulary, task, tmp_path)
    extract = read_site(site, vocabulary, task, tmp_path)
    pairs = list(zip(vocabulary.concepts, vocabulary.states, strict=True))
    assert [[pairs[token] for token in tokens] for tokens in extract.inputs["findings"]] == [
        [("cough", "present"), ("temperature", "38.5 or more"), ("age", "18 to 64")],
        [("age", "18 to 64")],
        [("cough", "absent"), ("age", "65 or more")],
    ]
    assert extract.report["findings"] == {"rows_read": 5, "elsewhere": 1}
    assert imported("concept_transfer.sites.tabular_numbers:read_numbers")(
        site, "temperature", vocabulary, tmp_path
    ).tolist()[:1] == [39.1]
