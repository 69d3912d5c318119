"""Fetch one year of the NHAMCS public-use files."""

from pathlib import Path

from concept_transfer.sites.nhamcs import fetch_year
from concept_transfer.study import NhamcsSite
from concept_transfer.workflow import job

with job(snakemake.log[0]):
    site = NhamcsSite.model_validate_json(snakemake.params.site)
    fetch_year(site, int(snakemake.wildcards.year), Path.cwd())
