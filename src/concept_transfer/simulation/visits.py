"""When patients see somebody, and why."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from concept_transfer.simulation.lives import QUARTERS, Lives
from concept_transfer.simulation.world import YEAR, Floats, Numbers, World

NOTHING = -1


@dataclass(frozen=True)
class Visits:
    """V visits: whose, when (quarters from enrolment), the code of their kind, and what they are
    due to: a condition that is diagnosed, something acute, or `NOTHING` of these."""

    patient: Numbers
    time: Floats
    kind: Numbers
    condition: Numbers
    acute: Numbers

    def __len__(self) -> int:
        return len(self.time)


def visits_of(world: World, lives: Lives, rng: np.random.Generator) -> Visits:
    """All visits until patients die, leave or the data end, those of a patient in any order.

    The first is that of enrolment; the check-up is at the beginning of its quarter.
    """
    usual = world.number("VISIT//OUTPATIENT")
    everybody = np.arange(len(lives))
    parts = [
        _visits(everybody, np.zeros(len(lives)), usual),
        _visits(everybody, lives.check.astype(np.float64), world.check),
        _diagnoses(world, lives),
        _routine(world, lives, usual, rng),
        _acute(world, lives, rng),
    ]
    columns = [np.concatenate(column) for column in zip(*parts, strict=True)]
    here = lives.alive(columns[0], columns[1])
    return Visits(*(column[here] for column in columns))


def _visits(
    patient: Numbers,
    time: Floats,
    kind: Numbers | int,
    condition: Numbers | int = NOTHING,
    acute: Numbers | int = NOTHING,
) -> tuple[Numbers, Floats, Numbers, Numbers, Numbers]:
    filled = (np.broadcast_to(value, len(time)) for value in (kind, condition, acute))
    kinds, conditions, acutes = filled
    return patient, time, kinds, conditions, acutes


def _diagnoses(world: World, lives: Lives) -> tuple[Numbers, Floats, Numbers, Numbers, Numbers]:
    kinds = np.array([condition.visit for condition in world.conditions])
    patient, condition = np.nonzero((lives.noticed > 0) & (lives.noticed < QUARTERS))
    time = lives.noticed[patient, condition]
    return _visits(patient, time, kinds[condition], condition)


def _routine(
    world: World, lives: Lives, kind: int, rng: np.random.Generator
) -> tuple[Numbers, Floats, Numbers, Numbers, Numbers]:
    """Visits without a reason, and those that conditions need."""
    quarters = np.arange(QUARTERS)
    yearly = np.full((len(lives), QUARTERS), world.usual_visits)
    for number, condition in enumerate(world.conditions):
        if condition.visits:
            yearly += condition.visits * (lives.noticed[:, number, None] < quarters)
    yearly *= np.exp(world.habits * rng.standard_normal(len(lives)))[:, None]
    patient, quarter = _when(rng.poisson(yearly / YEAR))
    return _visits(patient, quarter + rng.random(len(quarter)), kind)


def _acute(
    world: World, lives: Lives, rng: np.random.Generator
) -> tuple[Numbers, Floats, Numbers, Numbers, Numbers]:
    quarters = np.arange(QUARTERS)
    since = quarters[:, None] - lives.onset[:, None, :]
    present = (since > 0).reshape(-1, since.shape[2])
    fresh = ((since > 0) & (since <= YEAR)).reshape(-1, since.shape[2])
    age = (lives.age[:, None] + quarters / YEAR).ravel()
    yearly = world.acute_hazards.yearly(age, np.repeat(lives.female, QUARTERS), present, fresh)
    limits = yearly.cumsum(axis=1)
    cell = np.repeat(np.arange(len(limits)), rng.poisson(limits[:, -1] / YEAR))
    which = (rng.random(len(cell)) * limits[cell, -1])[:, None] >= limits[cell]
    acute = which.sum(axis=1)
    patient, quarter = np.divmod(cell, QUARTERS)
    kinds = np.array([each.visit for each in world.acute])
    return _visits(patient, quarter + rng.random(len(cell)), kinds[acute], NOTHING, acute)


def _when(counts: Numbers) -> tuple[Numbers, Numbers]:
    """Patient and quarter of each visit, of counts [n, quarters]."""
    patient, quarter = np.nonzero(counts)
    times = counts[patient, quarter]
    return np.repeat(patient, times), np.repeat(quarter, times)
