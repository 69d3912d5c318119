"""A world of the files that describe it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from concept_transfer.simulation.files import (
    DiseasesFile,
    DrugFile,
    HazardFile,
    LabFile,
    SiteFile,
    logs,
    read_files,
)
from concept_transfer.simulation.world import (
    Acute,
    Condition,
    Drug,
    Hazards,
    Lab,
    People,
    Wording,
    World,
)

ALWAYS = ("GENDER//", "VISIT//", "ENROLLMENT//")
NORMAL = "normal"  # a result that is not flagged
NEVER = 30.0  # of logarithms: what nobody gets who lacks its cause


def read_world(path: Path) -> World:
    """Read and check the file of a site and the diseases that it names (StudyError)."""
    site, base, _ = read_files(path)
    return _Builder(site, base).world()


class _Builder:
    """Turns names into numbers; codes are those that the site writes."""

    def __init__(self, site: SiteFile, base: DiseasesFile) -> None:
        self.site, self.base = site, base
        self.conditions = list(base.conditions)
        self.texts = self._texts()
        self.numbers = {code: number for number, code in enumerate(self.texts)}

    def _texts(self) -> dict[str, str]:
        """Code -> text, in the order of the base, results of laboratories last."""
        base = self.base
        drugs = [drug.one_of for each in base.conditions.values() for drug in each.drugs]
        shares = [*drugs, *(each.codes for each in base.conditions.values())]
        shares += [{each.code: 1.0, **each.drugs} for each in base.acute]
        coded = {code for each in (*shares, base.noise) for code in each}
        written = {own for code in coded for own in self.site.wording.get(code, {code: 1.0})}
        texts = {
            code: text
            for code, text in base.texts.items()
            if code in written or code.startswith(ALWAYS)
        }
        for lab in base.labs:
            for code in self.site.wording.get(lab.code, {lab.code: 1.0}):
                for state in (NORMAL, lab.flag):
                    texts[f"{code}//{state}"] = f"{base.texts[code]}, {state}"
        return texts

    def world(self) -> World:
        site, base = self.site, self.base
        conditions = base.conditions.values()
        weights = np.array(list(base.noise.values()))
        more = logs(site.hazards, self.conditions)
        return World(
            codes=tuple(self.texts),
            texts=tuple(self.texts.values()),
            people=People(**site.ages.model_dump(), female=site.female),
            conditions=tuple(map(self._condition, self.conditions)),
            from_20=np.array([each.from_20 for each in conditions]),
            hazards=self._hazards([*conditions, base.death], np.append(more, 0)),
            acute=tuple(
                Acute(
                    self._wording({each.code: 1}),
                    self.numbers[each.visit],
                    tuple(Drug(s, self._wording({code: 1})) for code, s in each.drugs.items()),
                )
                for each in base.acute
            ),
            acute_hazards=self._acute_hazards(),
            labs=tuple(map(self._lab, base.labs)),
            noise=tuple(self._wording({code: 1}) for code in base.noise),
            noise_weights=weights / weights.sum(),
            noise_a_visit=site.recorded.noise,
            usual_visits=site.visits.usual,
            habits=site.visits.habits,
            taken_down=site.recorded.drugs,
            check=self.numbers[base.check],
            leaving=base.leaving,
        )

    def _condition(self, name: str) -> Condition:
        given = self.base.conditions[name]
        return Condition(
            name,
            given.unnoticed,
            self.numbers[given.visit],
            given.visits * self.site.visits.sick,
            min(1.0, given.coded * self.site.recorded.conditions),
            self._wording(given.codes),
            tuple(map(self._drug, given.drugs)),
        )

    def _drug(self, given: DrugFile) -> Drug:
        return Drug(given.share, self._wording(given.one_of))

    def _lab(self, given: LabFile) -> Lab:
        usual = given.flagged.get("usual", 0.0)
        return Lab(
            self._wording({given.code: 1}, f"//{NORMAL}"),
            self._wording({given.code: 1}, f"//{given.flag}"),
            min(1.0, given.measured * self.site.recorded.labs),
            np.array([given.flagged.get(name, 0.0) for name in self.conditions] + [usual]),
        )

    def _wording(self, shares: Mapping[str, float], end: str = "") -> Wording:
        """What the site writes for codes of the base."""
        written: dict[str, float] = {}
        for code, share in shares.items():
            for own, part in self.site.wording.get(code, {code: 1.0}).items():
                written[own] = written.get(own, 0.0) + share * part
        codes = np.array([self.numbers[code + end] for code in written])
        return Wording(codes, np.array(list(written.values())) / sum(written.values()))

    def _acute_hazards(self) -> Hazards:
        hazards = self._hazards(self.base.acute)
        for number, each in enumerate(self.base.acute):
            if each.only_with is not None:
                hazards.level[number] -= NEVER
                hazards.causes[self.conditions.index(each.only_with), number] += NEVER
        return hazards

    def _hazards(self, given: Sequence[HazardFile], more: float | np.ndarray = 0.0) -> Hazards:
        return Hazards(
            np.log([each.yearly for each in given]) + more,
            np.log([each.decade for each in given]),
            np.log([each.female for each in given]),
            np.array([logs(each.causes, self.conditions) for each in given]).T.copy(),
            np.array([logs(each.recent, self.conditions) for each in given]).T.copy(),
        )
