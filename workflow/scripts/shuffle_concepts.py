"""Train at one source on permuted vectors, use the models on every target, and keep their AUROC."""

import json
from pathlib import Path

import torch

from concept_transfer.concepts.study_vocabulary import study_vocabulary
from concept_transfer.device import usable_device
from concept_transfer.embeddings.table import EmbeddingTable
from concept_transfer.evaluation.schemas import SHUFFLES
from concept_transfer.evaluation.shuffles import shuffled_rows
from concept_transfer.grid import Cell
from concept_transfer.job import job
from concept_transfer.parquet import write_rows
from concept_transfer.settings.training import Training
from concept_transfer.sites.site import Site
from concept_transfer.training.shuffles import ShuffledBlock, Use, apply_shuffled

with job(snakemake.log[0]):
    torch.set_num_threads(snakemake.threads)
    device = usable_device(snakemake.resources.device)
    inputs, params = snakemake.input, snakemake.params
    vocabulary = study_vocabulary(inputs.vocabulary, params.vocabulary, inputs.edges)
    table = EmbeddingTable.read(Path(inputs.embedding), vocabulary)
    source, *targets = (
        Site.read(Path(offsets).parent, Path(split))
        for offsets, split in zip(inputs.offsets, inputs.splits, strict=True)
    )
    uses = {
        name: Use(
            use["kind"], use["size"], Training.model_validate(use["training"]), use["source_weight"]
        )
        for name, use in json.loads(params.uses).items()
    }
    block = ShuffledBlock.of(params.seed, params.shuffles, params.replicates)
    rows = []
    for target, strategy, predictions in apply_shuffled(
        source,
        targets,
        block.vectors(table, vocabulary),
        block,
        Training.model_validate_json(params.training),
        uses,
        device,
    ):
        size = uses[strategy].size
        cell = Cell(source.name, target, snakemake.wildcards.embedding, "cnn", strategy, size)
        rows += shuffled_rows(cell, predictions, block.drawn)
    write_rows(snakemake.output[0], rows, SHUFFLES)
