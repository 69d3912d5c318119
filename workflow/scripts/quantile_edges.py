"""Take the edges of bins from the training encounters of one site."""

import json
from pathlib import Path

from concept_transfer.concepts.bins import planned_edges, with_bins
from concept_transfer.concepts.vocabulary import Vocabulary
from concept_transfer.job import job
from concept_transfer.settings.bins import Bins
from concept_transfer.settings.sites import Split, TabularSite
from concept_transfer.sites.quantiles import training_edges

with job(snakemake.log[0]):
    params, site = snakemake.params, snakemake.wildcards.site
    bins = {
        concept: Bins.model_validate(entry) for concept, entry in json.loads(params.bins).items()
    }
    wanted = {
        concept: entry.quantiles.bins
        for concept, entry in bins.items()
        if entry.quantiles and entry.quantiles.of == site
    }
    vocabulary = Vocabulary.read(snakemake.input.vocabulary)
    found = training_edges(
        site,
        TabularSite.model_validate_json(params.site),
        wanted,
        with_bins(vocabulary, bins, planned_edges(bins)),
        Split.model_validate_json(params.split),
        params.seed,
        Path.cwd(),
    )
    for concept, entry in found.items():
        print(
            f"{concept}: {entry['bins']} bins of the {wanted[concept]} asked for, divided at "
            f"{entry['edges']} ({entry['numbers']} numbers)"
        )
    Path(snakemake.output[0]).write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
