"""What the sections of a site in the OMOP Common Data Model are made of."""

from __future__ import annotations

from typing import Annotated, Literal
from urllib.parse import parse_qsl, urlsplit

from pydantic import AfterValidator, Field, model_validator

from concept_transfer.events.cohort_settings import Times
from concept_transfer.settings.addresses import SecretError, Variable
from concept_transfer.settings.section import Distinct, Section

DEATH = "death"
Domain = Literal["condition", "observation", "measurement", "drug", "procedure", "person"]
ConceptId = Annotated[int, Field(strict=True, ge=1)]


def _check_url(url: str) -> str:
    try:
        parts = urlsplit(url)
        secret = parts.password is not None
    except ValueError:
        raise SecretError("is no URL, such as postgresql://reader@host/database") from None
    if parts.scheme not in ("postgresql", "postgres"):
        raise SecretError("is no URL that begins with postgresql://")
    if secret or any("pass" in key.casefold() for key, _ in parse_qsl(parts.query)):
        raise SecretError(
            "the URL holds a password, and configs appear in logs and files; leave it out and put "
            "it into ~/.pgpass, or give the whole URL in an environment variable: "
            "{url_from: NAME_OF_THE_VARIABLE}"
        )
    return url


class UrlFrom(Section):
    """Where the URL of a database stands that no config may hold."""

    url_from: Variable = Field(description="Environment variable that holds the URL.")


class ConceptSet(Section):
    """Standard concepts that mean one thing."""

    concepts: Distinct[ConceptId] = Field(min_length=1, description="Concept ids.")
    descendants: bool = Field(
        default=True, description="Whether all that CONCEPT_ANCESTOR lists below them belongs too."
    )
    exclude: Distinct[ConceptId] = Field(
        default=[], description="Concepts left out, with their descendants where those belong."
    )


class Index(Section):
    """The events that patients enter with."""

    visits: Distinct[ConceptId] = Field(
        default=[], description="Visits of these concepts, such as 9203 (emergency room)."
    )
    concept_set: str | None = Field(
        default=None, description="Conditions, observations, drugs and procedures of this set."
    )

    @model_validator(mode="after")
    def _one_kind_of_event(self) -> Index:
        if bool(self.visits) == bool(self.concept_set):
            raise ValueError("give either 'visits' or 'concept_set'")
        return self


class OmopCohort(Times):
    """Who is predicted, when, and what counts as the outcome."""

    index: Index = Field(description="The event that the index time is counted from.")
    outcome: str = Field(
        description="A concept set (a condition, observation, drug or procedure of it), or death."
    )


Url = Annotated[str, AfterValidator(_check_url)]
