"""Adapt a language model to the documents of those who never test."""

from pathlib import Path

from concept_transfer.job import job
from concept_transfer.pretraining.text.adapt import write_language_model
from concept_transfer.settings.text_encoders import TextEncoder

with job(snakemake.log[0]):
    params, wildcards = snakemake.params, snakemake.wildcards
    write_language_model(
        Path(snakemake.output[0]).parent,
        f"encoders.{wildcards.encoder}",
        TextEncoder.model_validate_json(params.encoder),
        (params.seed, int(wildcards.number)),
        Path.cwd(),
    )
