"""How much of the vocabulary a site records, and what of the site the vocabulary lacks."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from concept_transfer.concepts.vocabulary import Vocabulary
from concept_transfer.settings.task import Task
from concept_transfer.sites.code_use import MAPPED, SET_ASIDE
from concept_transfer.sites.extract import Extract
from concept_transfer.sites.tokens import allowed_tokens

_MOST = 12


@dataclass(frozen=True)
class Coverage:
    """`concepts` that the task allows, those of them that a site `never` records (both in
    vocabulary order), its `unmapped` codes with the number of encounters that have them, what
    concepts take of its codes (`CodeUse.mapping`; None of a site that has no codes to map), and the
    rows of its long tables (`rows_read`, and `elsewhere`: at encounters that it does not have)."""

    concepts: list[str]
    never: list[str]
    unmapped: Mapping[str, int]
    mapping: Mapping[str, Any] | None = None
    findings: Mapping[str, int] = field(default_factory=dict)


def coverage_of(extract: Extract, vocabulary: Vocabulary, task: Task) -> Coverage:
    """Coverage of one site's findings.

    What `not_recorded: absent` fills in counts as not recorded.
    """
    counts = extract.inputs["findings"].counts(len(vocabulary))
    recorded = {vocabulary.concepts[token] for token in np.flatnonzero(counts)}
    silent = extract.report["not_recorded"]
    filled = {concept for concept, count in silent.items() if count == len(extract)}
    allowed = np.flatnonzero(allowed_tokens(vocabulary, task))
    concepts = list(dict.fromkeys(vocabulary.concepts[token] for token in allowed))
    never = [concept for concept in concepts if concept not in recorded - filled]
    report = extract.report
    long = report.get("findings", {})
    return Coverage(concepts, never, report["unmapped"], report.get("mapping"), long)


def closest(name: str, names: Iterable[str]) -> str | None:
    """The one of the names that is most like a name (case is ignored), if any is."""
    known = {other.casefold(): other for other in names}
    matches = difflib.get_close_matches(name.casefold(), known, n=1)
    return known[matches[0]] if matches else None


def closest_concept(code: str, vocabulary: Vocabulary) -> str | None:
    """The concept whose id or name is most like a code, if any is."""
    nearest = closest(code, [*vocabulary.names, *vocabulary.concepts])
    if nearest is None or nearest in vocabulary.concept_states:
        return nearest
    return vocabulary.concepts[vocabulary.names.index(nearest)]


def did_you_mean(name: str | None) -> str:
    """The question, in brackets after what is unknown; nothing without a name."""
    return f" (did you mean '{name}'?)" if name else ""


def coverage_text(sites: Mapping[str, Coverage], vocabulary: Vocabulary, small_cells: int) -> str:
    """A paragraph a site, and one about the concepts that no site records.

    Of a site: concepts that another one records, for which a model carried over looks in vain,
    how much of its codes has a concept, and the most frequent codes without one. Codes in fewer
    than `small_cells` encounters are counted as such.
    """
    nowhere = set.intersection(*(set(its.never) for its in sites.values()))
    text = "\n".join(
        _paragraph(site, its, nowhere, vocabulary, small_cells) for site, its in sites.items()
    )
    common = [concept for concept in vocabulary.concept_states if concept in nowhere]
    return text + (f"\nNo site records {_some(common, vocabulary)}." if common else "")


def _paragraph(
    site: str, its: Coverage, nowhere: set[str], vocabulary: Vocabulary, small_cells: int
) -> str:
    known = len(its.concepts) - len(its.never)
    text = f"{site} records {known} of the {len(its.concepts)} concepts that the task allows."
    elsewhere = [concept for concept in its.never if concept not in nowhere]
    if elsewhere:
        text += f"\n  Never here, but at another site: {_some(elsewhere, vocabulary)}."
    if its.findings.get("elsewhere"):
        text += (
            f"\n  Findings of encounters that the site does not have, not used: "
            f"{its.findings['elsewhere']:,} of {its.findings['rows_read']:,} rows."
        )
    if its.mapping:
        text += f"\n  {mapping_text(its.mapping)}"
    codes = sorted(its.unmapped, key=lambda code: -its.unmapped[code])
    if codes:
        shown = ", ".join(
            _code(code, its.unmapped[code], vocabulary, small_cells) for code in codes[:_MOST]
        )
        more = f", ... ({len(codes)} in all)" if len(codes) > _MOST else ""
        text += f"\n  Codes without a concept, not used: {shown}{more}."
    return text


def mapping_text(mapping: Mapping[str, Any]) -> str:
    """How much of a site's codes has a concept: of codes, of values, and of encounters."""
    codes, values = mapping["codes"], mapping["values"]
    aside = f" ({codes[SET_ASIDE]:,} set aside)" if codes[SET_ASIDE] else ""
    return (
        f"{codes[MAPPED]:,} of its {sum(codes.values()):,} codes have a concept{aside}: "
        f"{_share(values[MAPPED], sum(values.values()))} of their occurrences; "
        f"{_share(mapping['encounters_mapped'], mapping['encounters'])} of the encounters with a "
        "code have one."
    )


def _share(part: int, whole: int) -> str:
    return f"{part / whole:.1%}" if whole else "none"


def _code(code: str, count: int, vocabulary: Vocabulary, small_cells: int) -> str:
    concept = closest_concept(code, vocabulary)
    shown = f"{count:,}" if count >= small_cells else f"<{small_cells}"
    return f"{code} x {shown}{did_you_mean(concept and _described(concept, vocabulary))}"


def _some(concepts: list[str], vocabulary: Vocabulary) -> str:
    shown = ", ".join(_described(concept, vocabulary) for concept in concepts[:_MOST])
    return shown + (f", ... ({len(concepts)} in all)" if len(concepts) > _MOST else "")


def _described(concept: str, vocabulary: Vocabulary) -> str:
    name = vocabulary.names[vocabulary.concepts.index(concept)]
    return concept if name.casefold() == concept.casefold() else f"{concept} ({name})"
