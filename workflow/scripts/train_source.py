"""Train the models a source site hands on, and write them as a bundle."""

from pathlib import Path

import torch

from concept_transfer import __version__
from concept_transfer.concepts.study_vocabulary import study_vocabulary
from concept_transfer.device import usable_device
from concept_transfer.embeddings.table import EmbeddingTable
from concept_transfer.job import job
from concept_transfer.models.bundle import Card, write_bundle
from concept_transfer.settings.training import Training
from concept_transfer.sites.site import Site
from concept_transfer.training.block import Block
from concept_transfer.training.source_models import train_source

with job(snakemake.log[0]):
    torch.set_num_threads(snakemake.threads)
    inputs, params = snakemake.input, snakemake.params
    vocabulary = study_vocabulary(inputs.vocabulary, params.vocabulary, inputs.edges)
    table = EmbeddingTable.read(Path(inputs.embedding), vocabulary)
    site = Site.read(Path(inputs.site[0]).parent, Path(inputs.site[-1]))
    training = Training.model_validate_json(params.training)
    block = Block(params.seed, params.replicates)
    weights, records = train_source(
        site,
        block.vectors(table, vocabulary),
        block,
        training,
        usable_device(snakemake.resources.device),
    )
    card = Card(
        study=params.study,
        source=site.name,
        label=params.label,
        seed=params.seed,
        replicates=records,
        training=training.model_dump(mode="json"),
        embedding=table.card.name,
        vocabulary_digest=vocabulary.digest,
        encounters=len(site.labels),
        version=__version__,
    )
    write_bundle(Path(snakemake.output[0]).parent, weights, card, vocabulary, table)
