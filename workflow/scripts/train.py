"""Train a learner with every strategy that a job makes, at every target size, and predict."""

import json

from concept_transfer.job import job
from concept_transfer.training.jobs import read_setup, read_site_files, run_tasks, tasks_of

ORIGIN = ("learner", "label", "seed", "replicates", "vocabulary", "code")

with job(snakemake.log[0]):
    inputs, params, output = snakemake.input, snakemake.params, snakemake.output
    wildcards = snakemake.wildcards
    names = {
        "pair": wildcards.pair,
        "embedding": wildcards.embedding,
        "classifier": params.classifier,
    }
    # the vocabulary counts by `reads`; the target's own source models are a short cut
    shortcut = {inputs.vocabulary, *inputs.same}
    tasks = tasks_of(
        names,
        params.strategies,
        output.predictions,
        output.get("cards", []),
        [getattr(params, name) for name in ORIGIN],
        [file for file in inputs if file not in shortcut],
    )
    run_tasks(
        list(tasks),
        read_setup(inputs, params, snakemake.resources.device, snakemake.threads),
        read_site_files(inputs.target),
        read_site_files(inputs.source),
        inputs.handed_on,
        inputs.same,
        json.loads(params.source_training),
    )
