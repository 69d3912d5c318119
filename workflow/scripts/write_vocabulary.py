"""Write the study's vocabulary: the user's file, and the bins of numbers after it."""

from concept_transfer.concepts.study_vocabulary import study_vocabulary
from concept_transfer.job import job

with job(snakemake.log[0]):
    inputs = snakemake.input
    vocabulary = study_vocabulary(inputs.vocabulary, snakemake.params.vocabulary, inputs.edges)
    vocabulary.write(snakemake.output[0])
