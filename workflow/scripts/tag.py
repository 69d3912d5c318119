"""Let a tagger learn, and find the mentions in a test part."""

from pathlib import Path

from pydantic import TypeAdapter

from concept_transfer.extraction.corpus import Corpus, joined
from concept_transfer.extraction.learning import tagging
from concept_transfer.extraction.settings import AnyTagger
from concept_transfer.extraction.tagger import Request
from concept_transfer.job import job
from concept_transfer.private import private

with job(snakemake.log[0]):
    inputs, params = snakemake.input, snakemake.params
    request = Request(
        f"taggers.{params.name}",
        joined([Corpus.read(Path(path)) for path in inputs.train]),
        params.types,
        TypeAdapter(AnyTagger).validate_json(params.tagger),
        params.seed + int(snakemake.wildcards.replicate),
        Path.cwd(),
        snakemake.resources.device,
        snakemake.threads,
    )
    found = tagging(request, Corpus.read(Path(inputs.test)))
    folder = Path(snakemake.output[0]).parent
    with private(folder, "taggings"):
        found.write(folder)
