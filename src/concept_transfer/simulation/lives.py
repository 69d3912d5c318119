"""When conditions begin and are noticed, and when people leave or die."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from concept_transfer.simulation.world import QUARTER, YEAR, Floats, Numbers, Truths, World

QUARTERS = 40  # from the site's opening to the end of its data
ENTRY = 730  # days from the opening within which patients enrol
CHECKS = (8, 21)  # quarters from enrolment within which the check-up lies
ADULT = 20


@dataclass(frozen=True)
class Lives:
    """n people; times are quarters from their enrolment, infinite for never.

    entry: days from the site's opening; age: years at enrolment; onset, noticed [n, C]: of each
    condition, negative before the enrolment; check: the quarter that begins with the check-up; end:
    when they die, leave, or the data end; death: infinite unless it is the end.
    """

    female: Truths
    entry: Numbers
    age: Floats
    onset: Floats
    noticed: Floats
    check: Numbers
    end: Floats
    death: Floats

    def __len__(self) -> int:
        return len(self.age)

    def alive(self, patient: Numbers, time: Floats) -> Truths:
        """Whether they are still observed."""
        return np.asarray(time < self.end[patient])


def live(world: World, count: int, rng: np.random.Generator) -> Lives:
    """People and their lives until the data end."""
    people = world.people
    age = _cut_normal(people.mean, people.spread, people.least, people.most, count, rng)
    female = rng.random(count) < people.female
    onset = _before_enrolment(world, age, female, rng)
    entry = rng.integers(ENTRY, size=count)
    check = rng.integers(*CHECKS, size=count)
    leaves = rng.exponential(YEAR / world.leaving, count)
    delay = np.array([each.unnoticed for each in world.conditions]) * YEAR
    death = np.full(count, np.inf)
    for quarter in range(QUARTERS):
        chances, deadly = chances_of_quarter(world, age + quarter / YEAR, female, onset, quarter)
        begins = rng.random(onset.shape) < chances
        onset[begins] = quarter + rng.random(begins.sum())
        dies = (rng.random(count) < deadly) & (death == np.inf)
        death[dies] = quarter + rng.random(dies.sum())
    noticed = onset + delay * rng.standard_exponential(onset.shape)
    end = np.minimum.reduce([death, leaves, QUARTERS - entry / QUARTER])
    death[death > end] = np.inf
    return Lives(female, entry, age, onset, noticed, check, end, death)


def chances_of_quarter(
    world: World, age: Floats, female: Truths, onset: Floats, quarter: int
) -> tuple[Floats, Floats]:
    """Chances in the quarter that begins now: of the beginning of each condition [n, C], 0 for
    those that are there, and of death [n]."""
    since = quarter - onset
    present, fresh = since > 0, (since > 0) & (since <= YEAR)
    chances = -np.expm1(world.hazards.yearly(age, female, present, fresh) / -YEAR)
    chances[:, :-1][present] = 0
    return chances[:, :-1], chances[:, -1]


def _before_enrolment(
    world: World, age: Floats, female: Truths, rng: np.random.Generator
) -> Floats:
    """Year by year from 20: quarters from enrolment to the beginning of conditions [n, C]."""
    onset = np.full((len(age), len(world.conditions)), np.inf)
    since = (ADULT - age) * YEAR
    young = rng.random(onset.shape) < world.from_20
    onset[young] = np.broadcast_to(since[:, None], onset.shape)[young]
    for year in range(ADULT, int(age.max())):
        now = (year - age) * YEAR
        there = (onset < now[:, None]) | young
        fresh = (onset < now[:, None]) & (onset > now[:, None] - YEAR)
        yearly = world.hazards.yearly(np.full(len(age), float(year)), female, there, fresh)[:, :-1]
        begins = rng.random(onset.shape) < -np.expm1(-yearly)
        begins &= ~there & (year + 1 <= age)[:, None]
        begun = now[:, None] + YEAR * rng.random(onset.shape)
        onset[begins] = begun[begins]
    return onset


def _cut_normal(
    mean: float, spread: float, least: float, most: float, count: int, rng: np.random.Generator
) -> Floats:
    """Normal numbers between two limits, by the inverse of the distribution."""
    from scipy.special import ndtr, ndtri

    below, above = ndtr((least - mean) / spread), ndtr((most - mean) / spread)
    return np.asarray(mean + spread * ndtri(rng.uniform(below, above, count)))
