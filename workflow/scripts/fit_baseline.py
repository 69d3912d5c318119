"""Fit a simple classifier at every target size (or on the source alone) and predict the target."""

from concept_transfer.concepts.study_vocabulary import study_vocabulary
from concept_transfer.job import job
from concept_transfer.training.baseline_cells import baseline_cell
from concept_transfer.training.jobs import predict_strategies, read_site_files

with job(snakemake.log[0]):
    inputs, wildcards, params = snakemake.input, snakemake.wildcards, snakemake.params
    vocabulary = study_vocabulary(inputs.vocabulary, params.vocabulary, inputs.edges)
    target, source = read_site_files(inputs.target), read_site_files(inputs.get("source", []))

    def predict(settings, size):
        return baseline_cell(
            target,
            wildcards.classifier,
            size,
            len(vocabulary),
            params.seed,
            params.replicates,
            settings["class_weight"] == "balanced",
            source,
            settings["source_weight"],
        )

    predict_strategies(
        predict,
        {**wildcards, "embedding": "none"},
        params,
        snakemake.output,
        [file for file in inputs if file != inputs.vocabulary],
    )
