"""Model families, one record each: another one is a file here."""

from __future__ import annotations

from concept_transfer.learners.learner import Learner
from concept_transfer.registry import Registry, records_in

LEARNERS: Registry[Learner] = Registry(
    __name__, records_in(__name__, __path__, "LEARNER", "learner")
)
