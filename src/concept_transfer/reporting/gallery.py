"""All figures of a study, drawn from its evidence."""

from __future__ import annotations

from collections.abc import Iterator

from concept_transfer.reporting.cells import (
    direction_label,
    directions,
    family_order,
    level,
    size_label,
    size_rank,
)
from concept_transfer.reporting.columns import interval
from concept_transfer.reporting.evidence import Evidence
from concept_transfer.reporting.figures.calibration import calibration_curve
from concept_transfer.reporting.figures.canvas import Caption, Drawing
from concept_transfer.reporting.figures.dots import metric_dots
from concept_transfer.reporting.figures.forest import forest, forest_sizes
from concept_transfer.reporting.figures.heatmap import colour_range, heat_map
from concept_transfer.reporting.figures.learning import learning_curve
from concept_transfer.study import Study

TOGETHER = 4  # as many directions share one figure; more are drawn target by target
CALIBRATION = {
    "calibration_slope": (
        "Calibration slope",
        1.0,
        "Below 1 predictions are too extreme, above 1 too timid",
    ),
    "calibration_intercept": (
        "Calibration intercept",
        0.0,
        "Below 0 risks are too high on average, above 0 too low",
    ),
}


def study_figures(evidence: Evidence) -> Iterator[Drawing]:
    """Every figure that the evidence allows, in the order of the report."""
    estimates, study = evidence.estimates, evidence.study
    pairs = directions(study, estimates)
    sizes = sorted(set(estimates["size"]) - {"0"}, key=size_rank)
    ends = list(dict.fromkeys([*sizes[-1:], *sizes[:1]])) or ["0"]
    limits = colour_range(estimates)
    for pair in pairs:
        yield heat_map(estimates, study, *pair, limits)
    for size in ends:
        for group, name in _groups(study, pairs):
            yield _auroc(evidence, size, group, name)
    if len(sizes) > 1:
        for pair in pairs:
            yield learning_curve(estimates, study, *pair)
    auroc = evidence.comparisons[evidence.comparisons["metric"] == "auroc"]
    for family in family_order(auroc):
        for size in forest_sizes(auroc, family):
            for group, name in _groups(study, pairs):
                stem = "_".join(["comparisons", family.replace(" ", "-"), size, *name])
                drawing = forest(auroc, study, family, size, group, stem, _place(group, name))
                if drawing is not None:
                    yield drawing
    for pair in pairs:
        curves = calibration_curve(evidence.calibration, study, ends[0], *pair)
        if curves is not None:
            yield curves
    for metric in CALIBRATION:
        if (estimates["metric"] == metric).any():
            for group, name in _groups(study, pairs):
                yield _calibration(evidence, metric, ends[0], group, name)


def _groups(
    study: Study,
    pairs: list[tuple[str, str]],
) -> list[tuple[list[tuple[str, str]], list[str]]]:
    """Directions that share a figure, and what the figure's stem says of them."""
    if len(pairs) <= TOGETHER:
        return [(pairs, [])]
    by_target = {site: [pair for pair in pairs if pair[1] == site] for site in study.sites}
    return [(group, [target]) for target, group in by_target.items() if group]


def _place(group: list[tuple[str, str]], name: list[str]) -> str:
    if name:
        return f", {name[0]} as target"
    return f", {direction_label(*group[0])}" if len(group) == 1 else ""


def _auroc(evidence: Evidence, size: str, group: list[tuple[str, str]], name: list[str]) -> Drawing:
    title = f"AUROC, {size_label(size)}{_place(group, name)}"
    targets = {target for _, target in group}
    ceilings = [
        f"{target} {interval(c['estimate'], c['lower'], c['upper'])}"
        for target, c in evidence.ceilings.items()
        if target in targets
    ]
    ceiling = (
        " The line marked Bayes-optimal is the AUROC of the simulation's exact posterior on the "
        f"same test encounters ({'; '.join(ceilings)}): no model is better on average, and like "
        "every AUROC here it is that of a sample."
        if ceilings
        else ""
    )
    caption = Caption(
        "_".join(["auroc", size, *name]),
        "intervals",
        title,
        f"Mean over replicates with {level(evidence.study)} intervals that contain the sampling of "
        "clusters and of replicates; hollow markers have too few test encounters for a conclusion. "
        "Overlapping intervals do not mean equality, because all models share the test "
        f"encounters: the comparisons below are paired.{ceiling}",
        _range_alt(evidence, size, title),
    )
    return metric_dots(
        evidence.estimates,
        evidence.study,
        "auroc",
        size,
        group,
        caption,
        "AUROC",
        {"no skill": 0.5},
        evidence.ceilings,
    )


def _calibration(
    evidence: Evidence, metric: str, size: str, group: list[tuple[str, str]], name: list[str]
) -> Drawing:
    title, ideal, meaning = CALIBRATION[metric]
    caption = Caption(
        "_".join([metric.replace("_", "-"), *name]),
        "calibration",
        f"{title}, {size_label(size)}{_place(group, name)}",
        f"{meaning}; the line marks {ideal:g}, which a calibrated model has. A model can rank "
        "patients well and still be far from the line: its risks must then be recalibrated on "
        "local data before anybody acts on them.",
        f"Dot plot of the {title.lower()} of every model against the ideal of {ideal:g}.",
    )
    return metric_dots(
        evidence.estimates,
        evidence.study,
        metric,
        size,
        group,
        caption,
        title.lower(),
        {"calibrated": ideal},
    )


def _range_alt(evidence: Evidence, size: str, title: str) -> str:
    estimates = evidence.estimates
    values = estimates.loc[
        (estimates["metric"] == "auroc") & estimates["size"].isin(["0", size]), "estimate"
    ].dropna()
    if values.empty:
        return f"{title}: nothing could be estimated."
    return f"{title}: {len(values)} estimates between {values.min():.3f} and {values.max():.3f}."
