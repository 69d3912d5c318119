"""Adapt a language model to the documents of those who never test."""

from pathlib import Path

from concept_transfer.cohorts.untested import read_cohorts
from concept_transfer.job import job
from concept_transfer.pretraining.text.adapt import write_language_model
from concept_transfer.pretraining.text.reading import read_documents
from concept_transfer.settings.text_encoders import TextEncoder

with job(snakemake.log[0], texts=True):
    inputs, params, wildcards = snakemake.input, snakemake.params, snakemake.wildcards
    settings = TextEncoder.model_validate_json(params.encoder)
    readable = None
    if settings.learns:
        cohorts = read_cohorts(inputs.encounters, inputs.splits)
        readable = read_documents(inputs.texts, cohorts, params.shared_identifiers)
    write_language_model(
        Path(snakemake.output[0]).parent,
        f"encoders.{wildcards.encoder}",
        settings,
        (params.seed, int(wildcards.number)),
        Path.cwd(),
        readable,
        device=snakemake.resources.device,
        threads=snakemake.threads,
    )
