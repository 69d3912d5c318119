"""Splits: no cluster on two sides, every row where it belongs, the same for any order of rows."""

import datetime
import runpy
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from sklearn.model_selection import StratifiedGroupKFold

from concept_transfer.cohorts.encounters import Encounters, encounter_table
from concept_transfer.cohorts.splits import (
    NEVER_TESTED,
    UNUSED,
    Split,
    check_target_sizes,
    draw_sizes,
    largest_target_size,
    split_table,
)
from concept_transfer.cohorts.splitting import make_split, make_splits
from concept_transfer.concepts.vocabulary import Vocabulary
from concept_transfer.errors import StudyError
from concept_transfer.inputs.rows import CompressedRows
from concept_transfer.settings.splits import SplitSettings
from concept_transfer.settings.task import Task
from concept_transfer.sites.extract import Extract
from concept_transfer.sites.profile import site_profile

START = datetime.date(2020, 1, 1)


def encounters(
    cluster: Any, label: Any, time: Any = None, partition: Any = None, encounter: Any = None
) -> Encounters:
    count = len(label)
    ids = np.arange(count) if encounter is None else encounter
    table = encounter_table(
        encounter=[f"e{i}" for i in ids],
        cluster=[f"c{i}" for i in cluster],
        label=np.asarray(label, dtype=np.int8),
        time=time,
        partition=partition,
    )
    return Encounters(table)


@st.composite
def sites(draw: st.DrawFn) -> Encounters:
    """Sites of 12 to 60 clusters of 1 to 20 encounters, each class in at least 6 clusters."""
    sizes = draw(st.lists(st.integers(1, 20), min_size=12, max_size=60))
    cluster = np.repeat(np.arange(len(sizes)), sizes)
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    label = rng.random(len(cluster)) < rng.choice([0.05, 0.3, 0.8])
    first = np.searchsorted(cluster, np.arange(12))
    label[first] = np.arange(12) % 2 == 0
    order = rng.permutation(len(cluster))
    days = [START + datetime.timedelta(days=int(d)) for d in rng.integers(0, 365, len(cluster))]
    return encounters(cluster[order], label[order], time=days)


configs = st.one_of(
    st.builds(SplitSettings, by=st.just("folds"), folds=st.integers(2, 6)),
    st.builds(SplitSettings, by=st.just("share"), test_share=st.sampled_from([0.2, 0.3, 0.5])),
)


@settings(max_examples=60, deadline=None)
@given(sites(), configs, st.integers(0, 5))
def test_clusters_are_whole_and_every_row_has_its_place(
    site: Encounters, config: SplitSettings, seed: int
) -> None:
    split = make_split(site, config, seed)
    assert split.encounter.tolist() == site.table.column("encounter").to_pylist()
    assert np.array_equal(split.label, site.labels)
    for fold in split.folds:
        parts = split.parts(fold)
        assert np.array_equal(np.sort(np.concatenate(parts)), np.arange(len(split)))
        clusters = [set(split.cluster[rows]) for rows in parts]
        assert sum(map(len, clusters)) == len(set().union(*clusters))
    if config.by == "folds":
        assert split.folds == list(range(config.folds))
        assert (split.fold >= 0).all()
        assert sum(map(len, split.source_parts())) == len(split)
    else:
        assert split.folds == [0]
        for offered, part in zip(split.source_parts(), split.parts(0)[:2], strict=True):
            assert np.array_equal(offered, part)


@settings(max_examples=30, deadline=None)
@given(sites(), configs, st.integers(0, 2**32 - 1))
def test_the_order_of_encounters_does_not_matter(
    site: Encounters, config: SplitSettings, seed: int
) -> None:
    order = np.random.default_rng(seed).permutation(len(site))
    shuffled = Encounters(site.table.take(order))
    first, second = make_split(site, config, seed), make_split(shuffled, config, seed)
    assert first.table.take(order).equals(second.table)


@settings(max_examples=30, deadline=None)
@given(sites(), sites(), st.sampled_from(["share", "time"]), st.integers(0, 5))
def test_nobody_tests_at_one_site_and_trains_at_another_that_shares_identifiers(
    north: Encounters, south: Encounters, by: str, seed: int
) -> None:
    """Clusters c0, c1, ... are the same people at both."""
    options = {"test_from": START + datetime.timedelta(days=300)} if by == "time" else {}
    config = SplitSettings(by=by, shared_identifiers=True, **options)
    try:
        splits = make_splits({"north": north, "south": south}, config, seed)
    except StudyError:  # a small site that the people of the other leave without a class
        assume(False)
    tested, trained = set[str](), set[str]()
    for name, site in (("north", north), ("south", south)):
        split = splits[name]
        assert split.encounter.tolist() == site.table.column("encounter").to_pylist()
        tested |= set(split.cluster[split.parts(0)[2]])
        trained |= set(split.cluster[np.concatenate(split.parts(0)[:2])])
        trained |= set(split.cluster[np.concatenate(split.source_parts())])
    assert tested
    assert not tested & trained


def test_sites_that_share_identifiers_meet_their_shares_each() -> None:
    rng = np.random.default_rng(0)
    north = encounters(np.arange(400), rng.random(400) < 0.3)
    south = encounters(np.arange(300, 500), rng.random(200) < 0.3)
    config = SplitSettings(by="share", test_share=0.3, shared_identifiers=True)
    for split in make_splits({"north": north, "south": south}, config, 0).values():
        assert abs((split.fold == 0).mean() - 0.3) < 0.03
    with pytest.raises(ValueError, match="shared_identifiers cannot be kept under 'folds'"):
        SplitSettings(by="folds", shared_identifiers=True)


def test_another_seed_gives_another_split() -> None:
    rng = np.random.default_rng(0)
    site = encounters(rng.integers(0, 300, 2000), rng.random(2000) < 0.2)
    config = SplitSettings(by="folds")
    first = make_split(site, config, 1)
    assert first.table.equals(make_split(site, config, 1).table)
    assert not first.table.equals(make_split(site, config, 2).table)


def hospital_site(seed: int) -> Encounters:
    """Sixty clusters of very different size, 5 % positive."""
    rng = np.random.default_rng(seed)
    sizes = rng.multinomial(3000, rng.dirichlet(np.full(60, 2.0)))
    cluster = np.repeat(np.arange(60), sizes)
    return encounters(cluster, rng.random(3000) < 0.05)


@pytest.mark.parametrize("seed", range(4))
def test_folds_are_balanced_at_least_like_scikit_learn(seed: int) -> None:
    site = hospital_site(seed)
    split = make_split(site, SplitSettings(by="folds"), seed)
    groups = split.cluster.astype(str)
    reference = StratifiedGroupKFold(5, shuffle=True, random_state=seed)
    theirs = [rows for _, rows in reference.split(split.label, split.label, groups)]
    ours = [split.parts(fold)[2] for fold in split.folds]
    for quantity in (np.ones(len(split)), split.label):
        ours_spread = np.ptp([quantity[rows].sum() for rows in ours])
        theirs_spread = np.ptp([quantity[rows].sum() for rows in theirs])
        assert ours_spread <= theirs_spread + 2
    for fold in split.folds:
        train, validation, _ = split.parts(fold)
        assert 0.13 < len(validation) / (len(train) + len(validation)) < 0.27
        positives = split.label[validation].sum() / split.label[[*train, *validation]].sum()
        assert 0.1 < positives < 0.32


def test_shares_are_met_where_clusters_are_small() -> None:
    rng = np.random.default_rng(0)
    site = encounters(np.arange(5000), rng.random(5000) < 0.1)
    config = SplitSettings(by="share", test_share=0.3, validation_share=0.25)
    train, validation, test = make_split(site, config, 0).parts(0)
    assert [len(test), len(validation), len(train)] == pytest.approx([1500, 875, 2625], abs=5)
    positives = [site.labels[rows].mean() for rows in (train, validation, test)]
    assert positives == pytest.approx([site.labels.mean()] * 3, abs=0.002)


@settings(max_examples=30, deadline=None)
@given(sites(), st.integers(0, 5))
def test_time_tests_the_later_period_and_keeps_clusters_apart(site: Encounters, seed: int) -> None:
    day = START + datetime.timedelta(days=300)
    try:
        split = make_split(site, SplitSettings(by="time", test_from=day), seed)
    except StudyError:  # too little is left on one side
        assume(False)
    late = np.array([time >= day for time in site.table.column("time").to_pylist()])
    train, validation, test = split.parts(0)
    assert np.array_equal(np.flatnonzero(late), test)
    tested = np.isin(split.cluster, split.cluster[test])
    assert np.array_equal(split.fold == UNUSED, tested & ~late)
    assert not tested[train].any()
    assert not tested[validation].any()
    unused = np.flatnonzero(split.fold == UNUSED)
    rows = np.concatenate([train, validation, test, unused])
    assert np.array_equal(np.sort(rows), np.arange(len(split)))
    assert not set(unused) & set(np.concatenate(split.source_parts()))


def test_given_partitions_are_kept() -> None:
    sides = ["train", "validation", "test", "train", "train", "test"]
    site = encounters(range(6), [0, 1, 0, 1, 0, 1], partition=sides)
    parts = make_split(site, SplitSettings(by="given"), 0).parts(0)
    assert [rows.tolist() for rows in parts] == [[0, 3, 4], [1], [2, 5]]


def test_given_without_validation_or_test() -> None:
    site = encounters(range(100), [0, 1] * 50, partition=["train"] * 100)
    split = make_split(site, SplitSettings(by="given"), 0)
    assert split.folds == []
    assert (split.fold == NEVER_TESTED).all()
    assert [len(rows) for rows in split.source_parts()] == [80, 20]
    with pytest.raises(StudyError, match="site north has no test encounters"):
        check_target_sizes("north", split, ["all"])


BAD: list[tuple[dict[str, Any], dict[str, Any], str]] = [
    (
        {"cluster": range(6), "partition": ["train"] * 4 + ["test", None]},
        {"by": "given"},
        "north: .*1 encounter.*no partition.*encounter 6",
    ),
    (
        {"cluster": [0, 1, 2, 3, 4, 0], "partition": ["train"] * 4 + ["test"] * 2},
        {"by": "given"},
        r"north: 1 cluster\(s\) are given for both test and train .*encounters 1, 6",
    ),
    (
        {"cluster": range(6), "time": [START] * 5 + [None]},
        {"by": "time", "test_from": START},
        "north: .*1 encounter.*no time",
    ),
    (
        {"cluster": range(6), "time": [START] * 6},
        {"by": "time", "test_from": START + datetime.timedelta(days=1)},
        "north: split by 'time' leaves 0 test encounter",
    ),
    ({"cluster": [0, 0, 1, 1, 2, 2]}, {"by": "folds"}, r"north has 3 cluster\(s\).*folds: 5"),
    ({"cluster": [0] * 6}, {"by": "share"}, "north: split by 'share' leaves 0 test"),
]


@pytest.mark.parametrize(("columns", "config", "said"), BAD)
def test_what_cannot_be_split_says_why(
    columns: dict[str, Any], config: dict[str, Any], said: str
) -> None:
    site = encounters(label=[0, 1, 0, 1, 0, 1], **columns)
    with pytest.raises(StudyError, match=said):
        make_split(site, SplitSettings.model_validate(config), 0, site="north")


def test_the_job_that_splits_names_its_site(tmp_path: Path, repository: Path) -> None:
    vocabulary = Vocabulary(("C1",), ("cough",), ("finding",), ("present",), ("cough",))
    nothing = CompressedRows(np.zeros(7, np.int64), np.zeros(0, np.int32))
    extract = Extract(encounters([0] * 6, [0, 1] * 3), {"findings": nothing}, {})
    extract.write(tmp_path / "encounters/north", vocabulary)
    job = SimpleNamespace(
        input=[str(tmp_path / "encounters/north/encounters.parquet")],
        output=[str(tmp_path / "splits/north.parquet")],
        params=SimpleNamespace(split='{"by": "share"}', seed=1),
        log=[str(tmp_path / "log")],
    )
    script = repository / "workflow/scripts/split_site.py"
    with pytest.raises(SystemExit):
        runpy.run_path(str(script), init_globals={"snakemake": job})
    said = (tmp_path / "log").read_text()
    assert said.startswith("Error: sites.north: split by 'share' leaves 0 test encounter(s)")


def test_a_split_survives_the_disk(tmp_path: Path) -> None:
    split = make_split(hospital_site(0), SplitSettings(by="folds"), 0)
    split.write(tmp_path / "splits" / "north.parquet")
    again = Split.read(tmp_path / "splits" / "north.parquet")
    assert again.table.equals(split.table)
    assert (again.fold.dtype, again.validation.dtype, again.label.dtype) == (
        np.dtype(np.int16),
        np.dtype(bool),
        np.dtype(np.int8),
    )
    with pytest.raises(StudyError, match=r"other\.parquet is no readable split"):
        Split.read(tmp_path / "other.parquet")


@given(st.integers(1, 300), st.integers(1, 300), st.integers(1, 50))
def test_the_largest_target_size_is_the_largest(train: int, validation: int, test: int) -> None:
    count = train + validation + test
    fold = np.repeat([NEVER_TESTED, 0], [train + validation, test]).astype(np.int16)
    validates = np.arange(count) < validation
    ids = [str(i) for i in range(count)]
    split = split_table(ids, ids, np.zeros(count, np.int8), fold, validates)
    fitting = [
        size
        for size in range(count + 1)
        if draw_sizes(size)[0] <= train and draw_sizes(size)[1] <= validation
    ]
    assert largest_target_size(split) == max(fitting)


def test_too_large_a_target_size_names_the_largest() -> None:
    site = encounters(np.arange(1000), np.arange(1000) % 4 == 0)
    split = make_split(site, SplitSettings(by="folds"), 0)
    check_target_sizes("north", split, [50, 799, "all"])
    with pytest.raises(StudyError, match=r"target_sizes: 900 .* site north .*at most 80"):
        check_target_sizes("north", split, [50, 900, "all"])


def test_profile_counts_every_part() -> None:
    vocabulary = Vocabulary(
        ("C1", "C1", "C2", "T"),
        ("cough", "cough", "rash", "temperature"),
        ("finding", "finding", "finding", "temperature"),
        ("present", "absent", "present", "high"),
        ("cough", "no cough", "rash", "hot"),
    )
    days = [START + datetime.timedelta(days=i) for i in range(4)]
    sides = ["train", "validation", "test", "train"]
    site = encounters([0, 1, 2, 0], [0, 1, 1, 1], time=days, partition=sides)
    findings = CompressedRows(np.array([0, 2, 3, 3, 6]), np.array([0, 2, 1, 0, 2, 3], np.int32))
    extract = Extract(site, {"findings": findings}, {})
    split = Split(
        split_table(
            ["a", "b", "c", "d"],
            ["0", "1", "2", "0"],
            site.labels,
            np.array([-1, -1, 0, -1], np.int16),
            np.array([False, True, False, False]),
        ).table
    )
    profile = site_profile(extract, split, vocabulary, Task(label="flu"))
    rows = {row.pop("part"): row for row in profile}
    assert list(rows) == ["all", "training", "validation", "test"]
    assert rows["training"] == {
        "encounters": 2,
        "positives": 1,
        "prevalence": 0.5,
        "clusters": 1,
        "findings": 2.5,
        "first": "2020-01-01",
        "last": "2020-01-04",
        "recorded finding": 1.0,
        "recorded temperature": 0.5,
    }
    assert rows["all"]["recorded finding"] == pytest.approx(5 / 8)
    assert rows["test"]["findings"] == 0
