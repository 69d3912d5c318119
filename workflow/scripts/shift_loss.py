"""What source models lose on a target, beside the distance between the sites."""

import json

import pandas as pd

from concept_transfer.analysis.loss import rank_correlations, shift_against_loss
from concept_transfer.job import job

with job(snakemake.log[0]):
    inputs, output, params = snakemake.input, snakemake.output, snakemake.params
    loss = shift_against_loss(
        pd.read_parquet(inputs.comparisons),
        pd.read_parquet(inputs.shift),
        json.loads(params.kinds),
        params.sizes,
    )
    loss.to_parquet(output.loss, index=False)
    rank_correlations(loss).to_parquet(output.correlations, index=False)
