"""The true probability of an outcome, from what a patient has at the index time, seen or not."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from concept_transfer.simulation.lives import Lives, chances_of_quarter
from concept_transfer.simulation.world import QUARTER, YEAR, Floats, Numbers, Truths, World

FUTURES = 32
_AT_ONCE = 200_000  # futures


@dataclass(frozen=True)
class Hidden:
    """n people at the beginning of a quarter: age in years, sex, and for how many quarters they
    have had each condition, and known of it, [n, C]; minus infinity for what has not begun, and for
    what nobody knows."""

    age: Floats
    female: Truths
    since: Floats
    known: Floats


def hidden_at(lives: Lives, patient: Numbers, quarter: Numbers) -> Hidden:
    """What these patients have at the beginning of a quarter since their enrolment."""
    since, known = (quarter[:, None] - times[patient] for times in (lives.onset, lives.noticed))
    age = lives.age[patient] + quarter / YEAR
    since, known = (np.where(times > 0, times, -np.inf) for times in (since, known))
    return Hidden(age, lives.female[patient], since, known)


def outcome_risk(
    world: World,
    hidden: Hidden,
    outcome: Numbers,
    days: float,
    rng: np.random.Generator,
    complete: bool = True,
    futures: int = FUTURES,
) -> Floats:
    """Probability [n] that one of the conditions `outcome` is diagnosed within so many days, of
    those who have no such diagnosis yet.

    The other conditions are drawn in many futures without the outcome, deaths and departures; of
    each, the probability of these is summed quarter by quarter (so few futures do). complete: among
    those who have the outcome, die, or are observed until then, as a cohort with required follow-up
    holds them; otherwise before they leave.
    """
    parts = []
    step = max(1, _AT_ONCE // futures)
    for start in range(0, len(hidden.age), step):
        rows = np.repeat(np.arange(start, min(start + step, len(hidden.age))), futures)
        chance = _risk_of_futures(world, hidden, rows, outcome, days, rng)
        risk, other = (part.reshape(-1, futures).mean(axis=1) for part in chance)
        parts.append(risk / (risk + other) if complete else risk)
    return np.concatenate(parts)


def _risk_of_futures(
    world: World,
    hidden: Hidden,
    rows: Numbers,
    outcome: Numbers,
    days: float,
    rng: np.random.Generator,
) -> tuple[Floats, Floats]:
    """For a future of each of the rows: the chance of the outcome, and that of death or of life
    until the end without it, all while observed."""
    age, female, onset = hidden.age[rows], hidden.female[rows], -hidden.since[rows]
    unknown = hidden.known[rows][:, outcome] <= 0
    delays = np.array([world.conditions[number].unnoticed for number in outcome]) * YEAR
    at_once, later = _diagnosed_within_a_quarter(delays)
    free, risk, died = np.ones(len(rows)), np.zeros(len(rows)), np.zeros(len(rows))
    quarters = days / QUARTER
    for quarter in range(int(np.ceil(quarters))):
        part = min(1.0, quarters - quarter)
        stays = np.exp(-world.leaving * (quarter + part / 2) / YEAR)
        chances, deadly = chances_of_quarter(world, age + quarter / YEAR, female, onset, quarter)
        there = onset[:, outcome] < quarter
        begins = chances[:, outcome]
        told = np.where(there, unknown * later, begins * at_once)
        none, deadly = (1 - part * told).prod(axis=1), part * deadly
        risk += free * (1 - none) * (1 - deadly / 2) * stays
        died += free * deadly * (1 + none) / 2 * stays
        free *= none * (1 - deadly)
        chances[:, outcome] = begins * (1 - at_once) / (1 - begins * at_once)
        new = rng.random(onset.shape) < chances
        onset[new] = quarter + rng.random(new.sum())
    return risk, died + free * np.exp(-world.leaving * quarters / YEAR)


def _diagnosed_within_a_quarter(delays: Floats) -> tuple[Floats, Floats]:
    """Chance that a condition is diagnosed until the end of the quarter in which it begins, at any
    time of it, and of a later quarter; delays: mean quarters from beginning to diagnosis."""
    rate = np.divide(1, delays, out=np.full(len(delays), np.inf), where=delays > 0)
    later = -np.expm1(-rate)
    return 1 - np.where(np.isinf(rate), 0, later / rate), later
