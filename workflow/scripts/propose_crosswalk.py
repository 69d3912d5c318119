"""Propose concepts for codes without a mapping, and measure how often such proposals are right."""

import json
from functools import partial
from pathlib import Path

from pydantic import TypeAdapter

from concept_transfer.concepts.crosswalk import Crosswalk
from concept_transfer.concepts.study_vocabulary import study_vocabulary
from concept_transfer.embeddings.providers import PROVIDERS
from concept_transfer.job import job
from concept_transfer.proposals.codes import codes_of_site, read_descriptions
from concept_transfer.proposals.propose import propose
from concept_transfer.proposals.words import proposal_text
from concept_transfer.registry import imported
from concept_transfer.settings.embeddings import Embedding

with job(snakemake.log[0]):
    inputs, params, output = snakemake.input, snakemake.params, snakemake.output
    vocabulary = study_vocabulary(inputs.vocabulary, params.vocabulary, inputs.edges)
    files = {Path(path).stem: path for path in output.proposals}
    settings, sites = json.loads(params.sites), {}
    for path in map(Path, inputs.reports):
        site, report = path.parent.name, json.loads(path.read_text(encoding="utf-8"))
        walk, described = settings[site]
        crosswalk = Crosswalk.read(Path(walk), vocabulary)
        descriptions = read_descriptions(Path(described)) if described else {}
        sites[site] = codes_of_site(report, crosswalk, descriptions)
    methods = {}
    for name, section in json.loads(params.embeddings).items():
        config = TypeAdapter(Embedding).validate_python(section)
        texts = imported(PROVIDERS[config.provider].texts)
        methods[name] = partial(
            texts, name, config, root=Path.cwd(), device=snakemake.resources.device
        )
    proposals = propose(sites, vocabulary, methods, params.seed)
    for site, table in proposals.tables.items():
        table.to_csv(files[site], sep="\t", index=False)
    proposals.accuracy.to_csv(output.accuracy, sep="\t", index=False, float_format="%.6g")
    text = proposal_text(proposals, files, params.small_cells)
    Path(output.text).write_text(text, encoding="utf-8")
