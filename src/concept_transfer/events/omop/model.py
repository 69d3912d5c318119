"""The tables and columns of the OMOP Common Data Model that are read."""

from __future__ import annotations

from dataclasses import dataclass

VERSIONS = ("5.3", "5.4")


@dataclass(frozen=True)
class Domain:
    """A table of events: its key, the columns of the concept and its source value, of the day and
    time at which it begins and the day on which it ends; `values` where it holds answers and,
    maybe, numbers with units; `numbers` where it must hold them."""

    table: str
    stem: str
    key: str
    day: str
    time: str
    end: str | None = None
    values: bool = False
    numbers: bool = False

    @property
    def concept(self) -> str:
        return f"{self.stem}_concept_id"

    @property
    def source(self) -> str:
        return f"{self.stem}_source_value"


def _spans(table: str, stem: str, begin: str, end: str | None) -> Domain:
    day, time = f"{begin}_date", f"{begin}_datetime"
    return Domain(table, stem, f"{table}_id", day, time, end)


DOMAINS = {
    "condition": _spans(
        "condition_occurrence", "condition", "condition_start", "condition_end_date"
    ),
    "observation": Domain(
        "observation",
        "observation",
        "observation_id",
        "observation_date",
        "observation_datetime",
        values=True,
    ),
    "measurement": Domain(
        "measurement",
        "measurement",
        "measurement_id",
        "measurement_date",
        "measurement_datetime",
        values=True,
        numbers=True,
    ),
    "drug": _spans("drug_exposure", "drug", "drug_exposure_start", "drug_exposure_end_date"),
    "procedure": _spans("procedure_occurrence", "procedure", "procedure", None),
}
VISIT = _spans("visit_occurrence", "visit", "visit_start", "visit_end_date")
ENTERING = ("condition", "observation", "drug", "procedure")  # of outcomes and index events
ANCESTORS = "concept_ancestor"
VOCABULARY = ("concept", ANCESTORS, "concept_relationship")
VALUES = ("value_as_concept_id",)
NUMBERS = ("value_as_number", "unit_concept_id", "unit_source_value", "range_low", "range_high")
REQUIRED = {
    "person": ("person_id", "gender_concept_id", "year_of_birth"),
    "observation_period": (
        "person_id",
        "observation_period_start_date",
        "observation_period_end_date",
    ),
    "death": ("person_id", "death_date"),
    "concept": ("concept_id", "concept_name", "standard_concept"),
    ANCESTORS: ("ancestor_concept_id", "descendant_concept_id", "min_levels_of_separation"),
    "concept_relationship": ("concept_id_1", "concept_id_2", "relationship_id"),
    "cdm_source": ("cdm_version",),
}
KEYS = {"person": "person_id", "observation_period": "observation_period_id"}
OPTIONAL = {
    "person": ("month_of_birth", "day_of_birth", "birth_datetime"),
    "observation_period": ("observation_period_id",),
    "death": ("death_datetime",),
}
TABLES = frozenset({*REQUIRED, VISIT.table, *(domain.table for domain in DOMAINS.values())})


def columns_of(domain: Domain) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Columns that a table of events must have, and those that are read where it has them."""
    required = ["person_id", domain.concept, domain.day, *(VALUES if domain.values else ())]
    required += NUMBERS[:1] if domain.numbers else ()
    optional = [domain.key, domain.time, domain.source, "visit_occurrence_id"]
    optional += [domain.end] if domain.end else []
    optional += [column for column in NUMBERS if domain.values and column not in required]
    if domain is VISIT:
        optional.append("care_site_id")
    return tuple(required), tuple(optional)


def read_columns(table: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Columns that a table must have, and those that are read where it has them."""
    for domain in (VISIT, *DOMAINS.values()):
        if domain.table == table:
            return columns_of(domain)
    return REQUIRED[table], OPTIONAL.get(table, ())


def key_of(table: str) -> str | None:
    """The column with the id of a table's rows, if the model has one that is read."""
    domains = {domain.table: domain.key for domain in (VISIT, *DOMAINS.values())}
    return (domains | KEYS).get(table)


TYPES = {"_id": "BIGINT", "_date": "DATE", "_datetime": "TIMESTAMP"}
OTHER_TYPES = {
    "value_as_number": "DOUBLE",
    "range_low": "DOUBLE",
    "range_high": "DOUBLE",
    "year_of_birth": "INTEGER",
    "month_of_birth": "INTEGER",
    "day_of_birth": "INTEGER",
    "birth_datetime": "TIMESTAMP",
    "min_levels_of_separation": "INTEGER",
    "concept_id_1": "BIGINT",
    "concept_id_2": "BIGINT",
    "relationship_id": "VARCHAR",
}


def type_of(column: str) -> str:
    """The type that a column is read as."""
    endings = (kind for ending, kind in TYPES.items() if column.endswith(ending))
    return OTHER_TYPES.get(column) or next(endings, "VARCHAR")
