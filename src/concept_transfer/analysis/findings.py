"""How two sites differ in prevalence and in each finding, with intervals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from concept_transfer.analysis.counts import Array, Counts
from concept_transfer.analysis.divergence import (
    divergence_interval,
    jensen_shannon,
    kullback_leibler,
    smoothed,
)
from concept_transfer.concepts.vocabulary import Vocabulary
from concept_transfer.evaluation.intervals import Variance, plain_interval

DIVERGENCES = (
    "js",
    "js_recording",
    "js_positive",
    "js_negative",
    "kl_target_source",
    "kl_source_target",
)
RATES = ("recording_difference", "present_difference")

Row = dict[str, Any]


@dataclass(frozen=True)
class Outcomes:
    """What may be written about each concept: one of its tokens, or nothing.

    ``concepts``: the concepts recorded at any site; ``number`` [concepts] their numbers among all
    concepts (`Vocabulary.concept_numbers`); ``owner`` [outcomes] the concept (position)
    of an outcome, ascending; ``token`` [outcomes] its token, -1 for nothing; ``present``
    [concepts] the token of the state present, -1 where there is none.
    """

    concepts: tuple[str, ...]
    number: NDArray[np.int64]
    owner: NDArray[np.int64]
    token: NDArray[np.int64]
    present: NDArray[np.int64]


def recorded_outcomes(
    vocabulary: Vocabulary, concept_of: NDArray[np.int64], counts: Sequence[Counts]
) -> Outcomes:
    """The outcomes of every concept that any of the sites records."""
    recorded = np.sum([c.concepts[0].sum(axis=0) for c in counts], axis=0) > 0
    number = np.flatnonzero(recorded)
    owner, token = [], []
    for position, concept in enumerate(number):
        tokens = np.flatnonzero(concept_of == concept)
        owner += [position] * (len(tokens) + 1)
        token += [*tokens.tolist(), -1]
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
            pair.append(shift_row(f"{measure}_{name}", *bounds))
        single = divergence_interval(drawn[0], drawn[1:], confidence)
        for name, *bounds in zip(outcomes.concepts, *single, strict=True):
            concept.append({"concept": name, **shift_row(measure, *bounds)})
    fewest = {
        f"{side}_{name}": dict(zip(outcomes.concepts, values, strict=True))
        for side, counts in (("source", source), ("target", target))
        for name, values in fewest_encounters(counts, outcomes).items()
    }
    for row in concept:
        row |= {name: counts[row["concept"]] for name, counts in fewest.items()}
    return pair, concept


def fewest_encounters(counts: Counts, outcomes: Outcomes) -> dict[str, list[float]]:
    """The smallest count of encounters behind each concept's measures, by what they rest on.

    ``fewest``: encounters that hold the concept, or one of its tokens or none unless there is no
    such encounter; ``fewest_of_label``: the same within either label.
    """
    labels = (counts.of_label(0), counts.of_label(1))
    return {
        "fewest": _fewest(counts.whole, outcomes).tolist(),
        "fewest_of_label": np.minimum(*(_fewest(rows, outcomes) for rows in labels)).tolist(),
    }


def _fewest(counted: tuple[Array, Array, Array], outcomes: Outcomes) -> Array:
    sample = _outcome_counts(counted, outcomes)[0]
    starts = np.flatnonzero(np.diff(outcomes.owner, prepend=-1))
    smallest = np.minimum.reduceat(np.where(sample > 0, sample, np.inf), starts)
    return np.asarray(np.minimum(smallest, counted[2][0, outcomes.number]))


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
    spread = Variance.of_sampling(float(change[1:].var(ddof=1)), units)
    row = shift_row(measure, change[0], *plain_interval(float(change[0]), spread, confidence))
    return {**row, "source_value": float(source[0]), "target_value": float(target[0])}


def shift_row(measure: str, estimate: float, lower: float, upper: float) -> Row:
    """A row of a measure that is no difference of two rates."""
    return {
        "measure": measure,
        "estimate": float(estimate),
        "lower": float(lower),
        "upper": float(upper),
        "source_value": np.nan,
        "target_value": np.nan,
    }
