"""Collect who has which codes at a site: of its findings, its histories, or its adapter."""

import json
from pathlib import Path

from pydantic import TypeAdapter

from concept_transfer.cohorts.encounters import Encounters
from concept_transfer.concepts.study_vocabulary import study_vocabulary
from concept_transfer.errors import named
from concept_transfer.inputs.findings import read as read_findings
from concept_transfer.interconnections.sources import of_findings, of_history, of_recorded
from concept_transfer.job import job
from concept_transfer.settings.sites import Site
from concept_transfer.settings.task import Task
from concept_transfer.sites.histories import read_timelines
from concept_transfer.sites.reading import read_codes

with job(snakemake.log[0]):
    inputs, params, output = snakemake.input, snakemake.params, Path(snakemake.output[0])
    folder = Path(inputs.cohort[0]).parent
    if params.read == "history":
        history, _ = read_timelines(Path(inputs.codes[0]).parent)
        sets = of_history(history, params.unit, params.ages, params.sex)
    elif params.read == "findings":
        vocabulary = study_vocabulary(inputs.vocabulary, params.vocabulary, inputs.edges)
        sets = of_findings(read_findings(folder), Encounters.read(folder), vocabulary)
    else:
        site = TypeAdapter(Site).validate_python(json.loads(params.site))
        task = Task.model_validate_json(params.task)
        encounters = Encounters.read(folder)
        with named(f"sites.{folder.name}"):
            recorded = read_codes(site, encounters, task, Path.cwd())
        sets = of_recorded(recorded, encounters, params.ages)
    sets.write(output)
