"""Concept ids: whether they can be used, and which ones a set holds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from duckdb import DuckDBPyConnection

from concept_transfer.errors import StudyError
from concept_transfer.sites.omop_settings import ConceptSet


def make_concept_sets(db: DuckDBPyConnection, sets: Mapping[str, ConceptSet]) -> None:
    """Make the table ``concept_sets`` (name, concept BIGINT).

    Raises StudyError for a set that holds no concept.
    """
    db.execute("CREATE OR REPLACE TEMP TABLE concept_sets (name VARCHAR, concept BIGINT)")
    for name, given in sets.items():
        taken, left_out = (
            _with_descendants(ids, given.descendants) for ids in (given.concepts, given.exclude)
        )
        db.execute(
            f"INSERT INTO concept_sets SELECT ?, concept FROM ({taken} EXCEPT {left_out})", [name]
        )
        if not db.execute("SELECT 1 FROM concept_sets WHERE name = ? LIMIT 1", [name]).fetchone():
            raise StudyError(
                f"concept_sets.{name} holds no concept: 'exclude' takes out all that 'concepts' has"
            )


def check_concepts(
    db: DuckDBPyConnection, asked: Iterable[tuple[str, int, str]], classes: bool
) -> None:
    """Raise StudyError for the first concept id that CONCEPT lacks, or that is not standard.

    asked: key of the config, id, and words that are like its name. classes: whether ids may be
    those of classes of concepts, which stand in no event.
    """
    ids = {concept: (where, words) for where, concept, words in asked}
    if not ids:
        return
    rows = db.execute(
        "SELECT concept_id, concept_name, standard_concept FROM cdm_concept WHERE concept_id IN "
        f"({_listed(ids)})"
    ).fetchall()
    known = {int(concept): (str(name), standard) for concept, name, standard in rows}
    for concept, (where, words) in ids.items():
        if concept not in known:
            raise StudyError(
                f"{where}: the table concept has no id {concept}; its nearest names are "
                f"{_nearest(db, words)}"
            )
        name, standard = known[concept]
        if standard != "S" and not (classes and standard == "C"):
            raise StudyError(
                f"{where}: concept {concept} ({name}) is no standard concept, and no event has it"
                f"{_standard(db, concept)}"
            )


def _with_descendants(ids: Iterable[int], descendants: bool) -> str:
    """A query of ids, and of all below them."""
    listed = _listed(ids)
    query = f"SELECT unnest([{listed}]::BIGINT[]) AS concept"
    if descendants and listed:
        query += (
            " UNION SELECT descendant_concept_id FROM cdm_concept_ancestor "
            f"WHERE ancestor_concept_id IN ({listed})"
        )
    return f"({query})"


def _listed(ids: Iterable[int]) -> str:
    return ", ".join(map(str, ids))


def _nearest(db: DuckDBPyConnection, words: str) -> str:
    rows = db.execute(
        """
        SELECT concept_id, concept_name FROM cdm_concept WHERE standard_concept = 'S'
        ORDER BY jaro_winkler_similarity(lower(concept_name), lower(?)) DESC, concept_id LIMIT 3
        """,
        [words.replace("_", " ")],
    ).fetchall()
    return ", ".join(f"{concept} ({name})" for concept, name in rows) or "none: it is empty"


def _standard(db: DuckDBPyConnection, concept: int) -> str:
    """The end of a sentence that names the concepts to take instead, as far as known."""
    views = db.execute(
        "SELECT 1 FROM duckdb_views() WHERE view_name = 'cdm_concept_relationship'"
    ).fetchone()
    rows = (
        views
        and db.execute(
            """
        SELECT c.concept_id, c.concept_name FROM cdm_concept_relationship r
        JOIN cdm_concept c ON c.concept_id = r.concept_id_2
        WHERE r.concept_id_1 = ? AND r.relationship_id = 'Maps to' AND c.standard_concept = 'S'
        ORDER BY c.concept_id
        """,
            [concept],
        ).fetchall()
    )
    listed = ", ".join(f"{found} ({name})" for found, name in rows or ())
    return f"; it maps to {listed}" if listed else "; take the standard concept that it maps to"
