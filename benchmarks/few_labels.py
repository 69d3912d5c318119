"""What models reach with few labels, and what a choice among them costs.

``python -m benchmarks.few_labels [data [study ...]]`` runs the studies of `few_labels_pairs` (all,
or those named) and writes ``docs/few-labels.md``; ``data`` is a folder with the material of
``config/gao2024.yaml`` and, as ``nhamcs/``, of ``config/nhamcs.yaml``. Studies that are up to date
are not run again.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import yaml

from benchmarks.few_labels_chance import by_chance, of_truth
from benchmarks.few_labels_pairs import CONFIG, run, studies
from benchmarks.few_labels_reference import report
from benchmarks.measure import ROOT, machine, table
from concept_transfer.cell import ALL_MODELS, Cell
from concept_transfer.comparison.contrasts import Contrast
from concept_transfer.comparison.effects import paired_effect
from concept_transfer.evaluation.results import Results
from concept_transfer.study import Study

CHOICE = "auto"
ENOUGH = 50  # labels of the rarer class, to ask for calibration
HEAD = """# Few labels

Written by `python -m benchmarks.few_labels`. Machine: {machine}.

Mean test AUROC over {replicates} draws of the labelled encounters. Regret is cross-fitted: on parts
of the test clusters, `auto` against the single model that is the best on all other clusters. Gain
is over the better of a model as it came and the best model of the target's own labels, both in
hindsight. Intervals are the studies' own (test clusters and replicates). Intercepts are means over
draws of absolute values; beside them the mean distance from 0 that chance alone gives an intercept
estimated from the labelled encounters and measured on the test encounters (Fisher's information, of
normal scores with this AUROC). Where a site is simulated here, the probabilities that its test
encounters were drawn with have an intercept too: no model can be expected to come nearer to 0, and
the distance from it is told as well.
"""
UNLABELLED = """## Without hindsight, at 0 labels

The tables above compare with the best model in hindsight. Nobody can pick that one without labels;
what can be picked is the model that its source judges best, as it came.
"""


@dataclass(frozen=True)
class Price:
    """What `auto` costs and gains in one direction at one size."""

    study: str
    direction: str
    size: str
    rarer: float
    auroc: float
    best: str
    regret: tuple[float, float, float]
    rival: str
    gain: tuple[float, float, float]
    intercept: float
    chance: float
    from_truth: float
    slope: float


def model(cell: Cell) -> str:
    """``gaussian_process prior``; a combination by its own name."""
    return cell.strategy if cell.classifier == ALL_MODELS else f"{cell.classifier} {cell.strategy}"


def of_pair(results: Results, source: str, target: str) -> list[Cell]:
    return [c for c in results if c.target == target and c.source in ("", source)]


def reached(study: Study, results: Results, source: str, target: str) -> str:
    """A row a model, a column a number of labels."""
    sizes = ["0", *map(str, study.target_sizes)]
    found: dict[str, dict[str, float]] = {}
    for cell in of_pair(results, source, target):
        found.setdefault(model(cell), {})[cell.size] = results[cell].estimate()
    rows = [
        (name, *(f"{own[size]:.3f}" if size in own else "" for size in sizes))
        for name, own in sorted(found.items())
    ]
    return table(("model", *(f"{size} labels" for size in sizes)), rows)


def prices(study: Study, results: Results, source: str, target: str, truth: float) -> list[Price]:
    """One a size; truth: see `few_labels_chance.of_truth`."""
    found = []
    for size in ["0", *map(str, study.target_sizes)]:
        cells = [c for c in of_pair(results, source, target) if c.size in (size, "0")]
        chosen = [c for c in cells if (c.strategy, c.size) == (CHOICE, size)]
        others = [c for c in cells if c.classifier != ALL_MODELS]
        if not chosen or not others:
            continue
        (auto,) = chosen
        best = max(others, key=lambda c: results[c].estimate())
        rival = max(
            (c for c in others if c.strategy in ("direct", "local")),
            key=lambda c: results[c].estimate(),
        )
        intercepts = np.array(list(results[auto].values["test", "calibration_intercept"].values()))
        rarer = _rarer(results[auto].labels, study, size)
        found.append(
            Price(
                study.study,
                f"{source} to {target}",
                size,
                rarer,
                results[auto].estimate(),
                model(best),
                _about(
                    cross_fitted_regret(results, others, auto),
                    _effect(study, results, best, auto),
                ),
                model(rival),
                _effect(study, results, auto, rival),
                float(np.abs(intercepts).mean()),
                by_chance(rarer, results[auto].estimate(), results[auto].labels),
                float(np.abs(intercepts - truth).mean()),
                results[auto].estimate("calibration_slope"),
            )
        )
    return found


def cross_fitted_regret(results: Results, others: Sequence[Cell], auto: Cell) -> float:
    """On each part of the test clusters, the best on all other parts less `auto`."""
    parts = np.stack([results[cell].parts for cell in others])  # [cells, replicates, parts, 2]
    best = np.argmax(np.nan_to_num(parts[..., 1]).mean(axis=1), axis=0)
    inside = np.nanmean(parts[..., 0], axis=1)[best, np.arange(len(best))]
    return float(np.mean(inside - np.nanmean(results[auto].parts[..., 0], axis=0)))


def _rarer(labels: np.ndarray, study: Study, size: str) -> float:
    """Labels of the rarer class that a size is expected to hold."""
    share = min(labels.mean(), 1 - labels.mean())
    return float("inf") if size == "all" else float(share * int(size))


def _effect(study: Study, results: Results, a: Cell, b: Cell) -> tuple[float, float, float]:
    effect = paired_effect([Contrast("", (a,), (b,))], results, study.evaluation)
    return effect.difference, effect.lower, effect.upper


def _about(value: float, effect: tuple[float, float, float]) -> tuple[float, float, float]:
    """A value with the interval of an effect moved to it."""
    return value, effect[1] + value - effect[0], effect[2] + value - effect[0]


def unlabelled(study: Study, results: Results, source: str, target: str) -> tuple[str, ...] | None:
    """A row of what `auto` gains at 0 labels over the model that its own source judges best, which
    is what can be taken there without hindsight."""
    free = [c for c in of_pair(results, source, target) if c.size == "0"]
    chosen = [c for c in free if c.strategy == CHOICE]
    direct = [c for c in free if c.strategy == "direct"]
    if not chosen or not direct:
        return None
    judged = max(direct, key=lambda c: results[c].mean("source"))
    return (
        f"{source} to {target} ({study.study})",
        f"{results[judged].mean('source'):.4f}",
        judged.classifier,
        f"{results[judged].estimate():.3f}",
        f"{results[chosen[0]].estimate():.3f}",
        _said(_effect(study, results, chosen[0], judged)),
    )


def unlabelled_table(ran: Iterable[tuple[Study, Results]]) -> str:
    pairs = ((study, results, *pair) for study, results in ran for pair in study.ordered_pairs())
    rows = [row for row in (unlabelled(*each) for each in pairs) if row]
    names = ("direction", "AUROC at the source", "best there", "AUROC", "auto", "gain of auto")
    return UNLABELLED + "\n" + table(names, rows) + "\n"


def price_table(found: Sequence[Price]) -> str:
    rows = [
        (
            price.size,
            f"{price.auroc:.3f}",
            _said(price.regret),
            price.best,
            _said(price.gain),
            price.rival,
            f"{price.intercept:.2f} ({_known(price.chance)})",
            _known(price.from_truth),
            f"{price.slope:.2f}",
        )
        for price in found
    ]
    names = ("labels", "AUROC of auto", "regret", "best in hindsight", "gain", "rival")
    return table((*names, "mean abs. intercept (chance)", "from the truth's", "slope"), rows)


def _known(value: float) -> str:
    return "–" if np.isnan(value) else f"{value:.2f}"


def _said(effect: tuple[float, float, float]) -> str:
    return f"{effect[0]:+.3f} [{effect[1]:+.3f}, {effect[2]:+.3f}]"


def summary(found: Sequence[Price]) -> str:
    """What holds over all cells."""
    regrets, gains = (np.array([getattr(p, name) for p in found]) for name in ("regret", "gain"))
    enough = [p for p in found if p.rarer >= ENOUGH]
    steep = [p for p in enough if not 0.8 <= p.slope <= 1.2]
    far = [p for p in enough if p.intercept >= 0.2]
    lines = [
        f"{len(found)} cells (directions x sizes).",
        f"Mean regret {regrets[:, 0].mean():+.4f}; cells whose interval lies wholly above .015: "
        f"{_named([p for p in found if p.regret[1] > 0.015])}.",
        f"Mean gain {gains[:, 0].mean():+.4f}; cells whose interval lies wholly below -.005: "
        f"{_named([p for p in found if p.gain[2] < -0.005])}.",
        f"Of {len(enough)} cells with at least {ENOUGH} labels of the rarer class: mean abs. "
        f"intercept {np.mean([p.intercept for p in enough]):.2f}, .2 or more in {_chances(far)}; "
        f"slope outside .8 to 1.2 in {_named(steep)}.",
    ]
    return "\n".join(f"- {line}" for line in lines) + "\n"


def _named(prices: Sequence[Price]) -> str:
    return ", ".join(f"{p.study} {p.direction} {p.size}" for p in prices) or "none"


def _chances(prices: Sequence[Price]) -> str:
    return (
        "; ".join(
            f"{_named([p])} ({p.intercept:.2f}, by chance {_known(p.chance)}, "
            f"from the truth's {_known(p.from_truth)})"
            for p in prices
        )
        or "none"
    )


def main() -> None:
    data, only = (sys.argv[1] if sys.argv[1:] else None), sys.argv[2:]
    parts: list[str] = []
    found: list[Price] = []
    ran: dict[str, tuple[Study, Results]] = {}
    for config in studies(data, ROOT / "results" / "networks"):
        if only and config["study"] not in only:
            continue
        begin = time.monotonic()
        study, results = ran[config["study"]] = run(config)
        for source, target in study.ordered_pairs():
            truth = of_truth(study, target)
            own = prices(study, results, source, target, truth)
            found += own
            parts.append(f"## {source} to {target} ({study.study})\n")
            if not np.isnan(truth):
                parts.append(f"The truth's intercept on the test encounters is {truth:+.2f}.\n")
            parts.append(reached(study, results, source, target) + "\n")
            parts.append(price_table(own) + "\n")
            print("\n".join(parts[-2:]), flush=True)
        print(f"{study.study}: {time.monotonic() - begin:.0f} s", flush=True)
        (ROOT / "docs" / "few-labels.md").write_text(document(found, parts), encoding="utf-8")
    parts += [unlabelled_table(ran.values()), report(ran)]
    (ROOT / "docs" / "few-labels.md").write_text(document(found, parts), encoding="utf-8")
    print(summary(found))


def document(found: Sequence[Price], parts: Sequence[str]) -> str:
    replicates = yaml.safe_load(CONFIG.read_text(encoding="utf-8"))["replicates"]
    head = HEAD.format(machine=machine(), replicates=replicates)
    return "\n".join([head, summary(found), *parts])


if __name__ == "__main__":
    main()
