"""Train the models a source site hands on, and write them as a bundle a classifier."""

import json
from pathlib import Path

from concept_transfer.inputs.text import are_among
from concept_transfer.job import job
from concept_transfer.settings.training import Training
from concept_transfer.training.setup import files_of, read_setup
from concept_transfer.training.source_models import train_source

with job(snakemake.log[0], texts=are_among(snakemake.input)):
    inputs, params, resources = snakemake.input, snakemake.params, snakemake.resources
    for classifier, work in json.loads(params.classifiers).items():
        setup = read_setup(inputs, params, work["learner"], resources.device, snakemake.threads)
        site = setup.read_site(inputs.site)
        training = Training.model_validate(work["training"])
        bench = setup.bench
        handed_on = train_source(site, bench, training)
        card = setup.card(handed_on, site, training, source="", strategy=None, target_size="all")
        folder = Path(files_of(classifier, snakemake.output)[0]).parent
        setup.write(folder, bench, handed_on, card)
