"""List the codes that graphs are made of, with what they are called and a kind of."""

from pathlib import Path

from concept_transfer.concepts.study_vocabulary import study_vocabulary
from concept_transfer.interconnections.code_sets import CodeSets
from concept_transfer.interconnections.nodes import Ontology, chosen_codes, described
from concept_transfer.job import job
from concept_transfer.settings.interconnections import CodeNodes

with job(snakemake.log[0]):
    inputs, params = snakemake.input, snakemake.params
    settings = CodeNodes.model_validate_json(params.codes)
    vocabulary = study_vocabulary(inputs.vocabulary, params.vocabulary, inputs.edges)
    codes = chosen_codes([CodeSets.read(Path(path)) for path in inputs.codes], settings)
    ontology = Ontology.read(Path(inputs.ontology)) if settings.ontology else None
    described(codes, settings.prefix, ontology, vocabulary).write(Path(snakemake.output[0]))
