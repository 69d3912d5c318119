"""Train at one source on permuted vectors, use the models on every target, and keep their AUROC."""

import json
from dataclasses import replace
from pathlib import Path

from concept_transfer.cell import Cell
from concept_transfer.evaluation.schemas import SHUFFLES
from concept_transfer.evaluation.shuffles import shuffled_rows
from concept_transfer.job import job
from concept_transfer.parquet import write_rows
from concept_transfer.settings.training import Training
from concept_transfer.training.setup import read_setup
from concept_transfer.training.shuffles import ShuffledBlock, Use, apply_shuffled

with job(snakemake.log[0]):
    inputs, params, names = snakemake.input, snakemake.params, snakemake.wildcards
    block = ShuffledBlock.of(params.seed, params.shuffles, params.replicates)
    learner, device = json.loads(params.learner), snakemake.resources.device
    setup = read_setup(inputs, params, learner, device, snakemake.threads)
    folders = dict.fromkeys(Path(file).parent for file in inputs.arrays)
    source, *targets = (
        setup.read_site([f"{folder}/labels.npy", split])
        for folder, split in zip(folders, inputs.splits, strict=True)
    )
    uses = {name: Use.of(**use) for name, use in json.loads(params.uses).items()}
    training = Training.model_validate_json(params.training)
    rows = []
    for target, strategy, predictions in apply_shuffled(
        replace(setup, block=block).bench, source, targets, training, uses
    ):
        size = uses[strategy].size
        cell = Cell(source.name, target, names.embedding, names.classifier, strategy, size)
        rows += shuffled_rows(cell, predictions, block.drawn)
    write_rows(snakemake.output[0], rows, SHUFFLES)
