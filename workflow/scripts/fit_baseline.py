"""Fit a simple classifier at every target size (or on the source alone) and predict the target."""

import json

from concept_transfer.concepts.study_vocabulary import study_vocabulary
from concept_transfer.job import job
from concept_transfer.training.baseline_cells import baseline_cell
from concept_transfer.training.jobs import predict_sizes, read_site_files

with job(snakemake.log[0]):
    inputs, wildcards, params = snakemake.input, snakemake.wildcards, snakemake.params
    vocabulary = study_vocabulary(inputs.vocabulary, params.vocabulary, inputs.edges)
    target, source = read_site_files(inputs.target), read_site_files(inputs.source)
    strategy = json.loads(params.strategy)
    predict_sizes(
        lambda size: baseline_cell(
            target,
            wildcards.classifier,
            size,
            len(vocabulary),
            params.seed,
            params.replicates,
            strategy["class_weight"] == "balanced",
            source,
            strategy["source_weight"],
        ),
        wildcards,
        params.sizes,
        snakemake.output,
        [params.strategy, params.seed, params.replicates, params.vocabulary, params.code],
        [file for file in inputs if file != inputs.vocabulary],
    )
