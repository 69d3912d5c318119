"""Describe every site, and refuse target sizes that a site cannot supply."""

from pathlib import Path

import pandas as pd

from concept_transfer.concepts.study_vocabulary import study_vocabulary
from concept_transfer.job import job
from concept_transfer.sites.encounters import Encounters
from concept_transfer.sites.profile import site_profile
from concept_transfer.sites.splits import Split, check_target_sizes

with job(snakemake.log[0]):
    inputs, params = snakemake.input, snakemake.params
    vocabulary = study_vocabulary(inputs.vocabulary, params.vocabulary, inputs.edges)
    rows = []
    for encounters_path, split_path in zip(inputs.encounters, inputs.splits, strict=True):
        site, split = Path(split_path).stem, Split.read(split_path)
        encounters = Encounters.read(Path(encounters_path).parent)
        if site in params.targets:
            check_target_sizes(site, split, params.sizes)
        rows += [{"site": site, **row} for row in site_profile(encounters, split, vocabulary)]
    pd.DataFrame(rows).to_csv(snakemake.output[0], sep="\t", index=False)
