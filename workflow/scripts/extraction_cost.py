"""AUROC on findings read from notes less that on the findings themselves, for all such cells."""

from pathlib import Path

from concept_transfer.analysis.extraction_cost import cost_rows
from concept_transfer.analysis.schemas import EXTRACTION_COST
from concept_transfer.cohorts.splits import Split
from concept_transfer.evaluation.cell_predictions import read_predictions
from concept_transfer.job import job
from concept_transfer.parquet import write_rows
from concept_transfer.settings.evaluation import Evaluation

with job(snakemake.log[0]):
    inputs, blocks = snakemake.input, snakemake.params.blocks
    read, gold = (
        [read_predictions(files[i : i + blocks]) for i in range(0, len(files), blocks)]
        for files in (list(inputs.read), list(inputs.gold))
    )
    clusters = {}
    for path in inputs.splits:
        split = Split.read(path)
        clusters[Path(path).stem] = dict(zip(split.encounter, split.cluster, strict=True))
    settings = Evaluation.model_validate_json(snakemake.params.evaluation)
    rows = cost_rows(list(zip(read, gold, strict=True)), clusters, settings)
    write_rows(snakemake.output[0], rows, EXTRACTION_COST)
