"""What the concept CNN makes of few labels, on the demo's two counties.

``python -m benchmarks.few_labels_cnn [strategy ...]`` samples 6,000 encounters of each county of
``config/config.yaml`` and fits ten draws of each budget with the embedding ``minilm`` and the
default settings of training.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Sequence

import numpy as np
import yaml
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from benchmarks.measure import ROOT, table
from concept_transfer.cohorts.cohort import Cohort
from concept_transfer.cohorts.splitting import make_split
from concept_transfer.concepts.vocabulary import Vocabulary
from concept_transfer.embeddings.providers import embed
from concept_transfer.learners import LEARNERS
from concept_transfer.learners.learner import Context
from concept_transfer.settings.training import Training
from concept_transfer.sites.reading import read_site
from concept_transfer.sites.site import Site
from concept_transfer.sites.tokens import allowed_tokens
from concept_transfer.strategies import STRATEGIES
from concept_transfer.study import Study
from concept_transfer.training.block import Block
from concept_transfer.training.cells import run_cell
from concept_transfer.training.source_models import train_source
from concept_transfer.training.work import Work, Workbench

ENCOUNTERS, DRAWS = 6000, 10
SIZES = ("50", "100", "200", "500")


def counties(encounters: int) -> tuple[list[Site], NDArray[np.float32]]:
    """The demo's two counties with so many encounters each, and the vectors of ``minilm``."""
    config = yaml.safe_load((ROOT / "config" / "config.yaml").read_text(encoding="utf-8"))
    study = Study.model_validate(config)
    vocabulary = Vocabulary.read(ROOT / study.vocabulary)
    sites = []
    for name, section in study.sites.items():
        larger = section.model_copy(update={"encounters": encounters})
        extract = read_site(larger, vocabulary, study.task, ROOT)
        split = make_split(extract.encounters, study.split, study.seed, name)
        cohort = Cohort(name, extract.encounters.labels, split)
        sites.append(Site(cohort, extract.inputs))
    allowed = allowed_tokens(vocabulary, study.task)
    embedding = study.embeddings["minilm"]
    return sites, embed("minilm", embedding, vocabulary, ROOT, allowed=allowed).vectors


def areas(
    source: Site,
    target: Site,
    vectors: NDArray[np.float32],
    training: Training,
    strategies: Sequence[str],
    sizes: Sequence[str] = SIZES,
    learner: str = "cnn",
) -> Iterator[tuple[str, str, NDArray[np.float64], list[int], float]]:
    """(strategy, size, test AUROC of each draw, epochs kept, seconds) of a learner's defaults."""
    block = Block(0, list(range(DRAWS)))
    record = LEARNERS[learner]
    own = vectors if record.takes_embedding else None
    context = Context(tuple(block.keys), len(vectors), vectors=own)
    section = record.settings.model_validate({"kind": learner})
    bench = Workbench(record, section, context, block.replicates)
    handed_on = None
    if any(STRATEGIES[kind].starts_from_source for kind in strategies):
        handed_on = train_source(source, bench, training)
    for kind in strategies:
        settings = STRATEGIES[kind].settings.model_validate({"kind": kind})
        for size in sizes if STRATEGIES[kind].uses_labels else ("0",):
            begin = time.monotonic()
            work = Work(settings, size, training, target, source, handed_on)
            predictions, fitted = run_cell(bench, work)
            tested = [predictions.tested(draw) for draw in block.replicates]
            found = [roc_auc_score(labels, risk) for labels, risk, _ in tested]
            yield kind, size, np.array(found), fitted.epochs, time.monotonic() - begin


def report(strategies: Sequence[str], training: Training) -> str:
    """Test AUROC of every cell, as a table."""
    (north, south), vectors = counties(ENCOUNTERS)
    rows = []
    for source, target in ((north, south), (south, north)):
        for kind, size, found, epochs, seconds in areas(
            source, target, vectors, training, strategies
        ):
            kept = f"{np.median(epochs):.0f} ({min(epochs)}-{max(epochs)})"
            area = f"{found.mean():.4f} ({found.std(ddof=1):.4f})"
            rows.append((target.name, kind, size, area, kept, seconds))
    columns = ("target", "strategy", "labels", "AUROC (SD)", "epochs kept (range)", "seconds")
    return table(columns, rows)


if __name__ == "__main__":
    print(report(sys.argv[1:] or ["local", "full", "direct"], Training.model_validate({})))
