"""Train the models a source site hands on, and write them as a bundle."""

from pathlib import Path

from concept_transfer.job import job
from concept_transfer.settings.training import Training
from concept_transfer.training.setup import read_setup
from concept_transfer.training.source_models import train_source

with job(snakemake.log[0]):
    inputs, params = snakemake.input, snakemake.params
    setup = read_setup(inputs, params, snakemake.resources.device, snakemake.threads)
    site = setup.read_site(inputs.site)
    training = Training.model_validate_json(params.training)
    bench = setup.bench
    handed_on = train_source(site, bench, training)
    card = setup.card(handed_on, site, training, source="", strategy=None, target_size="all")
    setup.write(Path(snakemake.output[0]).parent, bench, handed_on, card)
