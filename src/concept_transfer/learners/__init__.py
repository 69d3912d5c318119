"""Model families, one record each."""

from __future__ import annotations

from concept_transfer.learners.learner import Learner
from concept_transfer.registry import Registry

_HERE = "concept_transfer.learners"

LEARNERS: Registry[Learner] = Registry(
    _HERE,
    {
        "cnn": f"{_HERE}.concept_cnn:LEARNER",
        "logistic": f"{_HERE}.logistic:LEARNER",
        "gradient_boosting": f"{_HERE}.gradient_boosting:LEARNER",
        "naive_bayes": f"{_HERE}.naive_bayes:LEARNER",
    },
)
