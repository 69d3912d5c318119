"""Bayes-optimal AUROC, with its interval, on the test encounters of every simulated target."""

import json
from pathlib import Path

from pydantic import TypeAdapter

from concept_transfer.analysis.ceiling import site_ceiling
from concept_transfer.cohorts.splits import Split
from concept_transfer.concepts.study_vocabulary import study_vocabulary
from concept_transfer.job import job
from concept_transfer.settings.sites import Site
from concept_transfer.settings.task import Task
from concept_transfer.sites.extract import Extract

with job(snakemake.log[0]):
    inputs, params = snakemake.input, snakemake.params
    vocabulary = study_vocabulary(inputs.vocabulary, params.vocabulary, inputs.edges)
    task = Task.model_validate_json(params.task)
    ceilings = {}
    for encounters, split in zip(inputs.encounters, inputs.splits, strict=True):
        target = Path(split).stem
        ceilings[target] = site_ceiling(
            TypeAdapter(Site).validate_python(json.loads(params.sites)[target]),
            Extract.read(Path(encounters).parent, vocabulary),
            Split.read(split),
            vocabulary,
            task,
            Path.cwd(),
            params.confidence,
        )
    Path(snakemake.output[0]).write_text(json.dumps(ceilings, indent=1) + "\n", encoding="utf-8")
