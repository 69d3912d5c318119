"""Dividing a site's encounters: given, by time, by share or in cross-fitting folds."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from fractions import Fraction
from itertools import combinations
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from concept_transfer.cohorts.encounters import Encounters
from concept_transfer.cohorts.splits import NEVER_TESTED, UNUSED, Split, split_table
from concept_transfer.errors import StudyError
from concept_transfer.settings.splits import SplitSettings

Mask = NDArray[np.bool_]
Codes = NDArray[np.int64]
_MOST_PARTS = 10


def make_split(
    encounters: Encounters, config: SplitSettings, seed: int, site: str = "the site"
) -> Split:
    """Divide encounters so that no cluster is on two sides of any border.

    given: the partitions of the files; where they name no validation rows, `validation_share`
        of the training clusters validates.
    time: encounters from `test_from` on test. Earlier encounters of a cluster that tests are
        not used (fold UNUSED): training on them would put the cluster on both sides.
    share: `test_share` of the clusters tests.
    folds: every encounter tests in one of K folds; the validation clusters are spread over the
        folds, so that what remains beside each fold keeps its share of them.

    Shares are met in every class alike, as closely as whole clusters allow. The result does not
    depend on the order of the encounters.

    Raises StudyError naming the site and what the data lack.
    """
    return make_splits({site: encounters}, config, seed)[site]


def make_splits(
    sites: Mapping[str, Encounters], config: SplitSettings, seed: int
) -> dict[str, Split]:
    """Divide the encounters of sites at which a cluster's name means the same, as `make_split`
    does: no cluster is on two sides, at one site or between two; shares are met at every site.
    """
    table = pa.concat_tables([each.table for each in sites.values()])
    number = np.repeat(np.arange(len(sites)), [len(each) for each in sites.values()])
    site = " and ".join(sites)
    label = np.concatenate([each.labels for each in sites.values()])
    cluster = _sorted_codes(table.column("cluster"))
    rng = np.random.default_rng(seed)
    fold = np.full(len(label), NEVER_TESTED, dtype=np.int16)
    validation = np.zeros(len(label), dtype=bool)

    if config.by == "given":
        partition = _given(table.column("partition"), cluster, site)
        fold[partition == "test"] = 0
        validation = partition == "validation"
    elif config.by == "time":
        assert config.test_from is not None
        test = _from_day(table.column("time"), config.test_from, site)
        fold[np.isin(cluster, cluster[test])] = UNUSED
        fold[test] = 0
    elif config.by == "share":
        fold[_share(cluster, label, number, config.test_share, rng)] = 0
    else:
        count = int(cluster.max()) + 1
        if count < config.folds:
            raise StudyError(
                f"{site} has {count} cluster(s), fewer than split.folds: {config.folds}; ask for "
                "fewer folds"
            )
        fold = _deal(cluster, label, number, config.folds, rng)[cluster].astype(np.int16)

    if not validation.any():
        rows = np.flatnonzero((fold == NEVER_TESTED) | (config.by == "folds"))
        stratum = fold[rows] * len(sites) + number[rows]
        chosen = _share(cluster[rows], label[rows], stratum, config.validation_share, rng)
        validation[rows[chosen]] = True
    splits = {}
    for place, name in enumerate(sites):
        own = number == place
        part = table.filter(pa.array(own))
        split = split_table(
            part.column("encounter"), part.column("cluster"), label[own], fold[own], validation[own]
        )
        _check(split, config, name)
        splits[name] = split
    return splits


def _sorted_codes(column: Any) -> Codes:
    """Position of every value among the sorted distinct values."""
    encoded = column.combine_chunks().dictionary_encode()
    encoded = encoded.combine_chunks() if isinstance(encoded, pa.ChunkedArray) else encoded
    order = pc.array_sort_indices(encoded.dictionary).to_numpy()
    rank = np.empty(len(order), dtype=np.int64)
    rank[order] = np.arange(len(order))
    return np.asarray(rank[encoded.indices.to_numpy()])


def _given(column: Any, cluster: Codes, site: str) -> NDArray[np.object_]:
    partition = np.asarray(column.to_numpy(), dtype=object)
    missing = np.flatnonzero(pc.is_null(column).to_numpy())
    if len(missing):
        raise StudyError(
            f"{site}: split by 'given', but {len(missing)} encounter(s) have no partition, first "
            f"encounter {missing[0] + 1}; list files under train, validation and test, name a "
            "partition column, or choose another split"
        )
    clusters = {side: np.unique(cluster[partition == side]) for side in np.unique(partition)}
    for first, second in combinations(clusters, 2):
        both = np.intersect1d(clusters[first], clusters[second])
        if len(both):
            rows = ", ".join(str(row + 1) for row in np.flatnonzero(cluster == both[0])[:4])
            raise StudyError(
                f"{site}: {len(both)} cluster(s) are given for both {first} and {second} (one of "
                f"them has encounters {rows}); a patient or cluster belongs to one partition"
            )
    return partition


def _from_day(column: Any, day: datetime.date, site: str) -> Mask:
    if column.null_count:
        raise StudyError(
            f"{site}: split by 'time', but {column.null_count} encounter(s) have no time; fill it "
            "in, or choose another split"
        )
    return np.asarray(pc.greater_equal(column, pa.scalar(day, pa.date32())).to_numpy(), dtype=bool)


def _share(
    cluster: Codes, label: NDArray[np.int8], stratum: NDArray[np.integer], share: float, rng: Any
) -> Mask:
    """Rows of whole clusters that make up about a share of every stratum and class.

    Of equal parts dealt from the clusters, those that reach into most strata.
    """
    count = len(np.unique(cluster))
    if count < 2:
        return np.zeros(len(cluster), dtype=bool)
    part = Fraction(share).limit_denominator(min(_MOST_PARTS, count))
    if part in (0, 1):
        parts = min(count, round(1 / min(share, 1 - share)))
        part = Fraction(1 if part == 0 else parts - 1, parts)
    dealt = _deal(cluster, label, stratum, part.denominator, rng)[cluster]
    strata = [len(np.unique(stratum[dealt == i])) for i in range(part.denominator)]
    chosen = np.argsort(-np.array(strata), kind="stable")[: part.numerator]
    return np.isin(dealt, chosen)


def _deal(
    cluster: Codes, label: NDArray[np.int8], stratum: NDArray[np.integer], parts: int, rng: Any
) -> Codes:
    """Deal clusters into equal parts; returns the part of every cluster code.

    Greedy: clusters in order of decreasing weight each go where the sum over parts of squared
    shares grows least: shares of each class and of all encounters, in the site and in every
    stratum. Of clusters that are alike, every part first gets as many. Ties,
    and which part is which, are random.
    """
    strata = np.unique(stratum, return_inverse=True)[1]
    size = int(cluster.max()) + 1
    classes = max(2, int(label.max(initial=0)) + 1)
    table = np.zeros((size, int(strata.max()) + 2, classes + 1), dtype=np.int64)
    for block in (np.zeros_like(strata), strata + 1):
        np.add.at(table, (cluster, block, label), 1)
    table[:, :, -1] = table.sum(axis=2)
    totals = np.maximum(table[:, 0].sum(axis=0), 1)
    shares = (table / totals).reshape(size, -1)
    counts = table.reshape(size, -1)
    alike = counts @ rng.integers(2**31, size=counts.shape[1])
    order = np.lexsort((rng.random(size), alike, -shares.sum(axis=1)))
    load = np.zeros((parts, shares.shape[1]))
    dealt = np.zeros(size, dtype=np.int64)
    for run in np.split(order, np.flatnonzero(np.diff(alike[order])) + 1):
        rounds = len(run) // parts
        dealt[run[: rounds * parts]] = np.tile(np.arange(parts), rounds)
        load += rounds * shares[run[0]]
        for code in run[rounds * parts :]:
            dealt[code] = np.argmin(load @ shares[code])
            load[dealt[code]] += shares[code]
    return np.asarray(rng.permutation(parts)[dealt])


def _check(split: Split, config: SplitSettings, site: str) -> None:
    if config.by in ("time", "share"):
        _check_part(split, np.flatnonzero(split.fold == 0), "test", config, site)
    for fold in split.folds:
        train, validation, _ = split.parts(fold)
        _check_part(split, train, "training", config, site)
        _check_part(split, validation, "validation", config, site, classes=1)
    train, validation = split.source_parts()
    _check_part(split, train, "training", config, site)
    _check_part(split, validation, "validation", config, site, classes=1)


def _check_part(
    split: Split, rows: Codes, part: str, config: SplitSettings, site: str, classes: int = 2
) -> None:
    if len(np.unique(split.label[rows])) < classes:
        clusters = len(set(split.cluster[rows]))
        counts = ", ".join(f"{number} of class {k}" for k, number in _by_class(split.label[rows]))
        raise StudyError(
            f"{site}: split by '{config.by}' leaves {len(rows)} {part} encounter(s) in {clusters} "
            f"cluster(s){f' ({counts})' if counts else ''}; "
            + ("it needs some" if classes == 1 else "it needs some of two classes or more")
            + " (change split, or give the site more data)"
        )


def _by_class(labels: NDArray[np.int8]) -> list[tuple[int, int]]:
    """(class, number of encounters) of the classes that occur."""
    classes, counts = np.unique(labels, return_counts=True)
    return list(zip(classes.tolist(), counts.tolist(), strict=True))
