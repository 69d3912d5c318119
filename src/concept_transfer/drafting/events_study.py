"""The config of a first study of coded events, with what its author is to fill in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from concept_transfer.drafting.events import EventDraft, Number
from concept_transfer.drafting.study import OTHER, TEMPLATE, names_of, yaml_of
from concept_transfer.settings.filling import TO_FILL

HEAD = "  {name}:{anchor}\n    adapter: {adapter}\n    path: {path}\n"
AGE = "  age: {edges: [18, 45, 65], unit: years, category: age}\n"


def events_study_text(
    name: str,
    label: str,
    adapter: str,
    paths: Sequence[Path],
    drafts: Sequence[EventDraft],
    numbers: Mapping[str, Number],
    vocabulary: Path,
) -> str:
    """The config as text; the first site's section serves the others too."""
    first, *others = names_of([path.resolve() for path in paths])
    age = all(draft.age for draft in drafts)
    head = HEAD.format(name=first, anchor=" &site", adapter=adapter, path=yaml_of(str(paths[0])))
    sites = head + "    age: age  # years at the index, by the bins above\n" * age + drafts[0].site
    sites += _units(numbers)
    for other, path in zip(others, paths[1:], strict=True):
        sites += OTHER.format(name=other, path=yaml_of(str(path)), comment="")
    if not others:
        comment = "  # your other site's data"
        sites += OTHER.format(name="other", path=TO_FILL, comment=comment)
    return TEMPLATE.format(
        study=name,
        vocabulary=yaml_of(str(vocabulary)),
        task=yaml_of({"label": label}),
        bins=_bins(numbers, age),
        sites=sites.rstrip("\n"),
    )


def _bins(numbers: Mapping[str, Number], age: bool) -> str:
    lines = [_line(code, number) for code, number in numbers.items()]
    if not lines and not age:
        return ""
    note = "  # edges are near quartiles; better are those that mean something" * bool(lines)
    return f"bins:{note}\n" + "".join(lines) + AGE * age


def _line(code: str, number: Number) -> str:
    edges = ", ".join(np.format_float_positional(edge, trim="-") for edge in number.edges)
    unit = number.unit or (number.units[0] if len(number.units) == 1 else "")
    several = f"  # units: {', '.join(number.units)}" if len(number.units) > 1 else ""
    named = f"name: {yaml_of(number.name)}, unit: {yaml_of(unit)}"
    return f"  {yaml_of(code)}: {{edges: [{edges}], {named}}}{several}\n"


def _units(numbers: Mapping[str, Number]) -> str:
    """Which recorded units are those of the bins, which name them in words."""
    factors = {
        code: f"{{{yaml_of(number.units[0])}: 1}}"
        for code, number in numbers.items()
        if number.unit
    }
    listed = ", ".join(f"{yaml_of(code)}: {each}" for code, each in factors.items())
    return f"    units: {{{listed}}}  # 1: that of the bins\n" if listed else ""
