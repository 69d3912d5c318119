"""Do combinations choose well? Plain models of two sites at few labels, combined.

``python -m benchmarks.few_labels_auto STUDY SOURCE TARGET EMBEDDING [draws]`` needs
``results/STUDY`` with encounters and splits of the two sites, and the embedding's table. The
models share nothing with the project's learners: scikit-learn's naive Bayes and logistic
regression, and a Gaussian process classifier (Laplace's approximation) whose covariance is linear
in findings and summed vectors, on the target alone, with the source's score as its mean, or none.
Every label is held out once, in five folds.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file
from scipy.optimize import brentq
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.naive_bayes import BernoulliNB

from benchmarks.measure import ROOT, table
from concept_transfer.cell import Cell
from concept_transfer.cohorts.budget import draw_budget, replicate_key
from concept_transfer.cohorts.cross_fitting import grouped_folds
from concept_transfer.combining.candidates import Candidate
from concept_transfer.combining.combined import Combine, Combined, combine_models
from concept_transfer.combining.stacking import stacked
from concept_transfer.combining.weights import weighted_by_evidence
from concept_transfer.evaluation.calibration import logit, recalibration, sigmoid
from concept_transfer.sites.site import Site

Array = NDArray[np.float64]

SIZES = ("0", "50", "100", "200", "500")
SEED = 1
AMPLITUDES = tuple(product((0.003, 0.03, 0.1, 0.3), (0.0, 0.03, 0.3, 1.0)))  # findings, vectors
RESIDUAL = tuple(product((0.0, 0.003, 0.03, 0.3), (0.0, 0.03, 0.3, 1.0)))
LEVEL = 9.0  # variance of a process's level
COMBINATIONS: dict[str, Combine] = {"auto": weighted_by_evidence, "stack": stacked}


@dataclass(frozen=True)
class Pair:
    """Findings [n, tokens], summed vectors [n, width] and labels of the target, and log odds of the
    source's models [models, n]."""

    target: Site
    findings: Array
    vectors: Array
    direct: dict[str, Array]


def read_pair(study: str, source: str, target: str, embedding: str) -> Pair:
    """Fit the source's models on the encounters that the source may train on."""
    folder = ROOT / "results" / study
    sites = [
        Site.read(folder / "encounters" / name, folder / "splits" / f"{name}.parquet")
        for name in (source, target)
    ]
    vectors = load_file(folder / "embeddings" / f"{embedding}.safetensors")["vectors"].astype(float)
    vectors /= np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
    origin, findings = (
        site.inputs["findings"].select(np.arange(len(site.labels))).matrix(len(vectors)).toarray()
        for site in sites
    )
    rows = np.concatenate(sites[0].split.source_parts())
    labels = sites[0].labels[rows]
    both = [np.hstack([each, each @ vectors]) for each in (origin, findings)]
    one_hot = LogisticRegression(C=0.3, max_iter=500).fit(origin[rows], labels)
    embedded = LogisticRegression(C=0.3, max_iter=500).fit(both[0][rows], labels)
    bayes = BernoulliNB().fit(origin[rows], labels)
    direct = {
        "direct embedded": embedded.decision_function(both[1]),
        "direct logistic": one_hot.decision_function(findings),
        "direct naive Bayes": logit(bayes.predict_proba(findings)[:, 1]),
    }
    return Pair(sites[1], findings.astype(float), both[1][:, len(vectors) :], direct)


def process(kernel: Array, labels: Array, mean: Array) -> tuple[Array, float]:
    """Dual coefficients of the mode and log evidence (Rasmussen, Williams 2006, algorithm 3.1)."""
    dual, reached = np.zeros(len(labels)), -np.inf
    while True:
        odds = kernel @ dual + mean
        risk = sigmoid(odds)
        root = np.sqrt(np.maximum(risk * (1 - risk), 1e-9))
        factor = np.eye(len(labels)) + root[:, None] * kernel * root
        wanted = root**2 * (odds - mean) + labels - risk
        step = wanted - root * np.linalg.solve(factor, root * (kernel @ wanted)) - dual
        for length in 0.5 ** np.arange(20):
            tried = dual + length * step
            odds = kernel @ tried
            value = -tried @ odds / 2 - np.logaddexp(0, (1 - 2 * labels) * (odds + mean)).sum()
            if value >= reached:
                break
        if value - reached < 1e-6:
            return dual, float(value - np.linalg.slogdet(factor)[1] / 2)
        dual, reached = tried, value


def local(pair: Pair, rows: NDArray[np.int64], asked: NDArray[np.int64]) -> Iterator[Array]:
    """Log odds [asked] of every model that trains on the target's rows, as in `LOCAL`."""
    labels = pair.target.labels[rows].astype(float)
    bayes = BernoulliNB().fit(pair.findings[rows], labels)
    yield logit(bayes.predict_proba(pair.findings[asked])[:, 1])
    own = [each[rows] @ each[rows].T for each in (pair.findings, pair.vectors)]
    cross = [each[asked] @ each[rows].T for each in (pair.findings, pair.vectors)]
    source = pair.direct["direct embedded"]
    for mean, amplitudes in ((np.zeros_like(source), AMPLITUDES), (source, RESIDUAL)):
        fits = [
            (process(a * own[0] + b * own[1] + LEVEL, labels, mean[rows]), (a, b))
            for a, b in amplitudes
        ]
        (dual, _), (a, b) = max(fits, key=lambda fit: fit[0][1])
        yield (a * cross[0] + b * cross[1] + LEVEL) @ dual + mean[asked]


LOCAL = ("local naive Bayes", "local process", "prior process")


def models(pair: Pair, size: str, key: int) -> tuple[dict[str, Array], NDArray[np.int64]]:
    """Log odds of labelled rows (held out) and test rows, by model, and the labelled rows."""
    train, validation, test = pair.target.split.parts(0)
    said = dict(pair.direct)
    if size == "0":
        return said, np.concatenate([train, validation])
    budget = draw_budget(pair.target.cohort, 0, size, [key])
    rows = np.concatenate([budget.train[0], budget.validation[0]])
    labels = pair.target.labels[rows]
    odds = {name: np.zeros(len(pair.findings)) for name in LOCAL}
    folds = grouped_folds(pair.target.split.cluster_number[rows], labels)
    parts = [(rows[folds != fold], rows[folds == fold]) for fold in np.unique(folds)]
    if all(len(np.unique(pair.target.labels[part])) > 1 for part, _ in parts):
        for part, asked in [*parts, (rows, test)]:
            for name, each in zip(LOCAL, local(pair, part, asked), strict=True):
                odds[name][asked] = each
        said |= odds
    return said, rows


def combined(
    pair: Pair, said: dict[str, Array], rows: NDArray[np.int64], size: str, key: int, how: Combine
) -> Combined:
    """A combination of models that have spoken."""
    everyone = np.arange(len(pair.findings))
    candidates = [
        Candidate(
            Cell("source", "target", "none", name, "some", "0" if "direct" in name else size),
            {(0, 0): (everyone, np.stack([1 - sigmoid(each), sigmoid(each)], axis=1))},
            {},
        )
        for name, each in said.items()
    ]
    test = pair.target.split.parts(0)[2]
    rng = np.random.default_rng([key % 2**64, 0])
    made = combine_models(candidates, how, pair.target.cohort, size, (0, 0), rows, test, rng)
    assert made is not None
    return made


def measured(labels: NDArray[np.int8], odds: Array) -> tuple[float, float, float]:
    """AUROC, calibration intercept (slope fixed at 1) and slope."""
    level = brentq(lambda moved: float((labels - sigmoid(moved + odds)).sum()), -30, 30)
    return float(roc_auc_score(labels, odds)), level, recalibration(labels, odds)[1]


def report(pair: Pair, draws: int) -> str:
    """One row a target size and model: means over draws, and regret against the best model."""
    test = pair.target.split.parts(0)[2]
    labels = pair.target.labels[test]
    rows = []
    for size in SIZES:
        found: dict[str, list[tuple[float, float, float]]] = {}
        rarer = []
        for draw in range(draws if size != "0" else 1):
            key = replicate_key(SEED, draw)
            said, labelled = models(pair, size, key)
            rarer.append(np.bincount(pair.target.labels[labelled], minlength=2).min())
            for name, each in said.items():
                found.setdefault(name, []).append(measured(labels, each[test]))
            for name, how in COMBINATIONS.items():
                made = combined(pair, said, labelled, size, key, how)
                odds = logit(made.test[:, 1])
                found.setdefault(name, []).append(measured(labels, odds))
        best = max(np.mean(v, axis=0)[0] for k, v in found.items() if k not in COMBINATIONS)
        for name, values in found.items():
            area, level, slope = np.mean(values, axis=0)
            spread = np.abs(np.array(values)[:, 1]).mean()
            regret = f"{best - area:+.4f}" if name in COMBINATIONS else ""
            shown = [f"{area:.4f}", regret, f"{level:+.2f}", f"{spread:.2f}", f"{slope:.2f}"]
            rows.append((size, f"{np.mean(rarer):.0f}" if size != "0" else "", name, *shown))
    columns = ("labels", "rarer class", "model", "AUROC", "regret", "intercept", "|intercept|")
    return table((*columns, "slope"), rows)


if __name__ == "__main__":
    if len(sys.argv) < 5:
        sys.exit(__doc__)
    print(report(read_pair(*sys.argv[1:5]), int(sys.argv[5]) if sys.argv[5:] else 10))
