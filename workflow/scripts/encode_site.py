"""Read a site's raw files into canonical encounters."""

import json
from pathlib import Path

from pydantic import TypeAdapter

from concept_transfer.concepts.vocabulary import Vocabulary
from concept_transfer.errors import named
from concept_transfer.job import job
from concept_transfer.settings.sites import Site, Task
from concept_transfer.sites.adapters import read_site

with job(snakemake.log[0]):
    vocabulary = Vocabulary.read(snakemake.input.vocabulary)
    site = TypeAdapter(Site).validate_python(json.loads(snakemake.params.site))
    task = Task.model_validate_json(snakemake.params.task)
    folder = Path(snakemake.output[0]).parent
    with named(f"sites.{folder.name}"):
        encounters, report = read_site(site, vocabulary, task, Path.cwd())
    encounters.write(folder, vocabulary, report)
    print(json.dumps(report, indent=1))
