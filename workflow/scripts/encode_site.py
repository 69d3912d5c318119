"""Read a site's raw files into canonical encounters."""

import json
from pathlib import Path

from pydantic import TypeAdapter

from concept_transfer.concepts.study_vocabulary import study_vocabulary
from concept_transfer.errors import named
from concept_transfer.job import job
from concept_transfer.settings.sites import Site
from concept_transfer.settings.task import Task
from concept_transfer.sites.reading import read_site

with job(snakemake.log[0], texts=True):
    inputs, params = snakemake.input, snakemake.params
    vocabulary = study_vocabulary(inputs.vocabulary, params.vocabulary, inputs.edges)
    site = TypeAdapter(Site).validate_python(json.loads(params.site))
    task = Task.model_validate_json(params.task)
    folder = Path(snakemake.output[0]).parent
    with named(f"sites.{folder.name}"):
        extract = read_site(site, vocabulary, task, Path.cwd())
    extract.write(folder, vocabulary)
    print(json.dumps(extract.report, indent=1))
