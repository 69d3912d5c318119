"""Draw every figure of the study as SVG and PNG, with its data."""

from concept_transfer.job import job
from concept_transfer.reporting.evidence import read_evidence
from concept_transfer.reporting.report import write_figures
from concept_transfer.study import Study

with job(snakemake.log[0]):
    study = Study.model_validate_json(snakemake.params.study)
    evidence = read_evidence(study, snakemake.input)
    write_figures(evidence, snakemake.output[0], snakemake.threads)
