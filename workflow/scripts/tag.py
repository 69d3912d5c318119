"""Let a tagger learn, keep it, and find the mentions in a test part."""

from pathlib import Path

from pydantic import TypeAdapter

from concept_transfer.extraction.corpus import Corpus, joined
from concept_transfer.extraction.kept import keep
from concept_transfer.extraction.learning import observed, tagged
from concept_transfer.extraction.settings import AnyTagger
from concept_transfer.extraction.tagger import Request
from concept_transfer.job import job
from concept_transfer.private import private

with job(snakemake.log[0], texts=True):
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
    tagger, facts = observed(request)
    kept, folder = (Path(snakemake.output[part][0]).parent for part in ("tagger", "tagging"))
    with private(kept, "taggers"):
        keep(tagger, request.settings, request.types, kept)
    found = tagged(Corpus.read(Path(inputs.test)), tagger, facts)
    with private(folder, "taggings"):
        found.write(folder)
