"""Distances between all pairs of the study's sites, as a whole and finding by finding."""

import json
from pathlib import Path

from concept_transfer.analysis.schemas import FINDINGS, SHIFT
from concept_transfer.analysis.shift import site_shift
from concept_transfer.concepts.study_vocabulary import study_vocabulary
from concept_transfer.embeddings.table import EmbeddingTable
from concept_transfer.job import job
from concept_transfer.parquet import write_rows
from concept_transfer.sites.site import Site

with job(snakemake.log[0]):
    inputs, params, output = snakemake.input, snakemake.params, snakemake.output
    settings = json.loads(params.evaluation)
    vocabulary = study_vocabulary(inputs.vocabulary, params.vocabulary, inputs.edges)
    sites = [
        Site.read(Path(offsets).parent, Path(split))
        for offsets, split in zip(inputs.offsets, inputs.splits, strict=True)
    ]
    vectors = {
        Path(path).stem: EmbeddingTable.read(Path(path), vocabulary).vectors
        for path in inputs.embeddings
    }
    pairs, findings = site_shift(
        sites,
        vocabulary,
        vectors,
        settings["draws"],
        settings["confidence"],
        params.seed,
    )
    write_rows(output.shift, pairs, SHIFT)
    write_rows(output.findings, findings, FINDINGS)
