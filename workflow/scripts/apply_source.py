"""Apply a source model unchanged to the target's encounters."""

from pathlib import Path

import torch

from concept_transfer.concepts.vocabulary import Vocabulary
from concept_transfer.grid import Cell, split_pair
from concept_transfer.models.bundle import read_bundle
from concept_transfer.sites.site import Site
from concept_transfer.training.cells import Block, apply_source
from concept_transfer.workflow import job

with job(snakemake.log[0]):
    torch.set_num_threads(snakemake.threads)
    wildcards, params = snakemake.wildcards, snakemake.params
    vocabulary = Vocabulary.read(snakemake.input.vocabulary)
    weights, card, _, table = read_bundle(Path(snakemake.input.bundle[0]).parent, vocabulary)
    target = Site.read(Path(snakemake.input.target[0]).parent, Path(snakemake.input.target[-1]))
    block = Block(params.seed, params.replicates)
    vectors = block.vectors(table, vocabulary)
    predictions = apply_source(target, weights, card.replicates, vectors, block)
    source, name = split_pair(wildcards.pair)
    cell = Cell(
        source, name, wildcards.embedding, wildcards.classifier, wildcards.strategy, wildcards.size
    )
    predictions.write(Path(snakemake.output[0]), cell)
