"""The recalibrations of a bundle's models."""

from __future__ import annotations

import numpy as np

from concept_transfer.models.bundle import ModelCard
from concept_transfer.models.recalibration import Recalibration
from concept_transfer.training.predictions import OK


def usable_recalibrations(card: ModelCard) -> list[Recalibration] | None:
    """Of each replicate that has a model, in their order; None unless the card has that of each: a
    mean of some would be of other models."""
    known = card.calibration or [None] * len(card.replicates)
    pairs = zip(known, card.replicates, strict=True)
    changes = [change for change, record in pairs if record["status"] == OK]
    found = [Recalibration(c["slope"], np.array(c["intercepts"])) for c in changes if c]
    return found if found and len(found) == len(changes) else None
