"""Paired comparisons of the whole study, and the answers to its questions."""

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from concept_transfer.evaluation.comparisons import SCHEMA, compare_study
from concept_transfer.evaluation.questions import answer_questions
from concept_transfer.evaluation.results import read_results
from concept_transfer.job import job
from concept_transfer.study import Study

with job(snakemake.log[0]):
    study = Study.model_validate_json(snakemake.params.study)
    results = read_results(snakemake.params.folders)
    contrasts, rows = compare_study(study, results)
    pq.write_table(pa.Table.from_pylist(rows, SCHEMA), snakemake.output.comparisons)
    answers = answer_questions(study, contrasts, results)
    text = json.dumps(answers, indent=1)
    Path(snakemake.output.answers).write_text(text, encoding="utf-8")
