"""Find the mentions that several taggers' probabilities together make likeliest."""

from pathlib import Path

from concept_transfer.extraction.corpus import Corpus
from concept_transfer.extraction.learning import ensemble
from concept_transfer.extraction.taggings import Tagging
from concept_transfer.job import job
from concept_transfer.private import private

with job(snakemake.log[0]):
    folders = dict.fromkeys(Path(path).parent for path in snakemake.input.members)
    members = [Tagging.read(folder) for folder in folders]
    test = Corpus.read(Path(snakemake.input.test))
    folder = Path(snakemake.output[0]).parent
    with private(folder, "taggings"):
        ensemble(members, snakemake.params.types, test).write(folder)
