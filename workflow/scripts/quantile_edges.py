"""Take the edges of bins from the training encounters of one site."""

import json
from pathlib import Path

from pydantic import TypeAdapter

from concept_transfer.concepts.study_vocabulary import study_vocabulary
from concept_transfer.job import job
from concept_transfer.settings.sites import Site
from concept_transfer.settings.splits import SplitSettings
from concept_transfer.settings.task import Task
from concept_transfer.sites.quantiles import training_edges

with job(snakemake.log[0]):
    params = snakemake.params
    found = training_edges(
        snakemake.wildcards.site,
        TypeAdapter(Site).validate_json(params.site),
        json.loads(params.bins),
        study_vocabulary(snakemake.input.vocabulary, params.vocabulary),
        Task.model_validate_json(params.task),
        SplitSettings.model_validate_json(params.split),
        params.seed,
        Path.cwd(),
    )
    print(json.dumps(found, indent=1))
    Path(snakemake.output[0]).write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
