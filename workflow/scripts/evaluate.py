"""Metrics, intervals and bootstrap draws of all cells with one target and embedding."""

from pathlib import Path

from concept_transfer.concepts.vocabulary import Vocabulary
from concept_transfer.evaluation.cells import read_predictions
from concept_transfer.evaluation.evaluate import evaluate_cells
from concept_transfer.job import job
from concept_transfer.settings.evaluation import Evaluation
from concept_transfer.sites.encounters import Encounters
from concept_transfer.sites.splits import Split
from concept_transfer.sites.subgroups import subgroups_of

with job(snakemake.log[0]):
    params = snakemake.params
    files, blocks = list(snakemake.input.predictions), params.blocks
    cells = [read_predictions(files[i : i + blocks]) for i in range(0, len(files), blocks)]
    split = Split.read(snakemake.input.split)
    settings = Evaluation.model_validate_json(params.evaluation)
    encounters = Encounters.read(Path(snakemake.input.encounters[0]).parent)
    groups = subgroups_of(encounters, Vocabulary.read(snakemake.input.vocabulary))
    result = evaluate_cells(cells, split.encounter, split.cluster, settings, params.seed, groups)
    result.write(Path(snakemake.output[0]).parent)
