"""What is written down at visits: diagnoses, drugs, results, and what nothing causes."""

from __future__ import annotations

import numpy as np

from concept_transfer.simulation.lives import Lives
from concept_transfer.simulation.visits import Visits
from concept_transfer.simulation.world import Lab, Numbers, World
from concept_transfer.sites.tokens import distinct


def records_of(
    world: World, lives: Lives, visits: Visits, rng: np.random.Generator
) -> tuple[Numbers, Numbers]:
    """Visit (a row of `visits`) and code of each record, each pair once, in no order.

    A patient's condition or drug has the same code at all visits. At the enrolment all conditions
    known are written down, later each at its diagnosis and else by chance.
    """
    found = [(np.arange(len(visits)), visits.kind)]
    found += _conditions(world, lives, visits, rng)
    found += _acute(world, lives, visits, rng)
    found += [part for lab in world.labs for part in _lab(lab, lives, visits, rng)]
    found += _noise(world, lives, visits, rng)
    visit, code = (np.concatenate(column) for column in zip(*found, strict=True))
    return np.divmod(distinct(visit * len(world.codes) + code), len(world.codes))


def _conditions(
    world: World, lives: Lives, visits: Visits, rng: np.random.Generator
) -> list[tuple[Numbers, Numbers]]:
    found = []
    for number, condition in enumerate(world.conditions):
        known = np.flatnonzero(lives.noticed[visits.patient, number] <= visits.time)
        always = (visits.time[known] == 0) | (visits.condition[known] == number)
        told = known[always | (rng.random(len(known)) < condition.coded)]
        code = condition.wording.of_patients(len(lives), rng)
        found.append((told, code[visits.patient[told]]))
        for drug in condition.drugs:
            takes = rng.random(len(lives)) < drug.share
            noted = known[takes[visits.patient[known]]]
            noted = noted[rng.random(len(noted)) < world.taken_down]
            code = drug.wording.of_patients(len(lives), rng)
            found.append((noted, code[visits.patient[noted]]))
    return found


def _acute(
    world: World, lives: Lives, visits: Visits, rng: np.random.Generator
) -> list[tuple[Numbers, Numbers]]:
    found = []
    for number, acute in enumerate(world.acute):
        visit = np.flatnonzero(visits.acute == number)
        code = acute.wording.of_patients(len(lives), rng)
        found.append((visit, code[visits.patient[visit]]))
        for drug in acute.drugs:
            given = visit[rng.random(len(visit)) < drug.share]
            code = drug.wording.of_patients(len(lives), rng)
            found.append((given, code[visits.patient[given]]))
    return found


def _lab(
    lab: Lab, lives: Lives, visits: Visits, rng: np.random.Generator
) -> list[tuple[Numbers, Numbers]]:
    """The result depends on what the patient has, noticed or not."""
    visit = np.flatnonzero(rng.random(len(visits)) < lab.measured)
    patient = visits.patient[visit]
    present = lives.onset[patient] < visits.time[visit, None]
    chance = np.maximum((present * lab.chances[:-1]).max(axis=1), lab.chances[-1])
    flagged = rng.random(len(visit)) < chance
    style = rng.integers(2**32)
    normal, abnormal = (
        wording.of_patients(len(lives), np.random.default_rng(style))
        for wording in (lab.normal, lab.flagged)
    )
    return [(visit, np.where(flagged, abnormal[patient], normal[patient]))]


def _noise(
    world: World, lives: Lives, visits: Visits, rng: np.random.Generator
) -> list[tuple[Numbers, Numbers]]:
    visit = np.repeat(np.arange(len(visits)), rng.poisson(world.noise_a_visit, len(visits)))
    kind = rng.choice(len(world.noise), len(visit), p=world.noise_weights)
    written = np.array([each.of_patients(len(lives), rng) for each in world.noise])
    return [(visit, written[kind, visits.patient[visit]])]
