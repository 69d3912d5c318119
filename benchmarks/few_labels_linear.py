"""Linear learners that know the embedding, with few labels, on the demo's counties.

``python -m benchmarks.few_labels_linear [draws]`` samples 6,000 encounters of each county, of other
seeds than the demo's, and prints the AUROC on the target's test encounters.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator

import numpy as np
from sklearn.metrics import roc_auc_score

from benchmarks.measure import ROOT, table
from concept_transfer.cohorts.budget import Budget, draw_budget, same_for_all
from concept_transfer.cohorts.cohort import Cohort
from concept_transfer.cohorts.splitting import make_split
from concept_transfer.concepts.vocabulary import Vocabulary
from concept_transfer.embeddings.providers import embed
from concept_transfer.learners import LEARNERS
from concept_transfer.learners.learner import Context, CrossFitted
from concept_transfer.settings.training import Training
from concept_transfer.sites.reading import read_site
from concept_transfer.sites.site import Site
from concept_transfer.sites.tokens import allowed_tokens
from concept_transfer.strategies import STRATEGIES
from concept_transfer.strategies.strategy import Situation
from concept_transfer.study import Study, load_study
from concept_transfer.training.block import Block
from concept_transfer.yaml_files import read_yaml

ENCOUNTERS = 6000
SEEDS = {"north": 11, "south": 12}
SIZES = (50, 100, 200, 500)
FOLDS = 5
TRAINING = Training.model_validate({})


def demo() -> Study:
    """The demo's study with more encounters."""
    config = read_yaml(ROOT / "config" / "config.yaml")
    for name, seed in SEEDS.items():
        config["sites"][name] |= {"encounters": ENCOUNTERS, "seed": seed}
    return load_study(config)


def site_of(study: Study, name: str, vocabulary: Vocabulary) -> Site:
    """One of the study's sites, in memory."""
    extract = read_site(study.sites[name], vocabulary, study.task, ROOT)
    split = make_split(extract.encounters, study.split, study.seed, name)
    return Site(Cohort(name, extract.encounters.labels, split), extract.inputs)


class Bench:
    """A learner with the vectors of the demo's embedding, for so many draws."""

    def __init__(self, learner: str, vectors: np.ndarray, draws: int) -> None:
        block = Block(0, list(range(draws)))
        self.keys = block.keys
        record = LEARNERS[learner]
        settings = record.settings.model_validate({"kind": learner})
        context = Context(tuple(block.keys), len(vectors), 2, vectors)
        self.family = record.family(settings, context)

    def source(self, site: Site) -> object:
        """The models that a site hands on."""
        train, validation = (same_for_all(r, len(self.keys)) for r in site.split.source_parts())
        local = STRATEGIES["local"]
        settings = local.settings.model_validate({"kind": "local"})
        plan = local.plan(Situation(settings, site, Budget(train, validation), None, None))
        choose = np.ones(len(self.keys), bool)
        return self.family.fit(plan, TRAINING, choose).models

    def cross_fit(self, site: Site, size: int, strategy: str, model: object) -> CrossFitted:
        """Trained by a strategy on every draw, all labels of which train."""
        budget = draw_budget(site.cohort, 0, str(size), self.keys)
        rows = np.hstack([budget.train, budget.validation])
        settings = STRATEGIES[strategy].settings.model_validate({"kind": strategy})
        every = Budget(rows, rows[:, :0])
        plan = STRATEGIES[strategy].plan(Situation(settings, site, every, None, model))
        folds = np.broadcast_to(np.arange(rows.shape[1]) % FOLDS, rows.shape)
        return self.family.cross_fit(plan, TRAINING, folds)

    def auroc(self, site: Site, models: object) -> np.ndarray:
        """Of each draw's model, on the test encounters."""
        test = site.split.parts(0)[2]
        probability = self.family.predict(models, site, test)[..., 1]
        return np.array([roc_auc_score(site.labels[test], each) for each in probability])


def rows(draws: int) -> Iterator[tuple[object, ...]]:
    study = demo()
    vocabulary = Vocabulary.read(ROOT / study.vocabulary)
    sites = {name: site_of(study, name, vocabulary) for name in SEEDS}
    allowed = allowed_tokens(vocabulary, study.task)
    minilm = embed("minilm", study.embeddings["minilm"], vocabulary, ROOT, (), "cpu", allowed)
    for source, target in (("north", "south"), ("south", "north")):
        for learner in ("gaussian_process", "embedding_logistic"):
            bench = Bench(learner, minilm.vectors, draws)
            handed_on = bench.source(sites[source])
            area = bench.auroc(sites[target], handed_on).mean()
            yield f"{source} -> {target}", learner, "direct", 0, area, ""
            for strategy, model in (("local", None), ("prior", handed_on)):
                for size in SIZES:
                    start = time.process_time()
                    found = bench.cross_fit(sites[target], size, strategy, model)
                    seconds = time.process_time() - start
                    area = bench.auroc(sites[target], found.fitted.models).mean()
                    yield f"{source} -> {target}", learner, strategy, size, area, seconds


if __name__ == "__main__":
    draws = int(sys.argv[1]) if sys.argv[1:] else 10
    head = ("sites", "learner", "strategy", "labels", "AUROC", "seconds of all draws")
    print(table(head, list(rows(draws))))
