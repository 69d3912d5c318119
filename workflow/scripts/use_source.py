"""Use a source model on the target: unchanged, and tuned at every target size."""

import json
from pathlib import Path

import torch

from concept_transfer.concepts.study_vocabulary import study_vocabulary
from concept_transfer.device import usable_device
from concept_transfer.job import job
from concept_transfer.models.bundle import read_bundle
from concept_transfer.settings.training import Training
from concept_transfer.training.block import Block
from concept_transfer.training.cells import train_and_apply
from concept_transfer.training.jobs import predict_sizes, read_site_files
from concept_transfer.training.source_models import apply_source

with job(snakemake.log[0]):
    torch.set_num_threads(snakemake.threads)
    device = usable_device(snakemake.resources.device)
    inputs, params, wildcards = snakemake.input, snakemake.params, snakemake.wildcards
    vocabulary = study_vocabulary(inputs.vocabulary, params.vocabulary, inputs.edges)
    weights, card, _, table = read_bundle(Path(inputs.bundle[0]).parent, vocabulary)
    target = read_site_files(inputs.target)
    block = Block(params.seed, params.replicates)
    vectors = block.vectors(table, vocabulary)

    def predict(settings, size):
        if settings["kind"] == "direct":
            return apply_source(target, weights, card.replicates, vectors, block)
        training = Training.model_validate(settings["training"])
        return train_and_apply(
            target,
            settings["kind"],
            size,
            vectors,
            block,
            training,
            model=weights,
            source_records=card.replicates,
            device=device,
        )

    outputs = iter(snakemake.output)
    for name, settings in json.loads(params.strategies).items():
        sizes = ["0"] if settings["kind"] == "direct" else params.sizes
        predict_sizes(
            lambda size, settings=settings: predict(settings, size),
            {**wildcards, "classifier": "cnn", "strategy": name},
            sizes,
            [next(outputs) for _ in sizes],
            [settings, params.seed, params.replicates, params.vocabulary, params.code],
            [file for file in inputs if file != inputs.vocabulary],
        )
