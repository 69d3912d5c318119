"""Divide a site's encounters once, for every cell."""

from pathlib import Path

from concept_transfer.cohorts.encounters import Encounters
from concept_transfer.cohorts.splitting import make_split
from concept_transfer.job import job
from concept_transfer.settings.splits import SplitSettings

with job(snakemake.log[0]):
    encounters = Encounters.read(Path(snakemake.input[0]).parent)
    settings = SplitSettings.model_validate_json(snakemake.params.split)
    path = Path(snakemake.output[0])
    split = make_split(encounters, settings, snakemake.params.seed, site=f"sites.{path.stem}")
    split.write(path)
