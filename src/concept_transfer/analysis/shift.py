"""How different two sites are: in prevalence, findings, recording habits and as a whole.

Every measure has a cluster-bootstrap, jackknife or DeLong-type interval. Signed differences are
target - source; divergences are in bits and corrected for what chance alone would show.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from concept_transfer.analysis.counts import bootstrap_counts
from concept_transfer.analysis.discrepancy import (
    Pooled,
    chance_spread,
    discrepancy,
    median_distance,
    pool,
    subsample,
)
from concept_transfer.analysis.findings import (
    Row,
    finding_shift,
    recorded_outcomes,
    shift_row,
)
from concept_transfer.analysis.random import generator
from concept_transfer.analysis.two_sample import ENCOUNTERS as CLASSIFIED
from concept_transfer.analysis.two_sample import classifier_auroc
from concept_transfer.concepts.vocabulary import Vocabulary
from concept_transfer.evaluation.intervals import Variance, plain_interval, share_interval
from concept_transfer.sites.site import Site

MIRROR = {"kl_target_source": "kl_source_target", "kl_source_target": "kl_target_source"}


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
    concept_of = vocabulary.concept_numbers
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
        rows += _discrepancies(spaces, a, b, confidence, seed)
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
    spaces: list[tuple[str, list[Pooled], float]], a: int, b: int, confidence: float, seed: int
) -> list[Row]:
    """MMD², and MMD² over its spread by chance, which alone compares embeddings."""
    rows = []
    for name, points, bandwidth in spaces:
        value, error = discrepancy(points[a], points[b], bandwidth)
        units = min(int(points[i].cluster[-1]) + 1 for i in (a, b))
        spread = Variance.of_sampling(error**2, units)
        bounds = plain_interval(value, spread, confidence)
        rng = generator(seed, "permutations", str(a), str(b))
        chance = chance_spread(points[a], points[b], bandwidth, rng)
        for measure, unit in (("mmd2", 1.0), ("mmd2_ratio", chance)):
            scaled = [number / unit for number in (value, *bounds)]
            rows.append({"embedding": name, **shift_row(measure, *scaled)})
    return rows


def _classifier(a: Site, b: Site, tokens: int, confidence: float, seed: int) -> Row:
    rows = tuple(subsample(site, seed, CLASSIFIED) for site in (a, b))
    value, error = classifier_auroc(a, b, (rows[0], rows[1]), tokens, seed)
    units = min(len(set(s.split.cluster[r])) for s, r in zip((a, b), rows, strict=True))
    bounds = share_interval(value, Variance.of_sampling(error**2, units), confidence)
    return shift_row("classifier_auroc", value, *bounds)


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
