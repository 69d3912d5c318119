"""Adapters: what the house must know of a kind of raw data."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from concept_transfer.registry import Registry

if TYPE_CHECKING:
    from concept_transfer.settings.sites import SiteSection
    from concept_transfer.sites.amounts import Amount


@dataclass(frozen=True)
class Adapter:
    """The record of an adapter. Functions get the site's section first; those given as text,
    ``module:function``, are imported where they run.

    settings: the section, with the adapter's name as ``adapter: Literal[...]``.
    read: (site, vocabulary, task, root) -> Extract; check: the same arguments, raises StudyError
    for what is wrong with paths and headers, and reads no row.
    files: (site, root) -> the raw files as the config writes them, those to be downloaded by their
    future names; paths: keys of the section that hold files or folders.
    described: (site) -> the site in words, for the methods; limitation: what a reader must not
    conclude.

    What only some can do: table_files: (site) -> the files of which all rows are the site's
    encounters; fetch: (site, file, root) downloads one of the files;
    columns: (site, vocabulary, root) -> the concepts that have a column, and
    numbers: (site, concept, vocabulary, root) -> that column as numbers, float64 [encounters], NaN
    for none, for bins; posterior: (site, encounters, findings, vocabulary, task, root) -> the true
    probability of each class, float64 [encounters, classes], for the ceiling; histories: (site,
    encounters, task, root) -> `sites.histories.Histories` of the same raw files, of encounters that
    `read` made (StudyError where they are others), for learners that read the input `history`;
    texts: the same arguments -> `inputs.text.Texts`, a document for each of these encounters, for
    learners that read the input `text`, and for what learns from texts (of an adapter without, the
    findings are written out).
    amount: (site, root) -> `sites.amounts.Amount` of the site's documents, before any job; None
    where it is not known.
    codes: the same arguments -> `sites.recorded_codes.RecordedCodes` of these encounters, which are
    no findings, and links: (site, root) -> pairs of codes (cause, effect) that the site was
    simulated with, for interconnections.

    offer: (site, study, root) -> `Offer`, of a site that hands on models and has no encounters; its
    `read` is "", and its section has a key ``models`` that takes the offer's. short: the key of the
    section whose value may stand alone, as ``adapter: value``.
    """

    settings: type[SiteSection]
    read: str
    check: str
    files: Callable[[Any, Path], list[str]]
    described: Callable[[Any], str]
    paths: tuple[str, ...] = ()
    limitation: str = ""
    table_files: Callable[[Any], list[str]] = lambda site: []
    fetch: str = ""
    columns: str = ""
    numbers: str = ""
    posterior: str = ""
    histories: str = ""
    texts: str = ""
    amount: Callable[[Any, Path], Amount | None] = lambda site, root: None
    codes: str = ""
    links: str = ""
    offer: str = ""
    short: str = ""

    @property
    def has_encounters(self) -> bool:
        return not self.offer


@dataclass(frozen=True)
class Offer:
    """What a site without encounters has for a study: models as (embedding, classifier), and the
    file of the vocabulary that they know."""

    models: tuple[tuple[str, str], ...]
    vocabulary: str


ADAPTERS: Registry[Adapter] = Registry(
    "concept_transfer.adapters",
    {
        "simulated": "concept_transfer.sites.simulated_site:SIMULATED",
        "simulated_histories": "concept_transfer.sites.simulated_histories_site:HISTORIES",
        "tabular": "concept_transfer.sites.tabular_site:TABULAR",
        "notes": "concept_transfer.sites.notes_site:NOTES",
        "simulated_notes": "concept_transfer.sites.simulated_notes_site:SIMULATED_NOTES",
        "documents": "concept_transfer.sites.documents_site:DOCUMENTS",
        "nhamcs": "concept_transfer.sites.nhamcs_site:NHAMCS",
        "eicu": "concept_transfer.sites.eicu_site:EICU",
        "meds": "concept_transfer.sites.meds_site:MEDS",
        "omop": "concept_transfer.sites.omop_site:OMOP",
        "bundle": "concept_transfer.sites.bundle_site:BUNDLE",
    },
)
