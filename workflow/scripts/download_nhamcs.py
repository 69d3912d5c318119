"""Fetch one year of the NHAMCS public-use files."""

import re
from pathlib import Path

from concept_transfer.job import job
from concept_transfer.settings.sites import NhamcsSite
from concept_transfer.sites.nhamcs import fetch_year

with job(snakemake.log[0]):
    site = NhamcsSite.model_validate_json(snakemake.params.site)
    year = re.search(r"ed(\d{4})-stata", snakemake.output[0])[1]
    fetch_year(site, int(year), Path.cwd())
