"""How findings were read from notes, in words."""

from __future__ import annotations

from concept_transfer.reporting.words import listing
from concept_transfer.settings.extraction import NotedSite
from concept_transfer.study import Study


def notes(study: Study) -> str:
    """The paragraph of the methods; empty where no site is read from notes."""
    sites = {name: site for name, site in study.sites.items() if isinstance(site, NotedSite)}
    if not sites:
        return ""
    learned = [name for name, site in sites.items() if site.extraction.tagger]
    meaning = [name for name in learned if sites[name].extraction.embedding]
    named = [name for name in sites if name not in learned]
    text = f"At {listing(list(sites))} findings were read from notes."
    if named:
        where = f"At {listing(named)} names" if learned else "Names"
        text += (
            f" {where} of concepts (the vocabulary's words and a list of synonyms) were found in "
            "the words of each sentence, the longest first, with long words corrected that are one "
            "slip away from a word of a name (Damerau 1964)."
        )
    if learned:
        text += (
            f" At {listing(learned)} mentions were found by a tagger that had learned from "
            "annotated notes; each meant the concept whose name it was, up to one slip (Damerau "
            "1964), or was most like in its letters."
        )
    text += (
        " The words around a mention made it absent, uncertain, hypothetical, past "
        "or another person's, by phrases with a direction and a reach (NegEx, Chapman et al. 2001; "
        "ConText, Harkema et al. 2009); what a heading said of the past, of others or of what may "
        "come held for its section. A finding was present, or absent, where a note said so; "
        "everything else said nothing. Of several states of a concept, in notes or recorded beside "
        "them, the one that the vocabulary lists first counted."
    )
    if meaning:
        text += (
            f" At {listing(meaning)} words that were no name were compared with names by a "
            "language model on the site's own machine."
        )
    gold = {name: site.gold for name, site in sites.items() if site.gold}
    if gold:
        pairs = listing([f"{name} with {other}" for name, other in gold.items()])
        text += (
            f" The same encounters' own findings were known ({pairs}): precision and recall have "
            "percentile intervals of a bootstrap over clusters, and AUROC on read and on true "
            "findings was compared on the same encounters, with Obuchowski's (1997) variance, and "
            "Holm's correction over all models."
        )
    return text
