"""Who may be learned from before any label: nobody who tests, at one site or between several."""

from __future__ import annotations

import datetime

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from concept_transfer.cohorts.encounters import Encounters, encounter_table
from concept_transfer.cohorts.splits import split_table
from concept_transfer.cohorts.splitting import make_split, make_splits
from concept_transfer.cohorts.untested import never_test
from concept_transfer.errors import StudyError
from concept_transfer.settings.splits import SplitSettings

START = datetime.date(2020, 1, 1)


@st.composite
def groups(draw: st.DrawFn) -> dict[str, Encounters]:
    """Two sites of a hospital group that share some of their patients."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    sites = {}
    for name in ("north", "south"):
        patients = [f"p{number}" for number in rng.integers(0, 40, 80)]
        table = encounter_table(
            encounter=[f"{name}{i}" for i in range(80)],
            patient=patients,
            cluster=patients,
            time=[START + datetime.timedelta(days=int(day)) for day in rng.integers(0, 365, 80)],
            label=(rng.random(80) < 0.5).astype(np.int8),
        )
        sites[name] = Encounters(table)
    return sites


configs = st.one_of(
    st.builds(SplitSettings, by=st.just("share"), test_share=st.sampled_from([0.2, 0.5])),
    st.builds(
        SplitSettings, by=st.just("time"), test_from=st.just(START + datetime.timedelta(250))
    ),
)


@settings(max_examples=40, deadline=None)
@given(groups(), configs, st.booleans())
def test_nobody_who_tests_is_learned_from(
    sites: dict[str, Encounters], config: SplitSettings, shared: bool
) -> None:
    try:
        if shared:
            splits = make_splits(sites, config, 1)
        else:
            splits = {name: make_split(site, config, 1, name) for name, site in sites.items()}
    except StudyError:
        assume(False)
    cohorts = {name: (site, splits[name]) for name, site in sites.items()}
    patients = np.array([f"p{number}" for number in range(50)], dtype=object)
    for name in sites:
        allowed = never_test(patients, name, cohorts, shared)
        for patient, may in zip(patients, allowed, strict=True):
            tests = any(
                other == patient and fold >= 0
                for site in (sites if shared else [name])
                for other, fold in zip(
                    sites[site].table["patient"].to_pylist(), splits[site].fold, strict=True
                )
            )
            assert may == (not tests)
        assert allowed[40:].all()  # of whom there is no encounter
        assert not allowed.all()


def test_encounters_of_nobody_known_are_refused() -> None:
    table = encounter_table(encounter=["a", "b"], cluster=["a", "b"], label=[0, 1])
    site = Encounters(table)
    fold, validation = np.zeros(2, np.int16), np.zeros(2, bool)
    for names, said in (("ab", "2 encounter.* have no patient"), ("ba", "is not that of its 2")):
        split = split_table(list(names), list(names), site.labels, fold, validation)
        with pytest.raises(StudyError, match=said):
            never_test(np.array(["a"], object), "north", {"north": (site, split)}, False)
