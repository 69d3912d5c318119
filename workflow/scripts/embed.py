"""Compute one embedding table."""

import json
from pathlib import Path

from pydantic import TypeAdapter

from concept_transfer.concepts.study_vocabulary import study_vocabulary
from concept_transfer.embeddings.providers import embed
from concept_transfer.embeddings.table import EmbeddingTable
from concept_transfer.job import job
from concept_transfer.settings.embeddings import Embedding
from concept_transfer.settings.task import Task
from concept_transfer.sites.site import Site
from concept_transfer.sites.tokens import allowed_tokens

with job(snakemake.log[0]):
    inputs, params = snakemake.input, snakemake.params
    vocabulary = study_vocabulary(inputs.vocabulary, params.vocabulary, inputs.edges)
    embedding = TypeAdapter(Embedding).validate_python(json.loads(params.embedding))
    parents = [EmbeddingTable.read(Path(path), vocabulary) for path in inputs.parents]
    allowed = allowed_tokens(vocabulary, Task.model_validate_json(params.task))
    models = [Path(path).parent for path in inputs.language_model if path.endswith(".safetensors")]
    findings = None
    if inputs.encounters:
        site = Site.read(Path(inputs.encounters[0]).parent, Path(inputs.encounters[-1]))
        findings = site.inputs["findings"].select(site.split.never_tested())
    table = embed(
        snakemake.wildcards.embedding,
        embedding,
        vocabulary,
        Path.cwd(),
        parents,
        snakemake.resources.device,
        allowed,
        next(iter(models), None),
        findings,
    )
    table.write(Path(snakemake.output.table))
