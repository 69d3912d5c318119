"""How different two sites are: in prevalence, findings, recording habits and as a whole.

Every measure has a cluster-bootstrap, jackknife or DeLong-type interval. Signed differences are
target - source; divergences are in bits and corrected for what chance alone would show.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from concept_transfer.analysis.counts import Array, Counts, bootstrap_counts
from concept_transfer.analysis.discrepancy import (
    Pooled,
    discrepancy,
    median_distance,
    pool,
    subsample,
)
from concept_transfer.analysis.divergence import (
    divergence_interval,
    jensen_shannon,
    kullback_leibler,
    smoothed,
)
from concept_transfer.analysis.two_sample import ENCOUNTERS as CLASSIFIED
from concept_transfer.analysis.two_sample import classifier_auroc
from concept_transfer.concepts.vocabulary import Vocabulary
from concept_transfer.evaluation.intervals import Variance, plain_interval, share_interval
from concept_transfer.sites.site import Site

DIVERGENCES = (
    "js",
    "js_recording",
    "js_positive",
    "js_negative",
    "kl_target_source",
    "kl_source_target",
)
RATES = ("recording_difference", "present_difference")
MIRROR = {"kl_target_source": "kl_source_target", "kl_source_target": "kl_target_source"}

Row = dict[str, Any]


@dataclass(frozen=True)
class Outcomes:
    """What may be written about each concept: one of its tokens, or nothing.

    ``concepts``: the concepts recorded at any site; ``owner`` [outcomes] the concept (position)
    of an outcome, ascending; ``token`` [outcomes] its token, -1 for nothing; ``present``
    [concepts] the token of the state present, -1 where there is none.
    """

    concepts: tuple[str, ...]
    number: NDArray[np.int64]
    owner: NDArray[np.int64]
    token: NDArray[np.int64]
    present: NDArray[np.int64]


def site_shift(
    sites: Sequence[Site],
    vocabulary: Vocabulary,
    vectors: Mapping[str, NDArray[np.float32]],
    draws: int,
    confidence: float,
    seed: int,
) -> tuple[list[Row], list[Row]]:
    """All ordered pairs of the sites: (rows of pair and measure, rows of pair, concept, measure).

    ``vectors``: embedding -> [tokens, width], the spaces of the discrepancy. Columns: source,
    target, (embedding | concept, name, category), measure, estimate, lower, upper,
    source_value, target_value (rates and prevalences; NaN for distances).
    """
    concept_of = concept_numbers(vocabulary)
    counts = [bootstrap_counts(site, concept_of, draws, seed) for site in sites]
    outcomes = recorded_outcomes(vocabulary, concept_of, counts)
    names = dict(zip(vocabulary.concepts, vocabulary.names, strict=True))
    categories = dict(zip(vocabulary.concepts, vocabulary.categories, strict=True))
    pairs: list[Row] = []
    findings: list[Row] = []
    spaces = _spaces(sites, vectors, seed)
    for a, b in combinations(range(len(sites)), 2):
        key = {"source": sites[a].name, "target": sites[b].name}
        rows, by_concept = finding_shift(counts[a], counts[b], outcomes, confidence)
        rows += _discrepancies(spaces, a, b, confidence)
        rows.append(_classifier(sites[a], sites[b], len(vocabulary), confidence, seed))
        size = {
            "source_encounters": len(sites[a].labels),
            "target_encounters": len(sites[b].labels),
        }
        pairs += [{**key, "embedding": "", **row, **size} for row in rows]
        findings += [
            {
                **key,
                "concept": (concept := row.pop("concept")),
                "name": names[concept],
                "category": categories[concept],
                **row,
            }
            for row in by_concept
        ]
    return _both_ways(pairs), _both_ways(findings)


def concept_numbers(vocabulary: Vocabulary) -> NDArray[np.int64]:
    """Number of every token's concept, in the order of first appearance, [tokens]."""
    position = {concept: i for i, concept in enumerate(vocabulary.concept_states)}
    return np.array([position[concept] for concept in vocabulary.concepts])


def recorded_outcomes(
    vocabulary: Vocabulary, concept_of: NDArray[np.int64], counts: Sequence[Counts]
) -> Outcomes:
    """The outcomes of every concept that any of the sites records."""
    recorded = np.sum([c.concepts[0].sum(axis=0) for c in counts], axis=0) > 0
    number = np.flatnonzero(recorded)
    owner, token = [], []
    for position, concept in enumerate(number):
        own = np.flatnonzero(concept_of == concept)
        owner += [position] * (len(own) + 1)
        token += [*own.tolist(), -1]
    concepts = tuple(np.array(list(vocabulary.concept_states))[number].tolist())
    present = [vocabulary.index.get((concept, "present"), -1) for concept in concepts]
    return Outcomes(concepts, number, np.array(owner), np.array(token), np.array(present))


def finding_shift(
    source: Counts, target: Counts, outcomes: Outcomes, confidence: float
) -> tuple[list[Row], list[Row]]:
    """Prevalence, rates and divergences of two sites: (pair rows, concept rows)."""
    units = min(source.units, target.units)
    prevalence = [c.encounters[:, 1] / c.encounters.sum(axis=1) for c in (source, target)]
    pair = [_difference("prevalence_difference", prevalence, units, confidence)]
    concept: list[Row] = []
    rates = [_rates(c, outcomes) for c in (source, target)]
    for measure, (a, b) in zip(RATES, zip(*rates, strict=True), strict=True):
        known = ~np.isnan(a[0])
        if not known.any():
            continue
        means = [rate[:, known].mean(axis=1) for rate in (a, b)]
        pair.append(_difference(f"{measure}_mean", means, units, confidence))
        for position in np.flatnonzero(known):
            row = _difference(measure, [a[:, position], b[:, position]], units, confidence)
            concept.append({"concept": outcomes.concepts[position], **row})
    for measure in DIVERGENCES:
        drawn = divergences(measure, source, target, outcomes)
        together = np.stack([drawn.mean(axis=1), drawn.sum(axis=1)], axis=1)
        whole = divergence_interval(together[0], together[1:], confidence)
        for name, *bounds in zip(("mean", "sum"), *whole, strict=True):
            pair.append(_row(f"{measure}_{name}", *bounds))
        single = divergence_interval(drawn[0], drawn[1:], confidence)
        for name, *bounds in zip(outcomes.concepts, *single, strict=True):
            concept.append({"concept": name, **_row(measure, *bounds)})
    return pair, concept


def divergences(measure: str, source: Counts, target: Counts, outcomes: Outcomes) -> Array:
    """One of `DIVERGENCES` for every concept, [1 + draws, concepts].

    js: of what is written about a concept, not written included; js_recording: of whether
    anything is written; js_positive, js_negative: js among encounters of one label;
    kl_target_source: KL(target || source), kl_source_target: KL(source || target).
    """
    label = {"js_positive": 1, "js_negative": 0}.get(measure)
    counted = [c.whole if label is None else c.of_label(label) for c in (source, target)]
    size = min(float(encounters[0]) for encounters, _, _ in counted)
    p, q = (_outcome_counts(c, outcomes) for c in counted)
    owner = outcomes.owner
    if measure == "js_recording":
        p, q = (_recording(x, outcomes) for x in (p, q))
        owner = np.repeat(np.unique(owner), 2)
    p, q = smoothed(p, owner, size), smoothed(q, owner, size)
    if measure == "kl_target_source":
        return kullback_leibler(q, p, owner)
    if measure == "kl_source_target":
        return kullback_leibler(p, q, owner)
    return jensen_shannon(p, q, owner)


def _outcome_counts(counted: tuple[Array, Array, Array], outcomes: Outcomes) -> Array:
    encounters, tokens, concepts = counted
    silent = encounters[:, None] - concepts[:, outcomes.number[outcomes.owner]]
    return np.where(outcomes.token < 0, silent, tokens[:, outcomes.token])


def _recording(counts: Array, outcomes: Outcomes) -> Array:
    """Counts of (written, not written) a concept, from counts of all outcomes."""
    silent = counts[:, outcomes.token < 0]
    starts = np.flatnonzero(np.diff(outcomes.owner, prepend=-1))
    written = np.add.reduceat(counts, starts, axis=1) - silent
    return np.stack([written, silent], axis=2).reshape(len(counts), -1)


def _rates(counts: Counts, outcomes: Outcomes) -> tuple[Array, Array]:
    """Share of encounters with a concept recorded, and present, [1 + draws, concepts]."""
    encounters, tokens, concepts = counts.whole
    present = np.where(outcomes.present < 0, np.nan, tokens[:, outcomes.present])
    return concepts[:, outcomes.number] / encounters[:, None], present / encounters[:, None]


def _difference(measure: str, values: Sequence[Array], units: int, confidence: float) -> Row:
    source, target = values
    change = target - source
    spread = Variance(float(change[1:].var(ddof=1)), 0, 0, units, 1, "")
    row = _row(measure, change[0], *plain_interval(float(change[0]), spread, confidence))
    return {**row, "source_value": float(source[0]), "target_value": float(target[0])}


def _row(measure: str, estimate: float, lower: float, upper: float) -> Row:
    return {
        "measure": measure,
        "estimate": float(estimate),
        "lower": float(lower),
        "upper": float(upper),
        "source_value": np.nan,
        "target_value": np.nan,
    }


def _spaces(
    sites: Sequence[Site], vectors: Mapping[str, NDArray[np.float32]], seed: int
) -> list[tuple[str, list[Pooled], float]]:
    """Per embedding: its name, all sites' pooled encounters and the common bandwidth."""
    rows = [subsample(site, seed) for site in sites]
    spaces = []
    for name, table in vectors.items():
        points = [pool(site, chosen, table) for site, chosen in zip(sites, rows, strict=True)]
        everything = np.concatenate([p.vectors for p in points])
        spaces.append((name, points, median_distance(everything, seed)))
    return spaces


def _discrepancies(
    spaces: list[tuple[str, list[Pooled], float]], a: int, b: int, confidence: float
) -> list[Row]:
    rows = []
    for name, points, bandwidth in spaces:
        value, error = discrepancy(points[a], points[b], bandwidth)
        units = min(int(points[i].cluster[-1]) + 1 for i in (a, b))
        spread = Variance(error**2, 0, 0, units, 1, "")
        bounds = plain_interval(value, spread, confidence)
        rows.append({"embedding": name, **_row("mmd2", value, *bounds)})
    return rows


def _classifier(a: Site, b: Site, tokens: int, confidence: float, seed: int) -> Row:
    rows = tuple(subsample(site, seed, CLASSIFIED) for site in (a, b))
    value, error = classifier_auroc(a, b, (rows[0], rows[1]), tokens, seed)
    units = min(len(set(s.split.cluster[r])) for s, r in zip((a, b), rows, strict=True))
    bounds = share_interval(value, Variance(error**2, 0, 0, units, 1, ""), confidence)
    return _row("classifier_auroc", value, *bounds)


def _both_ways(rows: list[Row]) -> list[Row]:
    """The rows and their mirror images: source and target swapped."""
    return rows + [_mirrored(row) for row in rows]


def _mirrored(row: Row) -> Row:
    swapped = dict(row)
    for key in row:
        if key.startswith("source"):
            other = key.replace("source", "target", 1)
            swapped[key], swapped[other] = row[other], row[key]
    for name, other in MIRROR.items():
        if row["measure"].startswith(name):
            swapped["measure"] = row["measure"].replace(name, other)
    if "difference" in row["measure"]:
        swapped |= {
            "estimate": -row["estimate"],
            "lower": -row["upper"],
            "upper": -row["lower"],
        }
    return swapped
