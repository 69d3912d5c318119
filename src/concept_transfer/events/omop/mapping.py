"""What the concept ids of events mean in a study's vocabulary."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from duckdb import DuckDBPyConnection

from concept_transfer.concepts.crosswalk import Crosswalk
from concept_transfer.concepts.vocabulary import Vocabulary
from concept_transfer.errors import StudyError
from concept_transfer.events.mapping import PRESENT, Meaning

FLAGS = ("low", "normal", "high")
CODE = re.compile(rf"\d+(=(\d+|{'|'.join(FLAGS)}))?")
Targets = Mapping[str, list[tuple[str, str | None]]]  # code -> (concept, state), None: not said


def targets_of(vocabulary: Vocabulary, crosswalk: Path | None) -> Targets:
    """Codes that the crosswalk maps (to nothing under the relation `none`); without one, the
    vocabulary's concepts that are numbers. Raises StudyError, also for what is no code of events.
    """
    if crosswalk is None:
        return {c: [(c, None)] for c in vocabulary.concept_states if c.isdecimal()}
    found: dict[str, list[tuple[str, str | None]]] = {}
    for link in Crosswalk.read(crosswalk, vocabulary).links:
        if not CODE.fullmatch(link.code):
            raise StudyError(
                f"{link.where}: site_code '{link.code}' is no concept id (316139), nor one with "
                f"an answer's concept id or a range flag (3000963=low; {', '.join(FLAGS)})"
            )
        meant = found.setdefault(link.code, [])
        if link.concept:
            meant.append((link.concept, link.state or None))
    return found


def nearest_codes(db: DuckDBPyConnection, codes: list[int]) -> dict[int, list[int]]:
    """Concept id -> those of `codes` that it takes its meaning from: itself, or else its nearest
    ancestors, several where they are equally near."""
    if not codes:
        return {}
    listed = ", ".join(map(str, codes))
    rows = db.execute(
        f"""
        WITH below AS (
            SELECT descendant_concept_id AS code, ancestor_concept_id AS base,
                min_levels_of_separation AS levels
            FROM cdm_concept_ancestor WHERE ancestor_concept_id IN ({listed})
            UNION ALL SELECT base, base, 0 FROM (SELECT unnest([{listed}]::BIGINT[]) AS base)
        )
        SELECT DISTINCT code, base FROM (
            SELECT *, min(levels) OVER (PARTITION BY code) AS nearest FROM below
        ) WHERE levels = nearest ORDER BY code, base
        """
    ).fetchall()
    found: dict[int, list[int]] = {}
    for code, base in rows:
        found.setdefault(int(code), []).append(int(base))
    return found


def meanings_of(
    targets: Targets,
    bases: Mapping[int, list[int]],
    answers: Mapping[int, str],
    units: Mapping[int, Mapping[str, float]],
    vocabulary: Vocabulary,
) -> list[Meaning]:
    """The meanings of all codes that events can have (see `make_events`).

    bases: concept id -> the codes of `targets` that speak for it. A concept of bins takes the
    code's numbers; any other is present, or has the state of an answer or a range flag.
    """
    found = [
        Meaning(code, concept, state or PRESENT)
        for code, meant in targets.items()
        for concept, state in meant
        if not code.isdecimal()
    ]
    for code, of in bases.items():
        for base in of:
            factors = units.get(code, units.get(base, {}))
            for concept, state in targets[str(base)]:
                if state is None and concept in vocabulary.bins:
                    found.append(Meaning(str(code), concept, None, factors))
                else:
                    found.append(Meaning(str(code), concept, state or PRESENT))
                if state is None:
                    derived = _states(code, concept, answers, vocabulary)
                    found += [meaning for meaning in derived if meaning.code not in targets]
    return found


def aside_of(targets: Targets, bases: Mapping[int, list[int]]) -> list[str]:
    """Codes of which the crosswalk says that no concept is theirs."""
    return [
        *(code for code, meant in targets.items() if not meant),
        *(str(code) for code, of in bases.items() if not any(targets[str(base)] for base in of)),
    ]


def _states(
    code: int, concept: str, answers: Mapping[int, str], vocabulary: Vocabulary
) -> list[Meaning]:
    """Meanings of answers and of range flags, where the concept has their states."""
    states = {str(answer): state for answer, state in answers.items()}
    states |= {flag: flag for flag in FLAGS}
    return [
        Meaning(f"{code}={answer}", concept, state)
        for answer, state in states.items()
        if (concept, state) in vocabulary.index
    ]
