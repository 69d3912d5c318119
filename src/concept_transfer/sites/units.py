"""Whether the numbers of a concept have one unit at all sites."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import Any

from concept_transfer.errors import StudyError


@dataclass(frozen=True)
class Units:
    """Units in which a site records a concept's numbers as the bins have them: those `declared` to
    be so, or else the only one that was recorded."""

    declared: bool
    names: list[str]


def check_units_of_sites(
    reports: Mapping[str, Mapping[str, Any]], of_bins: Mapping[str, str]
) -> None:
    """Raise StudyError where a unit that nobody declares is another than elsewhere.

    reports: site -> its ``report.json``; of_bins: concept -> the unit that its bins say.
    """
    places: dict[str, dict[str, Units]] = {}
    for site, report in reports.items():
        for concept, units in report.get("units", {}).items():
            places.setdefault(concept, {})[f"site {site}"] = Units(**units)
    for concept, found in places.items():
        if unit := of_bins.get(concept):
            found["the config, under 'bins'"] = Units(True, [unit])
        for (one, units), (other, others) in combinations(found.items(), 2):
            if (units.declared and others.declared) or set(units.names) & set(others.names):
                continue
            where = other if units.declared else one
            raise StudyError(
                f"the numbers of concept {concept} are in '{', '.join(units.names)}' ({one}) and "
                f"in '{', '.join(others.names)}' ({other}). Say under 'units' of {where} what "
                "makes its numbers those of the bins, 1 where both names mean one unit. No unit "
                "is ever guessed"
            )
