"""Take from bundles the models that a source without encounters hands on."""

import json
from pathlib import Path

from concept_transfer.job import job
from concept_transfer.training.received import receive
from concept_transfer.training.setup import files_of, read_setup

with job(snakemake.log[0]):
    inputs, params, resources = snakemake.input, snakemake.params, snakemake.resources
    for classifier, work in json.loads(params.classifiers).items():
        setup = read_setup(
            inputs,
            params,
            work["learner"],
            "cpu",
            snakemake.threads,
            snakemake.wildcards.embedding,
        )
        folder = Path(files_of(classifier, snakemake.output)[0]).parent
        receive(folder, setup, [Path(file) for file in inputs.bundles])
