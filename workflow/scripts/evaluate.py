"""Metrics, intervals and bootstrap draws of all cells with one target and embedding."""

from pathlib import Path

from concept_transfer.cohorts.splits import Split
from concept_transfer.concepts.study_vocabulary import study_vocabulary
from concept_transfer.evaluation.cell_predictions import read_predictions
from concept_transfer.evaluation.evaluate import evaluate_cells
from concept_transfer.job import job
from concept_transfer.settings.evaluation import Evaluation
from concept_transfer.sites.extract import Extract
from concept_transfer.sites.subgroups import subgroups_of

with job(snakemake.log[0]):
    inputs, params = snakemake.input, snakemake.params
    files, blocks = list(inputs.predictions), params.blocks
    cells = [read_predictions(files[i : i + blocks]) for i in range(0, len(files), blocks)]
    split = Split.read(inputs.split)
    settings = Evaluation.model_validate_json(params.evaluation)
    vocabulary = study_vocabulary(inputs.vocabulary, params.vocabulary, inputs.edges)
    groups = subgroups_of(Extract.read(Path(inputs.encounters[0]).parent, vocabulary), vocabulary)
    result = evaluate_cells(
        cells, split.encounter, split.cluster, settings, params.seed, groups, params.classes
    )
    result.write(Path(snakemake.output[0]).parent)
