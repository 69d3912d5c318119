"""A small hospital: its table, what a study makes of it, and bundles of models fitted there."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from test_cells import SETTINGS

from concept_transfer.cell import Cell
from concept_transfer.cohorts.cohort import Cohort
from concept_transfer.cohorts.splits import split_table
from concept_transfer.concepts.vocabulary import Vocabulary
from concept_transfer.embeddings.table import EmbeddingTable
from concept_transfer.learners import LEARNERS
from concept_transfer.settings.task import TOKENS_OF_TASK, Task
from concept_transfer.sites.extract import Extract
from concept_transfer.sites.reading import read_site
from concept_transfer.sites.site import Site
from concept_transfer.sites.tabular_site import TabularSite
from concept_transfer.training.block import Block
from concept_transfer.training.jobs import Task as Job
from concept_transfer.training.jobs import run_tasks
from concept_transfer.training.setup import Material, Setup

VOCABULARY = """\
concept	name	category	state	lower	text
fever	fever	finding	present		fever
fever	fever	finding	absent		no fever
cough	cough	finding	present		cough
cough	cough	finding	absent		no cough
rash	rash	finding	present		rash
swab	swab	lab result	present		positive swab
swab	swab	lab result	absent		negative swab
age_group	age group	age	child		child
age_group	age group	age	adult		adult
temperature	temperature	measurement	below 37.5	-inf	temperature below 37.5
temperature	temperature	measurement	37.5 or more	37.5	temperature 37.5 or more
"""
ENCOUNTERS = 240
REPLICATES = Block(0, [0, 1, 2])
OMIT = Task(label="flu", exclude_categories=["lab result"])
FINDINGS = ["fever", "cough", "rash", "swab", "age_group", "temperature"]


def vocabulary(folder: Path) -> Vocabulary:
    (folder / "concepts.tsv").write_text(VOCABULARY, encoding="utf-8")
    return Vocabulary.read(folder / "concepts.tsv")


def table(classes: int = 2) -> pd.DataFrame:
    """Texts as an extract has them: fever tells the outcome, some cells are empty."""
    draw = np.random.default_rng(5)
    label = draw.integers(0, classes, ENCOUNTERS)
    frame = pd.DataFrame({"encounter": [f"v{i}" for i in range(ENCOUNTERS)], "flu": label})
    for name, words in {
        "fever": ["yes", "no", ""],
        "cough": ["P", "A", ""],
        "rash": ["1", "0", "NA"],
        "swab": ["yes", "no", ""],
    }.items():
        frame[name] = draw.choice(words, ENCOUNTERS)
    frame.loc[(label == 1) & (draw.random(ENCOUNTERS) < 0.8), "fever"] = "yes"
    frame["age_group"] = draw.choice(["child", "Adult", ""], ENCOUNTERS)
    numbers = draw.normal(37.5, 1, ENCOUNTERS).round(1).astype(str)
    frame["temperature"] = np.where(draw.random(ENCOUNTERS) < 0.2, "", numbers)
    frame.loc[7, FINDINGS] = ""  # an encounter of which nothing is known
    return frame.astype(str)


def study_reads(folder: Path, frame: pd.DataFrame, task: Task, **settings: object) -> Extract:
    """What a study makes of the table."""
    frame.to_csv(folder / "study.csv", index=False)
    names = [str(k) for k in range(len(task.class_names))]
    classes = {name: [number] for name, number in zip(task.class_names, names, strict=True)}
    label = {"column": "flu", "classes": classes}
    site = {"adapter": "tabular", "path": "study.csv", "encounter": "encounter", "label": label}
    section = TabularSite.model_validate(site | settings)
    return read_site(section, vocabulary(folder), task, folder)


def fitted(folder: Path, learner: str, task: Task = OMIT, classes: int = 2) -> pd.DataFrame:
    """A bundle in ``folder/bundle``, and the study's predictions of the test encounters."""
    words = vocabulary(folder)
    extract = study_reads(folder, table(classes), task)
    row, ids = np.arange(ENCOUNTERS), extract.encounters.table.column("encounter").to_pylist()
    fold = np.where(row % 3 == 0, 0, -1).astype(np.int16)
    split = split_table(ids, ids, extract.encounters.labels, fold, row % 5 == 0)
    site = Site(Cohort("here", extract.encounters.labels, split), extract.inputs)
    vectors = np.random.default_rng(0).normal(size=(len(words), 12)).astype(np.float32)
    record = LEARNERS[learner]
    setup = Setup(
        "tiny",
        task.label,
        list(task.class_names),
        {"kind": learner},
        REPLICATES,
        words,
        EmbeddingTable.create("words", "precomputed", vectors, words)
        if record.takes_embedding
        else None,
        "cpu",
        1,
        task.model_dump(mode="json", include=set(TOKENS_OF_TASK)),
    )
    job = Job(
        Cell("", "here", "words", learner, "local", "100"),
        {"kind": "local"},
        SETTINGS.model_dump(mode="json"),
        folder / "predictions.parquet",
        folder / "bundle",
        "origin",
    )
    run_tasks([job], setup, setup.bench, Material(site), {})
    predictions = pd.read_parquet(folder / "predictions.parquet")
    return predictions[predictions["partition"] == "test"]


def long_table(frame: pd.DataFrame, seed: int = 0) -> pd.DataFrame:
    """A row a cell, in any order; encounters without a finding have a row without a code."""
    melted = frame.melt("encounter", FINDINGS, "concept", "state")
    melted = melted[melted["state"] != ""]
    silent = frame[~frame["encounter"].isin(melted["encounter"])]
    nothing = pd.DataFrame({"encounter": silent["encounter"], "concept": "", "state": ""})
    return pd.concat([melted, nothing]).sample(frac=1, random_state=seed)
