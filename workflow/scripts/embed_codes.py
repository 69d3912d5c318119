"""Give every code a vector by an embedding of the study."""

import json
from pathlib import Path

import numpy as np
from pydantic import TypeAdapter

from concept_transfer.concepts.study_vocabulary import study_vocabulary
from concept_transfer.embeddings.table import EmbeddingTable
from concept_transfer.interconnections.nodes import Nodes
from concept_transfer.interconnections.vectors import code_vectors
from concept_transfer.job import job
from concept_transfer.settings.embeddings import Embedding

with job(snakemake.log[0]):
    inputs, params = snakemake.input, snakemake.params
    sections = json.loads(params.embeddings)
    embeddings = TypeAdapter(dict[str, Embedding]).validate_python(sections)
    vocabulary = study_vocabulary(inputs.vocabulary, params.vocabulary, inputs.edges)
    table = EmbeddingTable.read(Path(inputs.table[0]), vocabulary) if inputs.table else None
    vectors = code_vectors(
        snakemake.wildcards.embedding,
        embeddings,
        Nodes.read(Path(inputs.nodes[0])),
        vocabulary,
        table,
        params.seed,
        Path.cwd(),
        snakemake.resources.device,
    )
    np.save(snakemake.output[0], vectors)
