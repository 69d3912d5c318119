"""Measures and a map of how every language model arranges the documents that never test."""

import json
from pathlib import Path

import numpy as np

from concept_transfer.analysis.document_space import Documents, document_map, document_space
from concept_transfer.analysis.schemas import DOCUMENT_MAP, DOCUMENT_SPACE
from concept_transfer.cohorts.splits import NEVER_TESTED, Split
from concept_transfer.job import job
from concept_transfer.parquet import write_rows
from concept_transfer.progress import Progress

with job(snakemake.log[0]):
    inputs, params, output = snakemake.input, snakemake.params, snakemake.output
    evaluation = json.loads(params.evaluation)
    splits = {Path(path).stem: Split.read(path) for path in inputs.splits}
    found = {}
    for path in map(Path, inputs.vectors):
        split, vectors = splits[path.stem], np.load(path, mmap_mode="r")
        kept = split.fold == NEVER_TESTED if (split.fold == NEVER_TESTED).any() else split.fold >= 0
        documents = Documents.of(
            vectors[kept], split.label[kept], split.cluster_number[kept], evaluation["small_cells"]
        )
        if documents is not None:
            found.setdefault(path.parts[-4], {})[path.stem] = documents
    rows, points = [], []
    progress = Progress("spaces", sum(map(len, found.values())))
    for encoder, sites in found.items():
        for site, documents in sites.items():
            name = {"encoder": encoder, "site": site}
            measured = document_space(
                documents, evaluation["draws"], evaluation["confidence"], params.seed
            )
            rows += [name | row for row in measured]
            progress.advance()
        points += [
            {"encoder": encoder, "site": list(sites)[row.pop("place")], **row}
            for row in document_map(list(sites.values()), params.classes)
        ]
    write_rows(output.space, rows, DOCUMENT_SPACE)
    write_rows(output.map, points, DOCUMENT_MAP)
