"""Train classifiers with every strategy that a job makes, at every target size, and predict."""

import json

from concept_transfer.inputs.text import are_among
from concept_transfer.job import job
from concept_transfer.training.jobs import run_tasks, tasks_of
from concept_transfer.training.setup import files_of, read_material, read_setup

ORIGIN = ("label", "seed", "replicates", "vocabulary")

with job(snakemake.log[0], texts=are_among(snakemake.input)):
    inputs, params, resources = snakemake.input, snakemake.params, snakemake.resources
    output = snakemake.output
    # the vocabulary counts by `reads`; the target's own source models are a short cut
    apart = {inputs.vocabulary, *inputs.same, *inputs.handed_on}
    shared = [file for file in inputs if file not in apart]
    for classifier, work in json.loads(params.classifiers).items():
        tasks = tasks_of(
            snakemake.wildcards.pair,
            snakemake.wildcards.embedding,
            classifier,
            work["strategies"],
            output.predictions,
            output.get("cards", []),
            [work["learner"], work["code"], *(getattr(params, name) for name in ORIGIN)],
            [*shared, *files_of(classifier, inputs.handed_on)],
        )
        setup = read_setup(
            inputs,
            params,
            work["learner"],
            resources.device,
            snakemake.threads,
            snakemake.wildcards.embedding,
        )
        bench = setup.bench
        material = read_material(inputs, classifier, setup, bench)
        run_tasks(list(tasks), setup, bench, material, work["source_training"])
