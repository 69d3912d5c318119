"""Fetch one of the raw files of a site."""

from pathlib import Path

from pydantic import TypeAdapter

from concept_transfer.job import job
from concept_transfer.registry import imported
from concept_transfer.settings.sites import Site
from concept_transfer.sites.adapters import ADAPTERS

with job(snakemake.log[0]):
    site = TypeAdapter(Site).validate_json(snakemake.params.site)
    imported(ADAPTERS[site.adapter].fetch)(site, snakemake.output[0], Path.cwd())
