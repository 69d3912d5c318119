"""Paired comparisons of the whole study, and the answers to its questions."""

import json

import pyarrow as pa
import pyarrow.parquet as pq

from concept_transfer.evaluation.comparisons import comparison_rows
from concept_transfer.evaluation.contrasts import study_contrasts
from concept_transfer.evaluation.questions import answer_questions
from concept_transfer.evaluation.results import read_results
from concept_transfer.study import Study
from concept_transfer.workflow import job

with job(snakemake.log[0]):
    study = Study.model_validate_json(snakemake.params.study)
    results = read_results(snakemake.params.folders)
    validation = {cell: result.mean("validation") for cell, result in results.items()}
    contrasts = study_contrasts(study, validation)
    rows = comparison_rows(contrasts, results, study.evaluation)
    pq.write_table(pa.Table.from_pylist(rows), snakemake.output.comparisons)
    answers = answer_questions(study, contrasts, results)
    with open(snakemake.output.answers, "w", encoding="utf-8") as file:
        json.dump(answers, file, indent=1)
