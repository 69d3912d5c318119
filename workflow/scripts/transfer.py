"""All transfer from one site to another: a model as it came, tuned, or trained on both sites."""

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
from concept_transfer.training.jobs import predict_strategies, read_site_files
from concept_transfer.training.source_models import apply_source

with job(snakemake.log[0]):
    torch.set_num_threads(snakemake.threads)
    device = usable_device(snakemake.resources.device)
    inputs, params = snakemake.input, snakemake.params
    vocabulary = study_vocabulary(inputs.vocabulary, params.vocabulary, inputs.edges)
    table = EmbeddingTable.read(Path(inputs.embedding), vocabulary)
    model, records = None, None
    if inputs.bundle:
        model, card, _, _ = read_bundle(Path(inputs.bundle[0]).parent, vocabulary, table)
        records = card.replicates
    target, source = read_site_files(inputs.target), read_site_files(inputs.source)
    block = Block(params.seed, params.replicates)
    vectors = block.vectors(table, vocabulary)

    def predict(settings, size):
        if settings["kind"] == "direct":
            return apply_source(target, model, records, vectors, block)
        both_sites = settings["kind"] == "pooled"
        return train_and_apply(
            target,
            settings["kind"],
            size,
            vectors,
            block,
            Training.model_validate(settings["training"]),
            source if both_sites else None,
            None if both_sites else model,
            None if both_sites else records,
            settings["source_weight"],
            device,
        )

    predict_strategies(
        predict,
        {**snakemake.wildcards, "classifier": "cnn"},
        params,
        snakemake.output,
        [file for file in inputs if file != inputs.vocabulary],
    )
