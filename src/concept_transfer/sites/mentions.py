"""From the notes of a site's encounters to its findings."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from concept_transfer.concepts.vocabulary import Vocabulary
from concept_transfer.embeddings.transformers_embedding import TransformersEmbedding
from concept_transfer.errors import StudyError, named
from concept_transfer.extraction.context import Context
from concept_transfer.extraction.kept import check_kept, fingerprint, kept_tagger
from concept_transfer.extraction.mentions import ASSERTIONS
from concept_transfer.extraction.names import Names, names_of
from concept_transfer.extraction.normalise import Normaliser
from concept_transfer.extraction.reading import Found, Reader
from concept_transfer.paths import resolve
from concept_transfer.proposals.similarity import Embed
from concept_transfer.settings.extraction import Extraction
from concept_transfer.settings.task import Task
from concept_transfer.sites.extract import Extract
from concept_transfer.sites.tokens import first_states, token_rows

_SHOWN = 3  # names of several concepts
MENTIONS = pa.schema(
    [
        ("concept", pa.string()),
        ("synonym", pa.string()),
        ("state", pa.string()),
        ("kind", pa.string()),
        ("score", pa.float64()),
        ("encounters", pa.int64()),
    ]
)


def check_extraction(settings: Extraction, vocabulary: Vocabulary, root: Path) -> None:
    """Raise StudyError for tables of names and cues that are wrong, an embedding that cannot be
    asked, and a tagger that is not as it was written; none is loaded."""
    _names(settings, vocabulary, root)
    Context.read(resolve(settings.cues, root))
    private_vectors(settings, root)
    if settings.tagger is not None:
        with named("extraction.tagger"):
            check_kept(resolve(settings.tagger, root))


def reader_of(settings: Extraction, vocabulary: Vocabulary, root: Path) -> Reader:
    """What reads the notes. Raises StudyError as `check_extraction`."""
    names = _names(settings, vocabulary, root)
    context = Context.read(resolve(settings.cues, root))
    embed = private_vectors(settings, root)
    normaliser = Normaliser(names, settings.fuzzy, settings.cosine, embed)
    if settings.tagger is None:
        return Reader(names.dictionary, context, normaliser, corrects=True)
    with named("extraction.tagger"):
        tagger = kept_tagger(resolve(settings.tagger, root))
    return Reader(tagger, context, normaliser, corrects=False)


def _names(settings: Extraction, vocabulary: Vocabulary, root: Path) -> Names:
    return names_of(vocabulary, resolve(settings.synonyms, root) if settings.synonyms else None)


def private_vectors(settings: Extraction, root: Path) -> Embed | None:
    """What makes vectors of mentions on this machine, and keeps neither words nor vectors.

    Raises StudyError for an embedding that cannot: mentions are patients' words.
    """
    section = settings.embedding
    if section is None:
        return None
    if not isinstance(section, TransformersEmbedding):
        raise StudyError(
            f"extraction.embedding: '{section}' is no embedding that computes on this machine; "
            "mentions are patients' words, and no server gets them"
        )

    def embed(texts: Sequence[str]) -> NDArray[np.float32]:
        from concept_transfer.embeddings.transformers_provider import embed_privately

        return embed_privately("extraction", section, texts, root)

    return embed


def with_findings(
    extract: Extract,
    texts: Sequence[str],
    settings: Extraction,
    vocabulary: Vocabulary,
    task: Task,
    root: Path,
) -> Extract:
    """The extract of a site with what its notes say beside what it records (read under a task that
    leaves out nothing), and a report of both.

    Of a concept that has several states at an encounter, the one counts that the vocabulary lists
    first: present before absent. Raises StudyError as `check_extraction`.
    """
    reader = reader_of(settings, vocabulary, root)
    found = reader.read(texts)
    recorded = extract.inputs["findings"]
    rows, tokens = found.tokens(vocabulary)
    row = np.concatenate([recorded.owners, rows])
    token = np.concatenate([recorded.values, tokens])
    contradicted = _concepts_with_several(row, token, vocabulary)
    row, token = first_states(row, token, vocabulary)
    counts = np.bincount(
        vocabulary.concept_numbers[token], minlength=len(vocabulary.concept_states)
    )
    silent = {
        concept: len(extract) - int(count)
        for concept, count in zip(vocabulary.concept_states, counts, strict=True)
        if count < len(extract)
    }
    findings = token_rows(row, token, len(extract), vocabulary, task)
    concepts = np.array(list(vocabulary.concept_states))
    in_the_record = concepts[np.unique(vocabulary.concept_numbers[recorded.values])].tolist()
    notes = {**_report(found, texts, contradicted), "in_the_record": in_the_record}
    if settings.tagger is not None:
        notes["tagger"] = fingerprint(resolve(settings.tagger, root))
    report = {**extract.report, "not_recorded": silent, "notes": notes}
    if reader.normaliser.names.shared:
        report["warnings"] = [*report.get("warnings", ()), _of_shared(reader.normaliser.names)]
    return replace(
        extract,
        inputs={**extract.inputs, "findings": findings},
        report=report,
        mentions=mention_table(found),
    )


def _concepts_with_several(row: Any, token: Any, vocabulary: Vocabulary) -> int:
    """How many pairs of encounter and concept have several states."""
    pairs = np.unique(row * len(vocabulary) + token)
    concepts = len(vocabulary.concept_states)
    of_concept = pairs // len(vocabulary) * concepts
    of_concept += vocabulary.concept_numbers[pairs % len(vocabulary)]
    return int((np.unique(of_concept, return_counts=True)[1] > 1).sum())


def _of_shared(names: Names) -> str:
    """What is said of names that the vocabulary gives several concepts."""
    first = [
        f"'{names.texts[name]}' ({concepts[0]}, and {len(concepts) - 1} more)"
        for name, concepts in list(names.shared.items())[:_SHOWN]
    ]
    return (
        "in notes a name of several concepts means the one that the vocabulary lists first "
        f"({len(names.shared):,} such); give a synonym where that is wrong: {', '.join(first)}"
        f"{' ...' if len(names.shared) > _SHOWN else ''}"
    )


def _report(found: Found, texts: Sequence[str], contradicted: int) -> dict[str, Any]:
    """Counts alone: no word of a note."""
    said = np.bincount(found.assertion, minlength=len(ASSERTIONS)).tolist()
    how = Counter[str]()
    for form, count in zip(*np.unique(found.form, return_counts=True), strict=True):
        match = found.matches[form]
        how[match.kind if match else "without concept"] += int(count)
    return {
        "encounters_without_text": sum(not text.strip() for text in texts),
        "words": found.words,
        "sentences": found.sentences,
        "mentions": len(found.form),
        "said": dict(zip(ASSERTIONS, said, strict=True)),
        "matched": dict(how),
        "several_states": contradicted,
    }


def mention_table(found: Found) -> pa.Table:
    """The words of mentions, what they were taken for, and at how many encounters; those that are
    most frequent first. These are patients' words."""
    forms, _ = np.unique(np.stack([found.form, found.row]), axis=1)
    encounters = np.bincount(forms, minlength=len(found.forms))
    order = sorted(range(len(found.forms)), key=lambda form: (-encounters[form], found.forms[form]))
    rows = []
    for form in order:
        match = found.matches[form]
        concept, state, kind, score = match or ("", "", "", None)
        words = " ".join(found.forms[form])
        rows.append((concept, words, state, kind, score, int(encounters[form])))
    return pa.Table.from_pylist(
        [dict(zip(MENTIONS.names, row, strict=True)) for row in rows], MENTIONS
    )
