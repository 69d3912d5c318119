"""Apply a source model unchanged to the target's encounters."""

from pathlib import Path

import torch

from concept_transfer.concepts.study_vocabulary import study_vocabulary
from concept_transfer.job import job
from concept_transfer.models.bundle import read_bundle
from concept_transfer.training.block import Block
from concept_transfer.training.jobs import predict_sizes, read_site_files
from concept_transfer.training.source_models import apply_source

with job(snakemake.log[0]):
    torch.set_num_threads(snakemake.threads)
    inputs, params = snakemake.input, snakemake.params
    vocabulary = study_vocabulary(inputs.vocabulary, params.vocabulary, inputs.edges)
    weights, card, _, table = read_bundle(Path(inputs.bundle[0]).parent, vocabulary)
    target = read_site_files(inputs.target)
    block = Block(params.seed, params.replicates)
    vectors = block.vectors(table, vocabulary)
    predict_sizes(
        lambda size: apply_source(target, weights, card.replicates, vectors, block),
        snakemake.wildcards,
        ["0"],
        snakemake.output,
        [params.seed, params.replicates, params.vocabulary, params.code],
        [file for file in inputs if file != inputs.vocabulary],
    )
