"""Simulated sites as YAML: the diseases that sites share, and a site. See resources/histories."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, model_validator

from concept_transfer.errors import StudyError
from concept_transfer.events.meds.codes import nearest
from concept_transfer.simulation.world import Floats
from concept_transfer.yaml_files import read_model

Chance = Annotated[float, Field(ge=0, le=1)]
Ratio = Annotated[float, Field(gt=0)]
Amount = Annotated[float, Field(ge=0)]
Shares = Annotated[dict[str, Chance], Field(min_length=1)]
_TOLERANCE = 1e-6


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class HazardFile(_File):
    yearly: Ratio
    decade: Ratio = 1
    female: Ratio = 1
    causes: dict[str, Ratio] = {}
    recent: dict[str, Ratio] = {}


class DrugFile(_File):
    share: Chance
    one_of: Shares


class ConditionFile(HazardFile):
    from_20: Chance = 0
    unnoticed: Amount = 0
    visit: str = "VISIT//OUTPATIENT"
    visits: Amount = 0
    coded: Chance
    codes: Shares
    drugs: list[DrugFile] = []


class AcuteFile(HazardFile):
    code: str
    only_with: str | None = None
    visit: str = "VISIT//OUTPATIENT"
    drugs: dict[str, Chance] = {}


class LabFile(_File):
    code: str
    flag: str
    measured: Chance
    flagged: dict[str, Chance]


class DiseasesFile(_File):
    check: str
    leaving: Ratio
    conditions: dict[str, ConditionFile] = Field(min_length=1)
    death: HazardFile
    acute: list[AcuteFile] = Field(min_length=1)
    labs: list[LabFile]
    noise: dict[str, Ratio] = Field(min_length=1)
    texts: dict[str, str]


class AgesFile(_File):
    mean: float
    spread: Ratio
    least: float = Field(ge=20)
    most: float

    @model_validator(mode="after")
    def _in_order(self) -> AgesFile:
        if not self.least < self.most:
            raise ValueError(f"least ({self.least:g}) must be below most ({self.most:g})")
        return self


class VisitsFile(_File):
    usual: Ratio
    habits: Amount
    sick: Amount


class RecordedFile(_File):
    conditions: Amount
    labs: Amount
    drugs: Chance
    noise: Amount


class SiteFile(_File):
    base: str
    ages: AgesFile
    female: Chance
    hazards: dict[str, Ratio] = {}
    visits: VisitsFile
    recorded: RecordedFile
    wording: dict[str, Shares] = {}


def read_files(path: Path) -> tuple[SiteFile, DiseasesFile, Path]:
    """A site's file, and the diseases that it names (a path relative to it; the third), checked.

    Raises StudyError that names the file, the key and what is accepted.
    """
    site = read_model(path, SiteFile, "simulated site", "resources/histories")
    below = path.parent / site.base
    base = read_model(below, DiseasesFile, "simulated site", "resources/histories")
    _check_base(base, f"simulated site {below}")
    at = f"simulated site {path}"
    _known(site.hazards, base.conditions, f"{at}: hazards")
    _known(site.wording, base.texts, f"{at}: wording")
    for code, shares in site.wording.items():
        _codes(shares, base, f"{at}: wording.{code}")
    return site, base, below


def _check_base(base: DiseasesFile, at: str) -> None:
    hazards: dict[str, HazardFile] = {
        **{f"conditions.{name}": each for name, each in base.conditions.items()},
        **{f"acute.{each.code}": each for each in base.acute},
        "death": base.death,
    }
    for key, each in hazards.items():
        _known(each.causes, base.conditions, f"{at}: {key}.causes")
        _known(each.recent, base.conditions, f"{at}: {key}.recent")
    for name, condition in base.conditions.items():
        _codes(condition.codes, base, f"{at}: conditions.{name}.codes")
        for drug in condition.drugs:
            _codes(drug.one_of, base, f"{at}: conditions.{name}.drugs")
    for acute in base.acute:
        key = f"{at}: acute.{acute.code}"
        if acute.only_with is not None:
            _known([acute.only_with], base.conditions, f"{key}.only_with")
        _known([acute.code, acute.visit, *acute.drugs], base.texts, key)
    for lab in base.labs:
        _known([lab.code], base.texts, f"{at}: labs")
        _known(lab.flagged.keys() - {"usual"}, base.conditions, f"{at}: labs.{lab.code}.flagged")
    visits = [base.check, *(condition.visit for condition in base.conditions.values())]
    _known([*base.noise, *visits, "VISIT//OUTPATIENT"], base.texts, f"{at}: texts")


def _codes(shares: Mapping[str, float], base: DiseasesFile, at: str) -> None:
    _known(shares, base.texts, at)
    if abs(sum(shares.values()) - 1) > _TOLERANCE:
        raise StudyError(f"{at} sums to {sum(shares.values()):g}; the shares must sum to 1")


def _known(names: Iterable[str], accepted: Iterable[str], at: str) -> None:
    known = list(accepted)
    unknown = sorted(set(names) - set(known))
    if unknown:
        close = nearest(unknown[0], known)
        raise StudyError(f"{at} names '{unknown[0]}', which is unknown{close}")


def logs(values: Mapping[str, float], names: Iterable[str]) -> Floats:
    """Logarithms in the order of the names, 0 for those without a value."""
    return np.log([values.get(name, 1.0) for name in names])
