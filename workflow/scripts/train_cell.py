"""Fit a model from nothing (local, pooled) at every target size and predict the target."""

import json
from pathlib import Path

import torch

from concept_transfer.concepts.study_vocabulary import study_vocabulary
from concept_transfer.device import usable_device
from concept_transfer.embeddings.table import EmbeddingTable
from concept_transfer.job import job
from concept_transfer.models.bundle import read_bundle
from concept_transfer.settings.training import Training
from concept_transfer.training.block import Block
from concept_transfer.training.cells import train_and_apply
from concept_transfer.training.jobs import predict_sizes, read_site_files

with job(snakemake.log[0]):
    torch.set_num_threads(snakemake.threads)
    device = usable_device(snakemake.resources.device)
    inputs, params = snakemake.input, snakemake.params
    vocabulary = study_vocabulary(inputs.vocabulary, params.vocabulary, inputs.edges)
    model, records = None, None
    own = inputs.get("own", [])
    if own:
        model, card, _, table = read_bundle(Path(own[0]).parent, vocabulary)
        records = card.replicates
    else:
        table = EmbeddingTable.read(Path(inputs.embedding), vocabulary)
    target, source = read_site_files(inputs.target), read_site_files(inputs.get("source", []))
    strategy = json.loads(params.strategy)
    training = Training.model_validate(strategy["training"])
    block = Block(params.seed, params.replicates)
    vectors = block.vectors(table, vocabulary)
    predict_sizes(
        lambda size: train_and_apply(
            target,
            strategy["kind"],
            size,
            vectors,
            block,
            training,
            source,
            model,
            records,
            strategy["source_weight"],
            device,
        ),
        snakemake.wildcards,
        params.sizes,
        snakemake.output,
        [params.strategy, params.seed, params.replicates, params.vocabulary, params.code],
        # the target's own source model is a short cut to the same predictions
        [file for file in inputs if file not in (*own, inputs.vocabulary)],
    )
