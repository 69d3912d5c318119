"""Groups of encounters whose results are shown apart: patients' age or sex, and the period."""

from __future__ import annotations

import numpy as np
import pyarrow.compute as pc
from numpy.typing import NDArray

from concept_transfer.concepts.vocabulary import Vocabulary
from concept_transfer.sites.extract import Extract

CATEGORIES = ("age", "sex")
NOT_RECORDED = "not recorded"


def subgroups_of(extract: Extract, vocabulary: Vocabulary) -> dict[str, NDArray[np.object_]]:
    """Variable -> the group of every encounter, str objects [n].

    Every concept of the category ``age`` or ``sex`` is a variable and its states are the groups;
    the period is the calendar year, where encounters have a date.
    """
    recorded = extract.inputs["findings"]
    owners = recorded.owners
    groups: dict[str, NDArray[np.object_]] = {}
    for concept in dict.fromkeys(vocabulary.concepts):
        tokens = [i for i, name in enumerate(vocabulary.concepts) if name == concept]
        if vocabulary.categories[tokens[0]] not in CATEGORIES:
            continue
        group = np.full(len(extract), NOT_RECORDED, dtype=object)
        held = np.isin(recorded.values, tokens)
        states = np.array(vocabulary.states, dtype=object)
        group[owners[held]] = states[recorded.values[held]]
        groups[vocabulary.names[tokens[0]]] = group
    years = pc.year(extract.encounters.table.column("time")).to_pylist()
    if any(year is not None for year in years):
        groups["period"] = np.array(
            [NOT_RECORDED if year is None else str(year) for year in years], dtype=object
        )
    return {name: group for name, group in groups.items() if len(set(group)) > 1}
