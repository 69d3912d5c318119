"""Networks of simulated counties as YAML: a base of illnesses shared by counties, and a county.

The base says how likely each sign is; the county says who comes, how often a sign is written
down, and in which words. See resources/networks.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag

from concept_transfer.errors import StudyError, choices
from concept_transfer.sites.networks import Finding, Network
from concept_transfer.yaml_files import read_model

Array = NDArray[np.float64]
Probability = Annotated[float, Field(ge=0, le=1)]
Shares = dict[str, Probability]
ByDisease = list[Probability]
Table = Annotated[
    Annotated[ByDisease, Tag("all ages")] | Annotated[dict[str, ByDisease], Tag("by age")],
    Discriminator(lambda table: "by age" if isinstance(table, dict) else "all ages"),
]
_TOLERANCE = 1e-6


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _Grouping(_File):
    concept: str
    states: list[str] = Field(min_length=1)


class _Base(_File):
    diseases: list[str] = Field(min_length=2)
    age: _Grouping
    season: _Grouping
    signs: dict[str, Table]
    graded: dict[str, dict[str, Table]] = {}
    comorbidity_odds: dict[str, Annotated[float, Field(gt=0)]] = {}


class _County(_File):
    base: str
    diseases: Shares
    ages: dict[str, Shares]
    seasons: dict[str, Shares]
    comorbidity: Shares
    visits: list[Probability] = Field(min_length=1)
    recorded: dict[str, Shares]
    wording: dict[str, Shares] = {}


def read_network(path: Path | str) -> Network:
    """Read and check a county file and the base it names (a path relative to the county's).

    Raises StudyError that names the file, the key and what is accepted.
    """
    path = Path(path)
    county = read_model(path, _County, "network", "resources/networks")
    base_path = path.parent / county.base
    base = read_model(base_path, _Base, "network", "resources/networks")
    at = f"network {path}"
    diseases, ages, seasons = base.diseases, base.age.states, base.season.states
    comorbid = _entries(county.comorbidity, ages, f"{at}: comorbidity")
    joint = np.einsum(
        "d,da,ac,ds->dacs",
        _shares(county.diseases, diseases, f"{at}: diseases"),
        _shares_by_disease(county.ages, diseases, ages, f"{at}: ages"),
        np.stack([1 - comorbid, comorbid], axis=1),
        _shares_by_disease(county.seasons, diseases, seasons, f"{at}: seasons"),
    )
    _sum_to_one(county.visits, f"{at}: visits")
    return Network(
        diseases=tuple(diseases),
        ages=tuple(ages),
        seasons=tuple(seasons),
        joint=joint,
        visits=tuple(county.visits),
        findings=(
            Finding(_tokens(base.age), np.eye(len(ages))[:, None, None]),
            Finding(_tokens(base.season), np.eye(len(seasons))),
            *_findings(base, county, f"network {base_path}", at),
        ),
    )


def _findings(base: _Base, county: _County, base_at: str, at: str) -> Iterator[Finding]:
    signs = [*base.graded, *base.signs]
    _known(base.comorbidity_odds, base.signs, f"{base_at}: comorbidity_odds")
    _known(county.recorded, ["usual", *signs], f"{at}: recorded")
    _known(county.wording, signs, f"{at}: wording")
    written_for = {base.age.concept: "age", base.season.concept: "season"}
    for sign in signs:
        states = _states(base, sign, base_at)
        habit = sign if sign in county.recorded or sign in base.graded else "usual"
        recorded = _entries(county.recorded.get(habit, {}), states, f"{at}: recorded.{habit}")
        wording = county.wording.get(sign, {sign: 1.0})
        _sum_to_one(wording.values(), f"{at}: wording.{sign}")
        for concept in wording:
            if concept in written_for:
                raise StudyError(
                    f"{at}: concept {concept} is written for {written_for[concept]} and for "
                    f"{sign}; a concept stands for one sign, so leave it to one of the two under "
                    "'wording'"
                )
            written_for[concept] = sign
        words = np.array(list(wording.values()))
        chances = np.stack(list(states.values()), axis=-1) * recorded
        yield Finding(
            tuple((concept, state) for concept in wording for state in states),
            np.reshape(words[:, None] * chances[..., None, :], (*chances.shape[:3], 1, -1)),
        )


def _states(base: _Base, sign: str, at: str) -> dict[str, Array]:
    """Probability [disease, age, comorbidity] of each state of a sign."""
    if sign in base.signs:
        alone = _table(base.signs[sign], base, f"{at}: signs.{sign}")
        odds = base.comorbidity_odds.get(sign, 1.0)
        present = np.stack([alone, odds * alone / (1 - alone + odds * alone)], axis=-1)
        return {"present": present, "absent": 1 - present}
    states = {
        state: _table(table, base, f"{at}: graded.{sign}.{state}")[..., None].repeat(2, axis=-1)
        for state, table in base.graded[sign].items()
    }
    total = np.sum(list(states.values()), axis=0)
    if not np.allclose(total, 1, atol=_TOLERANCE):
        worst = np.unravel_index(np.abs(total - 1).argmax(), total.shape)
        raise StudyError(
            f"{at}: the states of graded.{sign} sum to {total[worst]:g} for "
            f"{base.diseases[worst[0]]}, {base.age.states[worst[1]]}; they must sum to 1"
        )
    return states


def _table(table: Table, base: _Base, at: str) -> Array:
    """Probabilities [disease, age] from one row for all ages or a row for each."""
    ages = base.age.states
    if isinstance(table, dict):
        _same(table, ages, at)
    rows = [table[age] if isinstance(table, dict) else table for age in ages]
    for row in rows:
        if len(row) != len(base.diseases):
            raise StudyError(
                f"{at} has {len(row)} probabilities in a row; a row has one for each disease: "
                f"{', '.join(base.diseases)}"
            )
    return np.array(rows).T


def _tokens(grouping: _Grouping) -> tuple[tuple[str, str], ...]:
    return tuple((grouping.concept, state) for state in grouping.states)


def _entries(values: Mapping[str, float], names: Iterable[str], at: str) -> Array:
    """The values in the order of the names, each of which must be there."""
    _same(values, names, at)
    return np.array([values[name] for name in names])


def _shares(values: Mapping[str, float], names: Sequence[str], at: str) -> Array:
    shares = _entries(values, names, at)
    _sum_to_one(shares, at)
    return shares


def _shares_by_disease(
    values: Mapping[str, Shares], diseases: Sequence[str], names: Sequence[str], at: str
) -> Array:
    _same(values, diseases, at)
    return np.array([_shares(values[disease], names, f"{at}.{disease}") for disease in diseases])


def _same(values: Iterable[str], names: Iterable[str], at: str) -> None:
    _known(values, names, at)
    missing = [name for name in names if name not in set(values)]
    if missing:
        raise StudyError(f"{at} lacks {choices(missing)}; it needs {choices(names)}")


def _known(values: Iterable[str], names: Iterable[str], at: str) -> None:
    unknown = sorted(set(values) - set(names))
    if unknown:
        raise StudyError(f"{at} has the unknown entry '{unknown[0]}'; known are {choices(names)}")


def _sum_to_one(values: Iterable[float], at: str) -> None:
    total = sum(values)
    if abs(total - 1) > _TOLERANCE:
        raise StudyError(f"{at} sums to {total:g}; the shares must sum to 1")
