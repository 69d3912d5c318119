"""Encounters sampled from a county's network (see networks)."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from concept_transfer.cohorts.encounters import Encounters, encounter_table
from concept_transfer.concepts.vocabulary import Vocabulary
from concept_transfer.errors import StudyError
from concept_transfer.inputs.rows import CompressedRows, concatenated
from concept_transfer.paths import resolve
from concept_transfer.settings.task import Task
from concept_transfer.sites.extract import Extract
from concept_transfer.sites.network_files import read_network
from concept_transfer.sites.networks import Network, Sample, class_of_diseases, posterior, sample
from concept_transfer.sites.report import ingest_report
from concept_transfer.sites.simulated_site import NetworkSite
from concept_transfer.sites.tokens import token_rows

FIRST_DAY, LAST_DAY = datetime.date(2021, 7, 1), datetime.date(2025, 6, 30)
MONTHS = {"winter": (12, 1, 2), "spring": (3, 4, 5), "summer": (6, 7, 8), "autumn": (9, 10, 11)}
_ENCOUNTERS_AT_ONCE = 100_000


def check_simulated(site: NetworkSite, vocabulary: Vocabulary, task: Task, root: Path) -> None:
    """Check the network, its label and that the vocabulary has all its tokens (StudyError)."""
    class_of_diseases(checked_network(site, vocabulary, root), task)


def read_simulated(site: NetworkSite, vocabulary: Vocabulary, task: Task, root: Path) -> Extract:
    """Sample the site's encounters, in order of time; the label is the class of the disease.

    The same site gives the same encounters on every machine.
    """
    network = checked_network(site, vocabulary, root)
    encounters, drawn, order = sampled_encounters(site, network, task)
    findings = _findings(network, drawn, order, vocabulary, task)
    report = ingest_report(
        encounters,
        rows_read=site.encounters,
        dropped={},
        unmapped={},
        not_recorded=_not_recorded(network, drawn),
    )
    return Extract(encounters, {"findings": findings}, report)


def sampled_encounters(
    site: NetworkSite, network: Network, task: Task
) -> tuple[Encounters, Sample, NDArray[np.int64]]:
    """The encounters, what was sampled, and the place of each encounter in the sample."""
    classes = class_of_diseases(network, task)
    drawn = sample(network, site.encounters, site.seed)
    days = _days(network, drawn.season, site.seed)
    order = np.argsort(days, kind="stable")
    patient = _ids("P", drawn.patient[order])
    table = encounter_table(
        encounter=_ids("E", np.arange(site.encounters)),
        patient=patient,
        cluster=patient,
        label=classes[drawn.disease[order]],
        time=days[order],
    )
    return Encounters(table), drawn, order


def recorded_tokens(
    network: Network, drawn: Sample, order: NDArray[np.int64]
) -> Iterator[list[tuple[str, str]]]:
    """Concept and state of all that is written of each encounter."""
    tokens = [finding.tokens for finding in network.findings]
    for row in drawn.written[order].tolist():
        yield [of[place] for of, place in zip(tokens, row, strict=True) if place < len(of)]


def site_posterior(
    site: NetworkSite,
    encounters: Encounters,
    findings: CompressedRows,
    vocabulary: Vocabulary,
    task: Task,
    root: Path,
) -> NDArray[np.float64]:
    """Probability of each class given the tokens of encounters, float64 [n, classes] (see
    networks)."""
    return posterior(read_network(resolve(site.network, root)), findings, vocabulary, task)


def checked_network(site: NetworkSite, vocabulary: Vocabulary, root: Path) -> Network:
    path = resolve(site.network, root)
    network = read_network(path)
    unknown = [season for season in network.seasons if season not in MONTHS]
    if unknown:
        raise StudyError(
            f"network {path}: season '{unknown[0]}' has no months; accepted are {', '.join(MONTHS)}"
        )
    for finding in network.findings:
        for concept, state in finding.tokens:
            try:
                vocabulary.token(concept, state)
            except StudyError as error:
                raise StudyError(f"network {path}: {error}") from None
    return network


def _days(network: Network, season: NDArray[np.int64], seed: int) -> NDArray[np.datetime64]:
    """A day of each encounter's season, uniform over the simulated years."""
    rng = np.random.default_rng([seed, 1])
    calendar = np.arange(np.datetime64(FIRST_DAY), np.datetime64(LAST_DAY) + 1)
    month = calendar.astype("datetime64[M]").astype(int) % 12 + 1
    days = np.empty(len(season), calendar.dtype)
    for position, name in enumerate(network.seasons):
        here = season == position
        days[here] = rng.choice(calendar[np.isin(month, MONTHS[name])], size=here.sum())
    return days


def _findings(
    network: Network,
    drawn: Sample,
    order: NDArray[np.int64],
    vocabulary: Vocabulary,
    task: Task,
) -> CompressedRows:
    nothing = len(vocabulary)
    tokens_of = [
        np.array([*(vocabulary.token(*token) for token in finding.tokens), nothing], np.int32)
        for finding in network.findings
    ]
    parts = []
    for start in range(0, len(order), _ENCOUNTERS_AT_ONCE):
        written = drawn.written[order[start : start + _ENCOUNTERS_AT_ONCE]]
        tokens = np.stack([ids[written[:, i]] for i, ids in enumerate(tokens_of)], axis=1)
        encounter, column = np.nonzero(tokens < nothing)
        parts.append(
            token_rows(encounter, tokens[encounter, column], len(written), vocabulary, task)
        )
    return concatenated(parts)


def _ids(prefix: str, numbers: NDArray[np.int64]) -> pa.Array:
    width = len(str(len(numbers)))
    digits = pc.utf8_lpad(pa.array(numbers + 1).cast(pa.string()), width=width, padding="0")
    return pc.binary_join_element_wise(prefix, digits, "")


def _not_recorded(network: Network, drawn: Sample) -> dict[str, int]:
    """Concept -> encounters in which none of its states was written."""
    silent: dict[str, int] = {}
    for column, finding in enumerate(network.findings):
        written = np.bincount(drawn.written[:, column], minlength=len(finding.tokens))
        for (concept, _), count in zip(finding.tokens, written.tolist(), strict=False):
            silent[concept] = silent.get(concept, len(drawn.patient)) - count
    return silent
