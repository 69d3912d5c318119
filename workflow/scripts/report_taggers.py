"""Write tables, figure and page of an extraction study."""

from pathlib import Path

from concept_transfer.extraction.settings import ExtractionStudy
from concept_transfer.job import job
from concept_transfer.reporting.extraction.evidence import read_evidence
from concept_transfer.reporting.extraction.report import write_report
from concept_transfer.reporting.provenance import provenance

with job(snakemake.log[0]):
    inputs, outputs = snakemake.input, snakemake.output
    study = ExtractionStudy.model_validate_json(snakemake.params.study)
    data = {" ".join(Path(path).with_suffix("").parts[-2:]): Path(path) for path in inputs.parts}
    made_by = provenance(Path(snakemake.scriptdir), data)
    evidence = read_evidence(study, inputs.scores, inputs.tests, inputs.facts, inputs.warnings)
    write_report(evidence, made_by, Path(outputs.page), Path(outputs.tables), Path(outputs.figures))
