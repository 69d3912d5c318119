"""What happened to a site's rows on the way in, for `report.json`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from concept_transfer.cohorts.encounters import Encounters
from concept_transfer.sites.units import Units

if TYPE_CHECKING:
    import pyarrow as pa


def ingest_report(
    encounters: Encounters,
    rows_read: int,
    dropped: Mapping[str, int],
    unmapped: Mapping[str, int],
    not_recorded: Mapping[str, int],
    mapping: Mapping[str, Any] | None = None,
    set_aside: pa.Table | None = None,
    units: Mapping[str, Units] | None = None,
) -> dict[str, Any]:
    """Counts of rows and findings.

    `positives` are encounters of any class but the first. `dropped`: reason -> rows; `unmapped`:
    site code that no concept takes and nobody set aside -> encounters at which it is recorded;
    `not_recorded`: concept -> encounters without a recorded state (all of them where the site has
    no such field); `mapping`: what concepts take of a site's codes (`CodeUse.mapping`);
    `set_aside`: rows that could not be used, of which `quarantined` counts reason -> rows;
    `units`: concept -> the units of its numbers.
    """
    positives = int((encounters.labels > 0).sum())
    return {
        "rows_read": rows_read,
        "dropped": {reason: int(count) for reason, count in dropped.items() if count},
        **({} if set_aside is None else {"quarantined": _reasons(set_aside)}),
        "encounters": len(encounters),
        "positives": positives,
        "prevalence": positives / len(encounters) if len(encounters) else None,
        "unmapped": {code: int(count) for code, count in unmapped.items()},
        "not_recorded": {concept: int(count) for concept, count in not_recorded.items() if count},
        **({"mapping": dict(mapping)} if mapping else {}),
        **({"units": {concept: asdict(each) for concept, each in units.items()}} if units else {}),
    }


def _reasons(set_aside: pa.Table) -> dict[str, int]:
    counted = set_aside["reason"].value_counts()
    return {entry["values"]: entry["counts"] for entry in counted.to_pylist()}
