"""Read a part of a corpus into sentences of words with their mentions."""

import json
from pathlib import Path

from pydantic import TypeAdapter

from concept_transfer.errors import named
from concept_transfer.extraction.files import read_part
from concept_transfer.extraction.settings import AnyCorpus
from concept_transfer.job import job
from concept_transfer.private import private

with job(snakemake.log[0], texts=True):
    settings = TypeAdapter(AnyCorpus).validate_json(snakemake.params.corpus)
    name, part = snakemake.wildcards.corpus, snakemake.wildcards.part
    with named(f"corpora.{name}.parts.{part}"):
        corpus = read_part(settings, part, Path.cwd())
    words, facts = map(Path, snakemake.output)
    with private(words.parent, "corpora"):
        corpus.write(words)
    facts.write_text(json.dumps(corpus.facts(), indent=1) + "\n", encoding="utf-8")
