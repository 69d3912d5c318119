"""The description of a simulated site, with numbers for names."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating[Any]]
Numbers = NDArray[np.int64]
Truths = NDArray[np.bool_]

QUARTER = 365.25 / 4  # days
YEAR = 4  # quarters


@dataclass(frozen=True)
class Hazards:
    """How often each of K things happens, by age, sex and the C conditions: logarithms.

    level [K] is the hazard a year of a man of 50 without conditions; decade [K] is added for each
    ten years, female [K] for women, causes [C, K] for a condition that is there, recent [C, K] in
    its first year.
    """

    level: Floats
    decade: Floats
    female: Floats
    causes: Floats
    recent: Floats

    def yearly(self, age: Floats, female: Truths, present: Truths, fresh: Truths) -> Floats:
        """Hazards a year [n, K] of ages [n] in years, sexes [n], conditions [n, C] that are there
        and that began within a year."""
        told = self.recent.any(axis=1)
        what = np.column_stack(
            [np.ones(len(age)), (age - 50) / 10, female, present, fresh[:, told]]
        )
        by = np.vstack([self.level, self.decade, self.female, self.causes, self.recent[told]])
        log: Floats = what.astype(np.float32) @ by.astype(np.float32)
        return np.exp(log, out=log)


@dataclass(frozen=True)
class Wording:
    """The codes (numbers) that something is written with, and their shares of patients."""

    codes: Numbers
    shares: Floats

    def of_patients(self, count: int, rng: np.random.Generator) -> Numbers:
        """The code of each patient."""
        if len(self.codes) == 1:
            return np.full(count, self.codes[0])
        return self.codes[rng.choice(len(self.codes), count, p=self.shares)]


@dataclass(frozen=True)
class Drug:
    """share: of the sick who take it, or chance that an acute visit prescribes it."""

    share: float
    wording: Wording


@dataclass(frozen=True)
class Condition:
    """See resources/histories/chronic.yaml; visit is the code of the visit that diagnoses it."""

    name: str
    unnoticed: float
    visit: int
    visits: float
    coded: float
    wording: Wording
    drugs: tuple[Drug, ...]


@dataclass(frozen=True)
class Acute:
    """What comes and goes, at a visit of its own (`visit`, a code)."""

    wording: Wording
    visit: int
    drugs: tuple[Drug, ...]


@dataclass(frozen=True)
class Lab:
    """chances [C + 1]: of a flagged result with each condition, and last without any."""

    normal: Wording
    flagged: Wording
    measured: float
    chances: Floats


@dataclass(frozen=True)
class People:
    """Ages at enrolment (normal, cut off) in years, and the share of women."""

    mean: float
    spread: float
    least: float
    most: float
    female: float


@dataclass(frozen=True)
class World:
    """A site. codes, texts: all codes that it may write, and what they mean; from_20 [C]: the share
    of people who have a condition at 20; hazards: of the conditions and, last, of death [C + 1];
    taken_down: chance that a visit records a drug that the patient takes."""

    codes: tuple[str, ...]
    texts: tuple[str, ...]
    people: People
    conditions: tuple[Condition, ...]
    from_20: Floats
    hazards: Hazards
    acute: tuple[Acute, ...]
    acute_hazards: Hazards
    labs: tuple[Lab, ...]
    noise: tuple[Wording, ...]
    noise_weights: Floats
    noise_a_visit: float
    usual_visits: float
    habits: float
    taken_down: float
    check: int
    leaving: float

    def number(self, code: str) -> int:
        return self.codes.index(code)
