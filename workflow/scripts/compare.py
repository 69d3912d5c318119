"""Paired comparisons of the whole study, and the answers to its questions."""

import json
from pathlib import Path

from concept_transfer.comparison.comparisons import compare_study
from concept_transfer.comparison.permutations import shuffle_tests
from concept_transfer.comparison.questions import answer_questions
from concept_transfer.comparison.reversal import reversal_warnings
from concept_transfer.comparison.schema import COMPARISONS
from concept_transfer.evaluation.results import read_results
from concept_transfer.job import job
from concept_transfer.parquet import write_rows
from concept_transfer.study import Study

with job(snakemake.log[0]):
    study = Study.model_validate_json(snakemake.params.study)
    folders = dict.fromkeys(Path(file).parent for file in snakemake.input.metrics)
    results = read_results(folders)
    replicates = min(study.meaning.replicates, study.replicates)
    shuffled = shuffle_tests(results, snakemake.input.shuffles, replicates)
    contrasts, rows = compare_study(study, results, shuffled)
    write_rows(snakemake.output.comparisons, rows, COMPARISONS)
    cards = [json.loads(Path(path).read_text("utf-8")) for path in snakemake.input.cards]
    lengths = {card["name"]: card["norms"]["median"] for card in cards}
    answers = answer_questions(study, contrasts, results, rows, shuffled, lengths)
    text = json.dumps(answers, indent=1)
    Path(snakemake.output.answers).write_text(text, encoding="utf-8")
    warnings = json.dumps(reversal_warnings(results), indent=1)
    Path(snakemake.output.warnings).write_text(warnings, encoding="utf-8")
