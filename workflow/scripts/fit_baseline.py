"""Fit one cell's block of replicates of a simple classifier and predict the target."""

import json
from pathlib import Path

from concept_transfer.concepts.vocabulary import Vocabulary
from concept_transfer.grid import Cell, split_pair
from concept_transfer.sites.site import Site
from concept_transfer.training.baseline_cells import baseline_cell
from concept_transfer.workflow import job

with job(snakemake.log[0]):
    inputs, wildcards, params = snakemake.input, snakemake.wildcards, snakemake.params
    vocabulary = Vocabulary.read(inputs.vocabulary)
    target = Site.read(Path(inputs.target[0]).parent, Path(inputs.target[-1]))
    source = None
    if files := inputs.get("source"):
        source = Site.read(Path(files[0]).parent, Path(files[-1]))
    training = json.loads(params.training)
    predictions = baseline_cell(
        target,
        wildcards.classifier,
        wildcards.size,
        len(vocabulary),
        params.seed,
        params.replicates,
        training["class_weight"] == "balanced",
        source,
        training["source_weight"],
    )
    name, own = split_pair(wildcards.pair)
    cell = Cell(
        name, own, wildcards.embedding, wildcards.classifier, wildcards.strategy, wildcards.size
    )
    predictions.write(Path(snakemake.output[0]), cell)
