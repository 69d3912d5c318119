"""Pre-train an encoder of patients' histories on those who never test."""

from pathlib import Path

from concept_transfer.cohorts.untested import read_cohorts
from concept_transfer.concepts.study_vocabulary import study_vocabulary
from concept_transfer.embeddings.table import EmbeddingTable
from concept_transfer.job import job
from concept_transfer.pretraining.cache import write_encoder
from concept_transfer.pretraining.reading import read_histories
from concept_transfer.settings.encoders import CodeEncoder

with job(snakemake.log[0]):
    inputs, params, resources = snakemake.input, snakemake.params, snakemake.resources
    settings = CodeEncoder.model_validate_json(params.encoder)
    seed = params.seed, int(snakemake.wildcards.number)
    cohorts = read_cohorts(inputs.encounters, inputs.splits)
    shared = params.shared_identifiers
    histories, masks, persons = read_histories(inputs.histories, cohorts, shared)
    text = None
    for path in inputs.embedding:
        vocabulary = study_vocabulary(inputs.vocabulary, params.vocabulary, inputs.edges)
        table = EmbeddingTable.read(Path(path), vocabulary)
        text = vocabulary, table.vectors_for(seed[1], seed[0], vocabulary)
    write_encoder(
        Path(snakemake.output[0]).parent,
        histories,
        masks,
        settings,
        seed,
        persons=persons,
        text=text,
        device=resources.device,
        threads=snakemake.threads,
    )
