"""All figures of a study, drawn from its evidence."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

from concept_transfer.comparison.contrasts import LADDER
from concept_transfer.evaluation.metrics import METRICS
from concept_transfer.reporting.answers.phrases import is_shown
from concept_transfer.reporting.classes import (
    MACRO,
    class_names,
    class_stem,
    class_words,
    of_class,
)
from concept_transfer.reporting.columns import interval
from concept_transfer.reporting.evidence import Evidence
from concept_transfer.reporting.figures.calibration import calibration_curve
from concept_transfer.reporting.figures.canvas import Caption, Drawing
from concept_transfer.reporting.figures.dots import Dots, metric_dots
from concept_transfer.reporting.figures.forest import forest, forest_sizes
from concept_transfer.reporting.figures.heatmap import colour_range, heat_map
from concept_transfer.reporting.figures.ladder import ladder
from concept_transfer.reporting.figures.learners import learners
from concept_transfer.reporting.figures.learning import learning_curve
from concept_transfer.reporting.figures.winners import winners
from concept_transfer.reporting.rows import (
    direction_label,
    directions,
    family_order,
    level,
    size_label,
    size_rank,
)
from concept_transfer.study import Study

TOGETHER = 4  # as many directions share one figure; more are drawn target by target
CALIBRATION = {  # what a value beside the ideal means
    "calibration_slope": "Below 1 predictions are too extreme, above 1 too timid",
    "calibration_intercept": "Below 0 risks are too high on average, above 0 too low",
}


@dataclass(frozen=True)
class Directions:
    """Directions that share a figure; ``target`` is theirs where others have a figure too."""

    pairs: list[tuple[str, str]]
    target: str = ""

    @property
    def words(self) -> str:
        """What a title adds for them."""
        if self.target:
            return f", {self.target} as target"
        return f", {direction_label(*self.pairs[0])}" if len(self.pairs) == 1 else ""

    def stem(self, *parts: str) -> str:
        """The name of a figure's files."""
        return "_".join(filter(None, (*parts, self.target)))


def study_figures(evidence: Evidence) -> Iterator[Drawing]:
    """Every figure that the evidence allows, in the order of the report."""
    estimates, study = evidence.estimates, evidence.study
    pairs = directions(study, estimates)
    sizes = sorted(set(estimates["size"]) - {"0"}, key=size_rank)
    ends = list(dict.fromkeys([*sizes[-1:], *sizes[:1]])) or ["0"]
    limits = colour_range(estimates)
    note = MACRO if evidence.many_classes else ""
    for pair in pairs:
        yield heat_map(estimates, study, *pair, limits, note)
    for size in ends:
        for group in _groups(study, pairs):
            yield _auroc(evidence, size, group)
    yield from _curves(evidence, pairs, sizes)
    if rows := [row for row in evidence.rows_of("winners") if is_shown(row)]:
        shift = evidence.analysis.shift if evidence.analysis else None
        yield winners(rows, shift, study)
    auroc = evidence.comparisons[evidence.comparisons["metric"] == "auroc"]
    for classifier, pair in product(study.climbing_classifiers(), pairs):
        ceiling = evidence.ceilings.get(pair[1])
        drawing = ladder(estimates, auroc, study, classifier, *pair, ceiling)
        if drawing is not None:
            yield drawing
    for family in family_order(auroc):
        if family == LADDER:
            continue
        for size in forest_sizes(auroc, family):
            for group in _groups(study, pairs):
                stem = group.stem("comparisons", family.replace(" ", "-"), size)
                drawing = forest(auroc, study, family, size, group.pairs, stem, group.words)
                if drawing is not None:
                    yield drawing
    yield from _calibration_figures(evidence, ends[0], pairs)


def _curves(
    evidence: Evidence, pairs: list[tuple[str, str]], sizes: list[str]
) -> Iterator[Drawing]:
    """AUROC over target sizes: of every learner, then of every model."""
    study, ceilings = evidence.study, evidence.ceilings
    rows = [row for row in evidence.rows_of("learners") if is_shown(row)]
    for pair in pairs:
        drawing = learners(rows, study, *pair, ceilings.get(pair[1]))
        if drawing is not None:
            yield drawing
    if len(sizes) > 1:
        for pair in pairs:
            yield learning_curve(evidence.estimates, study, *pair, ceilings.get(pair[1]))


def _groups(study: Study, pairs: list[tuple[str, str]]) -> list[Directions]:
    """All directions together, or those of each target."""
    if len(pairs) <= TOGETHER:
        return [Directions(pairs)]
    by_target = {site: [pair for pair in pairs if pair[1] == site] for site in study.sites}
    return [Directions(group, target) for target, group in by_target.items() if group]


def _auroc(evidence: Evidence, size: str, group: Directions) -> Drawing:
    title = f"AUROC, {size_label(size)}{group.words}"
    targets = {target for _, target in group.pairs}
    ceilings = [
        f"{target} {interval(c['estimate'], c['lower'], c['upper'])}"
        for target, c in evidence.ceilings.items()
        if target in targets
    ]
    ceiling = (
        " The line marked Bayes-optimal is the AUROC of the simulation's true probability on the "
        f"same test encounters ({'; '.join(ceilings)}): no model is better on average, and like "
        "every AUROC here it is that of a sample."
        if ceilings
        else ""
    )
    caption = Caption(
        stem=group.stem("auroc", size),
        section="intervals",
        title=title,
        text=f"Mean over replicates with {level(evidence.study)} intervals that contain the "
        "sampling of clusters and of replicates; hollow markers have too few test encounters for a "
        "conclusion. Overlapping intervals do not mean equality, because all models share the test "
        f"encounters: the comparisons below are paired.{MACRO if evidence.many_classes else ''}"
        f"{ceiling}",
        alt=_range_alt(evidence, size, title),
    )
    dots = Dots("auroc", size, group.pairs, "AUROC", {"no skill": 0.5}, evidence.ceilings)
    return metric_dots(evidence.estimates, evidence.study, dots, caption)


def _calibration_figures(
    evidence: Evidence, size: str, pairs: list[tuple[str, str]]
) -> Iterator[Drawing]:
    """Curves, slopes and intercepts; of more than two classes, each class told from all others."""
    study = evidence.study
    for name in class_names(evidence.calibration) or [""]:
        bins = of_class(evidence.calibration, name)
        for pair in pairs:
            curves = calibration_curve(bins, study, size, *pair, name)
            if curves is not None:
                yield curves
    classes = class_names(evidence.class_estimates)
    named = {name: of_class(evidence.class_estimates, name) for name in classes}
    for metric in CALIBRATION:
        for name, estimates in (named or {"": evidence.estimates}).items():
            if (estimates["metric"] == metric).any():
                for group in _groups(study, pairs):
                    title, ideal = METRICS[metric].title, METRICS[metric].ideal
                    dots = Dots(metric, size, group.pairs, title.lower(), {"calibrated": ideal})
                    caption = _calibration_caption(metric, size, group, name)
                    yield metric_dots(estimates, study, dots, caption)


def _calibration_caption(metric: str, size: str, group: Directions, name: str) -> Caption:
    title, ideal = METRICS[metric].title, METRICS[metric].ideal
    return Caption(
        stem=group.stem(metric.replace("_", "-") + class_stem(name)),
        section="calibration",
        title=f"{title}, {size_label(size)}{group.words}{class_words(name)}",
        text=f"{CALIBRATION[metric]}; the line marks {ideal:g}, which a calibrated model has. A "
        "model can rank patients well and still be far from the line: its risks must then be "
        "recalibrated on local data before anybody acts on them.",
        alt=f"Dot plot of the {title.lower()} of every model against the ideal of {ideal:g}.",
    )


def _range_alt(evidence: Evidence, size: str, title: str) -> str:
    estimates = evidence.estimates
    values = estimates.loc[
        (estimates["metric"] == "auroc") & estimates["size"].isin(["0", size]), "estimate"
    ].dropna()
    if values.empty:
        return f"{title}: nothing could be estimated."
    return f"{title}: {len(values)} estimates between {values.min():.3f} and {values.max():.3f}."
