"""Read a site's raw files into the histories of its encounters, and whole records of patients."""

import json
from pathlib import Path

from pydantic import TypeAdapter

from concept_transfer.cohorts.encounters import Encounters
from concept_transfer.errors import named
from concept_transfer.job import job
from concept_transfer.settings.sites import Site
from concept_transfer.settings.task import Task
from concept_transfer.sites.reading import read_histories

with job(snakemake.log[0]):
    inputs, params, output = snakemake.input, snakemake.params, snakemake.output
    site = TypeAdapter(Site).validate_python(json.loads(params.site))
    task = Task.model_validate_json(params.task)
    folder, timelines = Path(output.cohort[0]).parent, Path(output.patients[0]).parent
    with named(f"sites.{folder.name}"):
        histories = read_histories(site, Encounters.read(folder), task, Path.cwd())
    histories.write(folder, timelines)
    print(json.dumps(histories.report(), indent=1))
