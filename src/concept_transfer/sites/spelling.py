"""How a site spells a concept's states, as a table from cell text to token id."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from concept_transfer.concepts.vocabulary import Vocabulary
from concept_transfer.errors import StudyError
from concept_transfer.settings.sites import TabularSite

NOT_RECORDED = "not recorded"


def state_of_spelling(states: Mapping[str, Sequence[str]], where: str) -> dict[str, str]:
    """Spelling (case ignored) -> state. Raises StudyError if two states share a spelling."""
    found: dict[str, str] = {}
    for state, spellings in states.items():
        for spelling in spellings:
            other = found.setdefault(spelling.strip().casefold(), state)
            if other != state:
                raise StudyError(
                    f"{where}: '{spelling}' spells both '{other}' and '{state}'; case is ignored, "
                    "and every spelling means one thing"
                )
    return found


def spelling_of_concept(site: TabularSite, vocabulary: Vocabulary, concept: str) -> dict[str, str]:
    """Spelling -> state of one concept: its own entry if it has one, else the site's.

    A concept's own entry without 'not recorded' takes those spellings from the site's, except
    the ones that it uses itself.
    """
    own = site.concept_spelling.get(concept)
    if own is None:
        shared = set(site.spelling) & set(vocabulary.concept_states[concept])
        if not shared:
            raise StudyError(
                f"concept {concept} has the states "
                f"{', '.join(vocabulary.concept_states[concept])}, none of which 'spelling' "
                f"spells; add concept_spelling: {{{concept}: {{state: [spellings]}}}}"
            )
        return state_of_spelling(site.spelling, "spelling")
    for state in own:
        if state != NOT_RECORDED:
            vocabulary.token(concept, state)
    spellings = state_of_spelling(own, f"concept_spelling.{concept}")
    if NOT_RECORDED not in own:
        missing = {NOT_RECORDED: site.spelling.get(NOT_RECORDED, [])}
        spellings = state_of_spelling(missing, "spelling") | spellings
    return spellings


def spelling_of_label(site: TabularSite) -> dict[str, str]:
    """Spelling -> positive, negative or drop."""
    label = site.label
    kinds = {"positive": label.positive, "negative": label.negative, "drop": label.drop}
    return state_of_spelling(kinds, "label")
