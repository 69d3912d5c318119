"""Write the self-contained HTML page and its methods section."""

from pathlib import Path

from concept_transfer.job import job
from concept_transfer.reporting.evidence import read_evidence
from concept_transfer.reporting.provenance import provenance
from concept_transfer.reporting.report import write_page
from concept_transfer.study import Study

with job(snakemake.log[0]):
    inputs = snakemake.input
    study = Study.model_validate_json(snakemake.params.study)
    evidence = read_evidence(study, inputs)
    data = {"vocabulary": Path(inputs.vocabulary)}
    data |= {f"site {Path(path).parent.name}": Path(path) for path in inputs.encounters}
    for path in map(Path, inputs.embeddings):
        site = "" if path.parent.name == "embeddings" else f", {path.parent.name}"
        data[f"embedding {path.stem}{site}"] = path
    made_by = provenance(Path(snakemake.scriptdir), data)
    write_page(evidence, inputs.figures[0], made_by, snakemake.output.page)
