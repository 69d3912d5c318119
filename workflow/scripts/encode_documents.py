"""Compute the vectors of a site's documents by a language model of the study, once for all."""

from pathlib import Path

from concept_transfer.inputs.registry import INPUTS
from concept_transfer.job import job
from concept_transfer.models.document_vectors import write_vectors
from concept_transfer.progress import Progress

with job(snakemake.log[0], texts=True):
    inputs, resources = snakemake.input, snakemake.resources
    texts = INPUTS["text"].read(Path(inputs.texts[0]).parent)
    progress = Progress("documents", len(texts))
    encoder, site = Path(inputs.encoder[0]).parent, snakemake.wildcards.site
    vectors = write_vectors(encoder, site, texts, resources.device, progress.advance)
    print(f"{len(vectors):,} documents, vectors of width {vectors.shape[1]}")
