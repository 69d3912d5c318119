"""Read a site's raw files into a document for each of its encounters, or write out its findings."""

import json
from pathlib import Path

from pydantic import TypeAdapter

from concept_transfer.cohorts.encounters import Encounters
from concept_transfer.concepts.study_vocabulary import study_vocabulary
from concept_transfer.errors import named
from concept_transfer.inputs.registry import INPUTS
from concept_transfer.job import job
from concept_transfer.settings.sites import Site
from concept_transfer.settings.task import Task
from concept_transfer.sites.documents import write_texts
from concept_transfer.sites.reading import read_texts

with job(snakemake.log[0], texts=True):
    inputs, params = snakemake.input, snakemake.params
    vocabulary = study_vocabulary(inputs.vocabulary, params.vocabulary, inputs.edges)
    site = TypeAdapter(Site).validate_python(json.loads(params.site))
    task = Task.model_validate_json(params.task)
    folder = Path(snakemake.output[0]).parent
    encounters, findings = Encounters.read(folder), INPUTS["findings"].read(folder)
    with named(f"sites.{folder.name}"):
        texts = read_texts(site, encounters, findings, vocabulary, task, Path.cwd())
    print(json.dumps(write_texts(texts, len(encounters), folder), indent=1))
