"""Describe every site, refuse target sizes that a site cannot supply, and say what looks wrong."""

import json
from pathlib import Path

import pandas as pd

from concept_transfer.cohorts.splits import Split, check_target_sizes
from concept_transfer.concepts.study_vocabulary import study_vocabulary, units_of_bins
from concept_transfer.job import job
from concept_transfer.settings.task import Task
from concept_transfer.sites.check_text import check_text
from concept_transfer.sites.coverage import coverage_of
from concept_transfer.sites.extract import Extract
from concept_transfer.sites.profile import site_profile
from concept_transfer.sites.units import check_units_of_sites
from concept_transfer.sites.warnings import site_warnings

with job(snakemake.log[0]):
    inputs, params, output = snakemake.input, snakemake.params, snakemake.output
    vocabulary = study_vocabulary(inputs.vocabulary, params.vocabulary, inputs.edges)
    task = Task.model_validate_json(params.task)
    profiles, coverage, sites = [], {}, {}
    for report_path, split_path in zip(inputs.reports, inputs.splits, strict=True):
        site, split = Path(split_path).stem, Split.read(split_path)
        extract = sites[site] = Extract.read(Path(report_path).parent, vocabulary)
        if site in params.targets:
            check_target_sizes(site, split, params.sizes)
        profile = site_profile(extract, split, vocabulary, task)
        profiles += [{"site": site, **row} for row in profile]
        coverage[site] = coverage_of(extract, vocabulary, task)
    reports = {site: extract.report for site, extract in sites.items()}
    check_units_of_sites(reports, units_of_bins(params.vocabulary))
    table = pd.DataFrame(profiles)
    table.to_csv(output.table, sep="\t", index=False, float_format="%.4g")
    histories = {
        Path(path).parent.name: json.loads(Path(path).read_text(encoding="utf-8"))
        for path in inputs.histories
    }
    text = check_text(table, coverage, vocabulary, params.small_cells, histories)
    Path(output.text).write_text(text + "\n", encoding="utf-8")
    tables = {
        site: [Path(file) for file in files] for site, files in json.loads(params.tables).items()
    }
    one_source = [frozenset(pair) for pair in json.loads(params.one_source)]
    warnings = site_warnings(sites, tables, one_source)
    Path(output.warnings).write_text(json.dumps(warnings, indent=1) + "\n", encoding="utf-8")
