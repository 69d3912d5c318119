"""Measure and compare the taggers of a corpus."""

import json
from pathlib import Path

from concept_transfer.extraction.corpus import Corpus
from concept_transfer.extraction.measuring import SCORES, TESTS, measured, warnings_of
from concept_transfer.extraction.settings import ExtractionEvaluation
from concept_transfer.extraction.taggings import Tagging
from concept_transfer.job import job
from concept_transfer.parquet import write_rows

with job(snakemake.log[0], texts=True):
    inputs, outputs, params = snakemake.input, snakemake.output, snakemake.params
    taggings = {}
    for folder in dict.fromkeys(Path(path).parent for path in inputs.taggings):
        key = folder.parts[-3], folder.parts[-2]  # <train>/<tagger>/<replicate>
        taggings.setdefault(key, []).append(Tagging.read(folder))
    scores, tests = measured(
        snakemake.wildcards.corpus,
        Corpus.read(Path(inputs.test)),
        params.types,
        taggings,
        ExtractionEvaluation.model_validate_json(params.evaluation),
        params.seed,
    )
    write_rows(outputs.scores, scores, SCORES)
    write_rows(outputs.tests, tests, TESTS)
    text = json.dumps(warnings_of(scores), indent=1)
    Path(outputs.warnings).write_text(text, encoding="utf-8")
