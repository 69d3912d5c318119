"""Fit one cell's block of replicates (local, linear, full, pooled) and predict the target."""

import json
from pathlib import Path

import torch

from concept_transfer.concepts.vocabulary import Vocabulary
from concept_transfer.embeddings.table import EmbeddingTable
from concept_transfer.grid import Cell, split_pair
from concept_transfer.models.bundle import read_bundle
from concept_transfer.sites.site import Site
from concept_transfer.study import Training
from concept_transfer.training.cells import Block, train_and_apply
from concept_transfer.workflow import job

with job(snakemake.log[0]):
    torch.set_num_threads(snakemake.threads)
    inputs, wildcards, params = snakemake.input, snakemake.wildcards, snakemake.params
    vocabulary = Vocabulary.read(inputs.vocabulary)
    if bundle := inputs.get("bundle"):
        model, card, _, table = read_bundle(Path(bundle[0]).parent, vocabulary)
        records = card.replicates
    else:
        model, records = None, None
        table = EmbeddingTable.read(Path(inputs.embedding), vocabulary)
    target = Site.read(Path(inputs.target[0]).parent, Path(inputs.target[-1]))
    source = None
    if files := inputs.get("source"):
        source = Site.read(Path(files[0]).parent, Path(files[-1]))
    strategy = json.loads(params.strategy)
    block = Block(params.seed, params.replicates)
    predictions = train_and_apply(
        target,
        strategy["kind"],
        wildcards.size,
        block.vectors(table, vocabulary),
        block,
        Training.model_validate(strategy["training"]),
        source,
        model,
        records,
        strategy["source_weight"],
        snakemake.resources.device,
    )
    name, own = split_pair(wildcards.pair)
    cell = Cell(
        name, own, wildcards.embedding, wildcards.classifier, wildcards.strategy, wildcards.size
    )
    predictions.write(Path(snakemake.output[0]), cell)
