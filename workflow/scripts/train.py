"""Train a learner with every strategy that a job makes, at every target size, and predict."""

import json

from concept_transfer.job import job
from concept_transfer.training.jobs import run_tasks, tasks_of
from concept_transfer.training.setup import read_material, read_setup

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
    setup = read_setup(inputs, params, snakemake.resources.device, snakemake.threads)
    bench = setup.bench
    material = read_material(inputs, setup, bench)
    run_tasks(list(tasks), setup, bench, material, json.loads(params.source_training))
