"""Draw every figure of the study as SVG and PNG, with its data."""

from pathlib import Path

from concept_transfer.reporting.evidence import read_evidence
from concept_transfer.reporting.report import write_figures
from concept_transfer.study import Study
from concept_transfer.workflow import job

with job(snakemake.log[0]):
    inputs = snakemake.input
    evidence = read_evidence(
        Study.model_validate_json(snakemake.params.study),
        inputs.estimates,
        inputs.comparisons,
        inputs.answers,
        inputs.reports,
        inputs.cards,
        inputs.ceilings[0],
        Path(inputs.analysis[0]).parent,
    )
    write_figures(evidence, snakemake.output[0])
