"""What chance alone makes of a calibration intercept."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.special import expit, logit
from scipy.stats import norm

from benchmarks.measure import ROOT
from concept_transfer.cohorts.encounters import Encounters
from concept_transfer.cohorts.splitting import make_split
from concept_transfer.concepts.vocabulary import Vocabulary
from concept_transfer.sites.reading import read_site
from concept_transfer.sites.simulated import site_posterior
from concept_transfer.sites.simulated_site import SimulatedSite
from concept_transfer.study import Study

NAN = float("nan")


def by_chance(rarer: float, auroc: float, labels: NDArray[np.int8]) -> float:
    """Mean distance from 0 of the intercept of a right model: what labels with so many of the rarer
    class estimate, measured on test encounters (`labels`); of normal scores a class."""
    share = min(labels.mean(), 1 - labels.mean())
    if not rarer:
        return NAN
    apart = float(norm.ppf(auroc)) * 2**0.5
    scores = np.random.default_rng(0).normal(size=(2, 20000)) + np.array([[0.0], [apart]])
    odds = apart * (scores - apart / 2) + np.log(share / (1 - share))
    spread = 0.25 / np.cosh(odds / 2) ** 2
    each = float((1 - share) * spread[0].mean() + share * spread[1].mean())
    return float((2 / np.pi * (share / rarer + 1 / len(labels)) / each) ** 0.5)


def of_truth(study: Study, target: str) -> float:
    """The intercept, on a site's test encounters, of the probabilities that these were drawn with;
    NaN for a site that is not simulated here."""
    section = study.sites[target]
    if not isinstance(section, SimulatedSite):
        return NAN
    vocabulary = Vocabulary.read(ROOT / study.vocabulary)
    extract = read_site(section, vocabulary, study.task, ROOT)
    _, _, test = make_split(extract.encounters, study.split, study.seed, target).parts(0)
    tested = Encounters(extract.encounters.table.take(test))
    findings = extract.inputs["findings"].select(test)
    risks = site_posterior(section, tested, findings, vocabulary, study.task, ROOT)
    odds, labels = logit(risks[:, 1]), tested.labels
    return float(brentq(lambda moved: (labels - expit(moved + odds)).sum(), -30, 30))
