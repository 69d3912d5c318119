"""What source models lose on a target, beside the distance between the sites."""

from concept_transfer.analysis.loss import rank_correlations, shift_against_loss
from concept_transfer.analysis.schemas import CORRELATIONS, LOSS, SHIFT
from concept_transfer.comparison.schema import COMPARISONS
from concept_transfer.job import job
from concept_transfer.parquet import read_table, write_rows

with job(snakemake.log[0]):
    inputs, output, params = snakemake.input, snakemake.output, snakemake.params
    comparisons = read_table(inputs.comparisons, COMPARISONS).to_pandas()
    shift = read_table(inputs.shift, SHIFT).to_pandas()
    loss = shift_against_loss(comparisons, shift, params.sizes, params.unchanged)
    write_rows(output.loss, loss.to_dict("records"), LOSS)
    write_rows(output.correlations, rank_correlations(loss).to_dict("records"), CORRELATIONS)
