"""How right the findings are that were read from notes, at every site whose own are known."""

import json
from pathlib import Path

from concept_transfer.analysis.extraction import Recorded, findings_accuracy
from concept_transfer.analysis.schemas import EXTRACTION
from concept_transfer.concepts.study_vocabulary import study_vocabulary
from concept_transfer.job import job
from concept_transfer.parquet import write_rows
from concept_transfer.sites.site import Site

with job(snakemake.log[0]):
    inputs, params = snakemake.input, snakemake.params
    settings = json.loads(params.evaluation)
    vocabulary = study_vocabulary(inputs.vocabulary, params.vocabulary, inputs.edges)
    encounters = Path(inputs.reports[0]).parent.parent
    recorded = {}
    for path in map(Path, inputs.splits):
        site = Site.read(encounters / path.stem, path)
        findings = site.inputs["findings"]
        recorded[site.name] = Recorded(
            site.name, site.split.encounter, site.split.cluster, findings
        )
    rows = []
    for name, gold in json.loads(params.gold).items():
        report = json.loads((encounters / name / "report.json").read_text(encoding="utf-8"))
        rows += findings_accuracy(
            recorded[name],
            recorded[gold],
            vocabulary,
            report["notes"]["in_the_record"],
            settings["draws"],
            settings["confidence"],
            params.seed,
        )
    write_rows(snakemake.output[0], rows, EXTRACTION)
