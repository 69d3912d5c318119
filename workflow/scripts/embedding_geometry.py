"""Geometry, nearest neighbours and a two-dimensional map of every embedding."""

from pathlib import Path

from concept_transfer.analysis.geometry import concept_map, geometry, nearest_neighbours
from concept_transfer.analysis.schemas import GEOMETRY, MAP, NEIGHBOURS
from concept_transfer.concepts.study_vocabulary import study_vocabulary
from concept_transfer.embeddings.table import EmbeddingTable
from concept_transfer.job import job
from concept_transfer.parquet import write_rows

with job(snakemake.log[0]):
    inputs, params, output = snakemake.input, snakemake.params, snakemake.output
    seed = params.seed
    vocabulary = study_vocabulary(inputs.vocabulary, params.vocabulary, inputs.edges)
    measures, neighbours, points = [], [], []
    for path in inputs.embeddings:
        table = EmbeddingTable.read(Path(path), vocabulary)
        vectors = table.vectors_for(0, seed, vocabulary)
        name = {"embedding": table.card.name}
        measures += [name | row for row in geometry(vectors, vocabulary, seed)]
        neighbours += [name | row for row in nearest_neighbours(vectors, vocabulary)]
        points += [name | row for row in concept_map(vectors, vocabulary)]
    write_rows(output.geometry, measures, GEOMETRY)
    write_rows(output.neighbours, neighbours, NEIGHBOURS)
    write_rows(output.map, points, MAP)
