"""Write the study's vocabulary: the user's file, and the bins of numbers after it."""

import json
from pathlib import Path

from concept_transfer.concepts.bins import planned_edges, with_bins
from concept_transfer.concepts.vocabulary import Vocabulary
from concept_transfer.job import job
from concept_transfer.settings.bins import Bins

with job(snakemake.log[0]):
    bins = {
        concept: Bins.model_validate(entry)
        for concept, entry in json.loads(snakemake.params.bins).items()
    }
    edges = planned_edges(bins)
    for path in snakemake.input.edges:
        found = json.loads(Path(path).read_text(encoding="utf-8"))
        edges |= {concept: entry["edges"] for concept, entry in found.items()}
    vocabulary = Vocabulary.read(snakemake.input.vocabulary)
    with_bins(vocabulary, bins, edges).write(snakemake.output[0])
