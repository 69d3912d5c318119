"""Models of other implementations fitted to few labels, and this project's own.

``python -m benchmarks.few_labels_reference DATA`` prints the table that `few_labels` adds to
``docs/few-labels.md``. What the studies of `few_labels_pairs` hold is read from their results;
networks, and pooled training with a chosen weight, are fitted here.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from sklearn.linear_model import LogisticRegressionCV
from sklearn.metrics import roc_auc_score

from benchmarks.few_labels_cnn import areas
from benchmarks.few_labels_pairs import run, studies
from benchmarks.measure import ROOT, table
from concept_transfer.cell import ALL_MODELS
from concept_transfer.cohorts.budget import draw_budget
from concept_transfer.cohorts.cohort import Cohort
from concept_transfer.cohorts.splitting import make_split
from concept_transfer.concepts.vocabulary import Vocabulary
from concept_transfer.embeddings.providers import embed
from concept_transfer.evaluation.results import Results
from concept_transfer.sites.reading import read_site
from concept_transfer.sites.site import Site
from concept_transfer.sites.tokens import allowed_tokens
from concept_transfer.study import Study
from concept_transfer.training.block import Block

SIZES = ("50", "100", "200", "500")
PENALTIES = np.logspace(-3, 1.5, 10)
DIRECTIONS = {
    "north to south": "few_labels",
    "south to north": "few_labels",
    "distance5 to target": "few_labels_gao2024",
}
COLUMNS = ("direction", "their model", *(f"{size} labels" for size in SIZES), "least gain")
HEAD = """Other implementations fitted these to samples of the same counties, in 6 to 10 draws (in
parentheses; "as it was": an earlier version of this project's own).
Before them models of the same kind as they are now, with their defaults, on draws and test
encounters of their own: what these allow is told by scikit-learn's logistic regression."""
Figures = tuple[float, ...]  # one of each of `SIZES`; there is none of the last in one line


@dataclass(frozen=True)
class Line:
    """A model of theirs, its AUROC in each of `DIRECTIONS`, and the model here."""

    name: str
    figures: tuple[Figures, Figures, Figures]
    classifier: str
    strategy: str

    @property
    def fitted_here(self) -> bool:
        return self.classifier == "cnn" or self.strategy == "pooled"


LINES = (
    Line(
        "CNN local (as it was)",
        ((0.547, 0.562, 0.657, 0.792), (0.592, 0.589, 0.637, 0.802), (0.787, 0.830, 0.833, 0.932)),
        "cnn",
        "local",
    ),
    Line(
        "CNN full (as it was)",
        ((0.810, 0.817, 0.823, 0.823), (0.847, 0.855, 0.869, 0.894), (0.836, 0.867, 0.914, 0.946)),
        "cnn",
        "full",
    ),
    Line(
        "logistic local (as it was)",
        ((0.732, 0.757, 0.803, 0.834), (0.762, 0.798, 0.855, 0.902), (0.908, 0.933, 0.945, 0.960)),
        "logistic",
        "local",
    ),
    Line(
        "logistic pooled (as it was)",
        ((0.811, 0.831, 0.847, 0.855), (0.843, 0.870, 0.890, 0.915), (0.819, 0.830, 0.850, 0.914)),
        "logistic",
        "pooled",
    ),
    Line(
        "logistic local, penalty by cross-validation",
        ((0.742, 0.769, 0.813, 0.846), (0.774, 0.814, 0.868, 0.912), (0.924, 0.942, 0.948, 0.963)),
        "logistic",
        "local",
    ),
    Line(
        "naive Bayes local",
        ((0.742, 0.782, 0.816, 0.846), (0.785, 0.829, 0.881, 0.899), (0.941, 0.954, 0.963, 0.970)),
        "naive_bayes",
        "local",
    ),
    Line(
        "Gaussian process local",
        ((0.746, 0.787, 0.829, 0.851), (0.780, 0.831, 0.877, 0.911), (0.941, 0.949, 0.956, 0.964)),
        "gaussian_process",
        "local",
    ),
    Line(
        "source score as prior mean, Gaussian process",
        ((0.841, 0.844, 0.850, 0.862), (0.870, 0.878, 0.898, 0.920), (0.915, 0.944, 0.956, 0.965)),
        "gaussian_process",
        "prior",
    ),
    Line(
        "stack",
        ((0.827, 0.834, 0.847, 0.857), (0.872, 0.877, 0.897, 0.911), (0.947, 0.955, 0.964, 0.970)),
        ALL_MODELS,
        "stack",
    ),
    Line(
        "logistic pooled, weight by cross-validation",
        ((0.802, 0.821, 0.839), (0.861, 0.884, 0.896), (0.943, 0.950, 0.956)),
        "logistic",
        "pooled",
    ),
)


def sites_of(study: Study, source: str, target: str) -> tuple[Site, Site]:
    """Two sites of a study, read as its jobs read them."""
    vocabulary = Vocabulary.read(ROOT / study.vocabulary)

    def site(name: str) -> Site:
        extract = read_site(study.sites[name], vocabulary, study.task, ROOT)
        split = make_split(extract.encounters, study.split, study.seed, name)
        return Site(Cohort(name, extract.encounters.labels, split), extract.inputs)

    return site(source), site(target)


def fitted(study: Study, line: Line, source: str, target: str) -> Figures:
    """Mean test AUROC at each size, of models that are fitted here with their defaults."""
    vocabulary = Vocabulary.read(ROOT / study.vocabulary)
    allowed = allowed_tokens(vocabulary, study.task)
    (name, embedding), *_ = study.embeddings.items()
    vectors = embed(name, embedding, vocabulary, ROOT, allowed=allowed).vectors
    sites = sites_of(study, source, target)
    found = areas(*sites, vectors, study.training, [line.strategy], SIZES, line.classifier)
    return tuple(float(each.mean()) for _, _, each, _, _ in found)


def read(results: Results, line: Line, source: str, target: str) -> Figures:
    """The same of a model that a study has."""
    cells = {
        cell.size: cell
        for cell in results
        if (cell.classifier, cell.strategy, cell.target) == (line.classifier, line.strategy, target)
        and cell.source in ("", source)
    }
    return tuple(results[cells[size]].estimate() for size in SIZES)


def by_scikit_learn(study: Study, source: str, target: str) -> Figures:
    """What a plain cross-validated penalty reaches with the same draws: a sample's own ceiling."""
    _, site = sites_of(study, source, target)
    everyone = np.arange(len(site.labels))
    tokens = len(Vocabulary.read(ROOT / study.vocabulary))
    findings = site.inputs["findings"].select(everyone).matrix(tokens)
    _, _, test = site.split.parts(0)
    keys = list(Block(study.seed, list(range(study.replicates))).keys)
    reached = []
    for size in SIZES:
        budget = draw_budget(site.cohort, 0, size, keys).joined.train
        models = [
            LogisticRegressionCV(Cs=PENALTIES, scoring="neg_log_loss", max_iter=500).fit(
                findings[rows], site.labels[rows]
            )
            for rows in budget
        ]
        areas = [
            roc_auc_score(site.labels[test], each.decision_function(findings[test]))
            for each in models
        ]
        reached.append(float(np.mean(areas)))
    return tuple(reached)


def report(found: Mapping[str, tuple[Study, Results]]) -> str:
    """The section of the document; found: the studies of `DIRECTIONS` by name, those that ran."""
    rows = []
    for place, (direction, name) in enumerate(DIRECTIONS.items()):
        if name not in found:
            continue
        study, results = found[name]
        source, target = direction.split(" to ")
        known: dict[tuple[str, str], Figures] = {}
        for line in LINES:
            key = line.classifier, line.strategy
            if key not in known:
                known[key] = (
                    fitted(study, line, source, target)
                    if line.fitted_here
                    else read(results, line, source, target)
                )
            rows.append((direction, line.name, *_against(known[key], line.figures[place])))
            if "cross-validation" in line.name and line.strategy == "local":
                plain = by_scikit_learn(study, source, target)
                name = "the same by scikit-learn, with these draws"
                rows.append((direction, name, *_against(plain, line.figures[place])))
    return f"## Other implementations\n\n{HEAD}\n\n{table(COLUMNS, rows)}\n"


def _against(ours: Figures, figures: Figures) -> tuple[str, ...]:
    """A text a size, "ours (figure)", and by how much the furthest misses."""
    pairs = list(zip(ours, figures, strict=False))
    texts = [f"{own:.3f} ({figure:.3f})" for own, figure in pairs]
    least = min(own - figure for own, figure in pairs)
    return (*texts, *[""] * (len(SIZES) - len(texts)), f"{least:+.3f}")


def main() -> None:
    found = {
        config["study"]: run(config)
        for config in studies(sys.argv[1], ROOT / "results" / "networks")
        if config["study"] in DIRECTIONS.values()
    }
    print(report(found))


if __name__ == "__main__":
    main()
