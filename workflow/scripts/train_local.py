"""Train on the target's own encounters at every target size, and predict its test encounters."""

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
from concept_transfer.training.jobs import predict_strategies, read_site_files

with job(snakemake.log[0]):
    torch.set_num_threads(snakemake.threads)
    device = usable_device(snakemake.resources.device)
    inputs, params = snakemake.input, snakemake.params
    vocabulary = study_vocabulary(inputs.vocabulary, params.vocabulary, inputs.edges)
    table = EmbeddingTable.read(Path(inputs.embedding), vocabulary)
    own, records = None, None
    if inputs.own:
        own, card, _, _ = read_bundle(Path(inputs.own[0]).parent, vocabulary, table)
        records = card.replicates
    target = read_site_files(inputs.target)
    block = Block(params.seed, params.replicates)
    vectors = block.vectors(table, vocabulary)

    def predict(settings, size):
        same = settings["training"] == json.loads(params.source_training)
        return train_and_apply(
            target,
            settings["kind"],
            size,
            vectors,
            block,
            Training.model_validate(settings["training"]),
            model=own if same else None,
            source_records=records if same else None,
            device=device,
        )

    predict_strategies(
        predict,
        {**snakemake.wildcards, "classifier": "cnn"},
        params,
        snakemake.output,
        # the target's own source model is a short cut to the same predictions
        [file for file in inputs if file not in (*inputs.own, inputs.vocabulary)],
    )
