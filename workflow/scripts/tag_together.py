"""Keep several taggers as one, and find the mentions that their probabilities make likeliest."""

from pathlib import Path

from concept_transfer.extraction.corpus import Corpus
from concept_transfer.extraction.kept import CARD, keep_together
from concept_transfer.extraction.learning import ensemble
from concept_transfer.extraction.settings import Ensemble
from concept_transfer.extraction.taggings import Tagging
from concept_transfer.job import job
from concept_transfer.private import private

with job(snakemake.log[0], texts=True):
    inputs, params = snakemake.input, snakemake.params
    settings = Ensemble.model_validate_json(params.tagger)
    cards = [Path(path) for path in inputs.taggers if Path(path).name == CARD]
    kept, folder = (Path(snakemake.output[part][0]).parent for part in ("tagger", "tagging"))
    with private(kept, "taggers"):
        members = {name: card.parent for name, card in zip(settings.of, cards, strict=True)}
        keep_together(members, settings, params.types, kept)
    taggings = dict.fromkeys(Path(path).parent for path in inputs.taggings)
    found = [Tagging.read(tagging) for tagging in taggings]
    test = Corpus.read(Path(inputs.test))
    with private(folder, "taggings"):
        ensemble(found, params.types, test).write(folder)
