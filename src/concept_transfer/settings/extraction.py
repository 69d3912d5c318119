"""How findings are read from a site's notes, as the config states it."""

from __future__ import annotations

from pydantic import Field

from concept_transfer.embeddings.transformers_embedding import TransformersEmbedding
from concept_transfer.extraction.tagger import CARD
from concept_transfer.settings.section import Name, Section
from concept_transfer.settings.sites import SiteSection

CUES, PHRASES = "resources/notes/cues.tsv", "resources/notes/phrases.tsv"


class Extraction(Section):
    """From notes to findings: mentions, what is said of them, and the concepts that they mean."""

    tagger: str | None = Field(
        default=None,
        description="Folder of a tagger that has learned from annotated notes (`taggers/` of a "
        "study of taggers, docs/extraction.md) and finds the mentions; null: the concepts' names.",
    )
    synonyms: str | None = Field(
        default=None,
        description="TSV with columns concept, synonym and, where needed, state: further names of "
        "concepts, beside the vocabulary's own words.",
    )
    cues: str = Field(
        default=CUES,
        description="TSV of the phrases that make a mention absent, uncertain, hypothetical, past, "
        "or another's (docs/notes.md).",
    )
    fuzzy: float = Field(
        default=0.8,
        gt=0,
        le=1,
        description="With `tagger`: a mention that is no name means the concept whose name is most "
        "like it, if as like as this: cosine of character n-grams.",
    )
    embedding: Name | TransformersEmbedding | None = Field(
        default=None,
        description="With `tagger`: embedding of the study (by name, of provider transformers) "
        "whose model compares what is left by meaning, on this machine: mentions are patients' "
        "words, no server gets them.",
    )
    cosine: float = Field(
        default=0.85, gt=0, le=1, description="The same of `embedding`: cosine of vectors."
    )


class NotedSite(SiteSection):
    """What the section of an adapter has whose findings are read from notes."""

    extraction: Extraction = Field(
        default=Extraction(), description="How findings are read from the notes."
    )
    gold: Name | None = Field(
        default=None,
        description="The site of the study that has the same encounters (by id) with findings that "
        "were not read from notes. The report then says how right reading was, and what it cost.",
    )


def extraction_files(site: NotedSite) -> list[str]:
    """The files that reading notes needs."""
    chosen = site.extraction
    card = f"{chosen.tagger}/{CARD}" if chosen.tagger else None
    return [chosen.cues, *(file for file in (chosen.synonyms, card) if file)]


EXTRACTION_PATHS = ("extraction.tagger", "extraction.synonyms", "extraction.cues")
