"""Simulated patients, read as the dataset that they are written to."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from concept_transfer.cohorts.encounters import Encounters
from concept_transfer.concepts.vocabulary import Vocabulary
from concept_transfer.errors import StudyError
from concept_transfer.events.meds.codes import matching
from concept_transfer.inputs.rows import CompressedRows
from concept_transfer.paths import resolve
from concept_transfer.settings.task import Task
from concept_transfer.simulation.dataset import OPENING, blocks, write_dataset
from concept_transfer.simulation.reading import read_world
from concept_transfer.simulation.risk import hidden_at, outcome_risk
from concept_transfer.simulation.world import QUARTER, Numbers, World
from concept_transfer.sites import meds
from concept_transfer.sites.extract import Extract
from concept_transfer.sites.histories import Histories
from concept_transfer.sites.meds_site import MedsSite
from concept_transfer.sites.simulated_histories_site import SimulatedHistoriesSite

Risks = NDArray[np.float64]


def check_histories(
    site: SimulatedHistoriesSite, vocabulary: Vocabulary, task: Task, root: Path
) -> None:
    """Check the site's files, the codes of its cohort, and the age (StudyError)."""
    if len(task.class_names) != 2:
        raise StudyError(
            f"task.classes has {len(task.class_names)} names, but a cohort by codes has two "
            "classes: without the outcome and with it"
        )
    world = read_world(resolve(site.model, root))
    matching(site.cohort.index, world.codes, "cohort.index")
    outcome_conditions(world, site)
    if site.age is not None:
        vocabulary.require(site.age, "age")
        if site.age not in vocabulary.bins:
            raise StudyError(f"age: the concept {site.age} has no bins; give them under 'bins'")


def read_histories(
    site: SimulatedHistoriesSite, vocabulary: Vocabulary, task: Task, root: Path
) -> Extract:
    """What `sites.meds.read_meds` makes of the site's dataset."""
    with meds_site(site, root) as written:
        return meds.read_meds(written, vocabulary, task, root)


def read_timelines(
    site: SimulatedHistoriesSite, encounters: Encounters, task: Task, root: Path
) -> Histories:
    """The histories of the site's dataset, as `sites.meds.read_histories` makes them."""
    with meds_site(site, root) as written:
        return meds.read_histories(written, encounters, task, root)


@contextlib.contextmanager
def meds_site(site: SimulatedHistoriesSite, root: Path) -> Iterator[MedsSite]:
    """The site's dataset in a folder that is gone afterwards, as a site of the adapter `meds`."""
    world = read_world(resolve(site.model, root))
    with tempfile.TemporaryDirectory(prefix="concept-transfer-") as folder:
        write_dataset(world, site.patients, site.seed, Path(folder))
        yield MedsSite(adapter="meds", path=folder, cohort=site.cohort, age=site.age)


def true_risk(
    site: SimulatedHistoriesSite,
    encounters: Encounters,
    findings: CompressedRows,
    vocabulary: Vocabulary,
    task: Task,
    root: Path,
) -> Risks:
    """Probability of each class [n, 2] from what patients have at the index time, noticed or not:
    no model of what was recorded has a higher expected AUROC.

    Exact (up to the futures drawn) for the check-up, to which all come alike. Of another index
    event it is the risk at the beginning of its quarter, of which the event itself may tell more.
    """
    world = read_world(resolve(site.model, root))
    outcome = outcome_conditions(world, site)
    patient = encounters.table["patient"].to_numpy().astype(np.int64)
    day = encounters.table["time"].to_numpy().astype("M8[D]")
    risk = np.full(len(encounters), np.nan)
    for first, lives in blocks(world, site.patients, site.seed):
        rows = np.flatnonzero((patient >= first) & (patient < first + len(lives)))
        who = patient[rows] - first
        days = (day[rows] - OPENING.astype("M8[D]")).astype(np.int64) - lives.entry[who]
        hidden = hidden_at(lives, who, ((days + 1) / QUARTER).astype(np.int64))
        complete = site.cohort.follow_up == "required"
        rng = np.random.default_rng([site.seed, first])
        risk[rows] = outcome_risk(
            world, hidden, outcome, site.cohort.horizon_days, rng, complete=complete
        )
    return np.column_stack([1 - risk, risk])


def planted_links(site: SimulatedHistoriesSite, root: Path) -> list[tuple[str, str]]:
    """(code of a cause, code of what it makes more frequent), of conditions that follow from each
    other."""
    world = read_world(resolve(site.model, root))
    causes, count = world.hazards.causes, len(world.conditions)
    raised = (causes[:, :count] > 0) | (world.hazards.recent[:, :count] > 0)
    return [
        (world.codes[cause], world.codes[effect])
        for one, other in zip(*np.nonzero(raised), strict=True)
        for cause in world.conditions[one].wording.codes
        for effect in world.conditions[other].wording.codes
    ]


def outcome_conditions(world: World, site: SimulatedHistoriesSite) -> Numbers:
    """The conditions that the codes of the outcome are written for.

    Raises StudyError for codes that tell no condition, or some codes of one.
    """
    codes = set(matching(site.cohort.outcome, world.codes, "cohort.outcome"))
    found, told = list[int](), set[str]()
    for number, condition in enumerate(world.conditions):
        own = {world.codes[code] for code in condition.wording.codes}
        if own <= codes:
            found.append(number)
            told |= own
        elif own & codes:
            missing = ", ".join(sorted(own - codes))
            raise StudyError(
                f"cohort.outcome has some codes of the condition {condition.name} and lacks "
                f"{missing}; the true risk is known of all codes of a condition"
            )
    others = sorted(codes - told)
    if others or not found:
        known = ", ".join(condition.name for condition in world.conditions)
        raise StudyError(
            f"cohort.outcome: {others[0] if others else 'its codes'} is written for no condition "
            f"of the simulation, and the true risk is known of conditions alone: {known}"
        )
    return np.array(found)
