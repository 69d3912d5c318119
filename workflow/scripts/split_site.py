"""Divide a site's encounters once, for every cell."""

from pathlib import Path

from concept_transfer.cohorts.encounters import Encounters
from concept_transfer.cohorts.splitting import make_splits
from concept_transfer.job import job
from concept_transfer.settings.splits import SplitSettings

with job(snakemake.log[0]):
    folders = [Path(file).parent for file in snakemake.input]
    sites = {f"sites.{folder.name}": Encounters.read(folder) for folder in folders}
    settings = SplitSettings.model_validate_json(snakemake.params.split)
    path = Path(snakemake.output[0])
    splits = make_splits(sites, settings, snakemake.params.seed)
    splits[f"sites.{path.stem}"].write(path)
