"""Compute one embedding table."""

import json
from pathlib import Path

from pydantic import TypeAdapter

from concept_transfer.concepts.vocabulary import Vocabulary
from concept_transfer.embeddings.providers import embed
from concept_transfer.embeddings.table import EmbeddingTable
from concept_transfer.job import job
from concept_transfer.settings.embeddings import Embedding
from concept_transfer.settings.sites import Task
from concept_transfer.sites.tokens import allowed_tokens

with job(snakemake.log[0]):
    vocabulary = Vocabulary.read(snakemake.input.vocabulary)
    embedding = TypeAdapter(Embedding).validate_python(json.loads(snakemake.params.embedding))
    parents = [EmbeddingTable.read(Path(path), vocabulary) for path in snakemake.input.parents]
    allowed = allowed_tokens(vocabulary, Task.model_validate_json(snakemake.params.task))
    table = embed(
        snakemake.wildcards.embedding,
        embedding,
        vocabulary,
        Path.cwd(),
        parents,
        snakemake.resources.device,
        allowed,
    )
    table.write(Path(snakemake.output.table))
