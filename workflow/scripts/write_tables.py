"""Write every table of the study as CSV, Markdown and LaTeX."""

from concept_transfer.job import job
from concept_transfer.reporting.evidence import read_evidence
from concept_transfer.reporting.report import write_tables
from concept_transfer.study import Study

with job(snakemake.log[0]):
    study = Study.model_validate_json(snakemake.params.study)
    evidence = read_evidence(study, snakemake.input)
    write_tables(evidence, snakemake.output[0])
