"""Predictions of the strategies that combine what the models of a pair of sites predict."""

import json
from pathlib import Path

from concept_transfer.cohorts.cohort import Cohort
from concept_transfer.combining.jobs import run_combinations
from concept_transfer.job import job, made_from

with job(snakemake.log[0]):
    inputs, params = snakemake.input, snakemake.params
    run_combinations(
        snakemake.wildcards.pair,
        json.loads(params.strategies),
        Cohort.read(
            Path(inputs.labels[0]).parent, Path(inputs.split), params.balanced, params.drawn_as
        ),
        params.seed,
        params.replicates,
        params.classes,
        inputs.predictions,
        snakemake.output.predictions,
        snakemake.output.shares,
        made_from([*params], inputs),
    )
