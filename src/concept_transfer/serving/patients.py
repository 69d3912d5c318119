"""Patients to be predicted of a dataset of events, as the histories that models read."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa

from concept_transfer.errors import StudyError, choices
from concept_transfer.events.cohort_settings import Window
from concept_transfer.events.patients import Asked
from concept_transfer.inputs.history import History
from concept_transfer.learners import LEARNERS
from concept_transfer.pretraining.coverage import Coverage
from concept_transfer.serving.scoring import Scorer
from concept_transfer.sites import meds, omop
from concept_transfer.sites.meds_site import MedsSite
from concept_transfer.sites.omop_site import OmopSite
from concept_transfer.study_file import read_study


@dataclass
class Tally:
    """How many patients were read, those of them without an event that has a time, and what each of
    the replicates' models knows of the events."""

    patients: int = 0
    without: int = 0
    known: list[Coverage] = field(default_factory=list)


def read_patients(
    dataset: MedsSite | OmopSite, times: Path | None
) -> contextlib.AbstractContextManager[Asked]:
    """Whom to predict, see `events.patients.Asked`. Raises StudyError."""
    if isinstance(dataset, OmopSite):
        return omop.asked_patients(dataset, times, Path.cwd())
    return meds.asked_patients(dataset, times, Path.cwd())


def counted(asked: Asked, scorer: Scorer, tally: Tally) -> Iterator[tuple[pa.Array, History]]:
    """Ids and histories, some patients at a time, all of which are counted."""
    coverage = LEARNERS[scorer.bundle.card.learner["kind"]].coverage
    for ids, history in asked.histories():
        tally.patients += len(ids)
        tally.without += int((history.dated == 0).sum())
        if coverage:
            found = coverage(scorer.models, history)
            pairs = zip(tally.known, found, strict=True)
            tally.known = [sum_ + own for sum_, own in pairs] if tally.known else found
        yield ids, history


def dataset_of(
    scorer: Scorer, path: str | None, config: str | None, site: str | None
) -> MedsSite | OmopSite:
    """Where patients are: the MEDS or OMOP site of a study's config, at `path` where that is given;
    or the MEDS dataset `path`, with the usual columns and the look-back of the bundle. Raises
    StudyError."""
    if config is None and site is None:
        if path is None:
            raise StudyError("--encounters is needed where no --config and --site say what to read")
        window = Window(look_back_days=scorer.bundle.card.look_back_days)
        return MedsSite.model_construct(adapter="meds", path=path, window=window)
    if config is None or site is None:
        raise StudyError("--config and --site go together: a study, and a site of it")
    sites = read_study(Path(config)).sites
    known = {n: one for n, one in sites.items() if isinstance(one, (MedsSite, OmopSite))}
    if site not in known:
        raise StudyError(
            f"--site: {config} has no MEDS or OMOP site '{site}'; those are "
            f"{choices(known) or 'none'}"
        )
    if path is None:
        return known[site]
    other = {"path": path, **({"database": None} if isinstance(known[site], OmopSite) else {})}
    return known[site].model_copy(update=other)
