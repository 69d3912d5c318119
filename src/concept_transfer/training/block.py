"""The replicates that one job trains side by side."""

from __future__ import annotations

import logging
import math
import time
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from concept_transfer.cohorts.budget import replicate_key
from concept_transfer.concepts.vocabulary import Vocabulary
from concept_transfer.embeddings.table import EmbeddingTable
from concept_transfer.progress import span, within
from concept_transfer.settings.training import Training
from concept_transfer.training.draws import initial_weights
from concept_transfer.training.engine import Fit, fit
from concept_transfer.training.strategies import Plan

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Block:
    """The replicates of one job and what chance gives them."""

    seed: int
    replicates: list[int]

    @property
    def keys(self) -> list[int]:
        return [replicate_key(self.seed, replicate) for replicate in self.replicates]

    def vectors(self, table: EmbeddingTable, vocabulary: Vocabulary) -> Tensor:
        """[tokens, width], or [R, tokens, width] for controls, which every replicate redraws."""
        if table.card.control is None:
            return torch.from_numpy(table.vectors)
        drawn = [table.vectors_for(r, self.seed, vocabulary) for r in self.replicates]
        return torch.from_numpy(np.stack(drawn))


def fit_plan(
    plan: Plan,
    vectors: Tensor,
    keys: list[int],
    settings: Training,
    enough: NDArray[np.bool_],
    device: str,
) -> Fit:
    """Carry out a strategy's plan for the replicates with the given keys [R].

    vectors: [tokens, width] or [R, tokens, width]. enough: bool [R], whether there are enough
    positives for early stopping; the others train `fixed_epochs`. Early stopping may keep a
    handed-on model as it came; the paper's protocol always takes the best epoch after it.
    """
    begin = time.monotonic()
    own_keys = torch.tensor(keys, device=device)
    start = plan.start or initial_weights(own_keys, vectors.shape[-1], settings.filters)
    result = fit(
        plan.dataset.to(device),
        vectors.to(device),
        plan.train.to(device),
        plan.validation.to(device),
        own_keys,
        start.to(device),
        settings,
        [bool(e) and plan.validation.shape[1] > 0 for e in enough],
        plan.frozen,
        plan.start is not None and settings.protocol != "gao2024",
    )
    _log.info(within(f"{described(plan, settings, result)}, {time.monotonic() - begin:.1f} s"))
    return replace(result, weights=result.weights.to("cpu"))


def described(plan: Plan, settings: Training, result: Fit) -> str:
    """What was trained on what, and how well it went, in one line for the log."""
    distinct = plan.train[:1] if plan.train.stride(0) == 0 else plan.train
    positives = plan.dataset.labels[distinct].sum(1).tolist()
    judged = f"validation {settings.monitor}" if plan.validation.shape[1] else "training log_loss"
    scores = [abs(score) for score in result.scores if math.isfinite(score)]
    diverged = sum(result.diverged)
    return (
        f"{len(result.epochs)} replicate(s) trained on {plan.train.shape[1]} encounters "
        f"({span(positives)} positive), validated on {plan.validation.shape[1]}; "
        f"epochs kept {span(result.epochs)}, {judged} {span(scores, '.4f')}"
        + (f", {diverged} diverged" if diverged else "")
    )
