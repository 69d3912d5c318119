"""The loop of adaptation: steps over drawn parts of documents, resumable at any of them."""

from __future__ import annotations

import copy
import logging
import math
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from concept_transfer.errors import StudyError
from concept_transfer.pretraining.draws import generator
from concept_transfer.pretraining.text.checkpoint import Way, resume, save
from concept_transfer.pretraining.text.network import AdaptedNetwork
from concept_transfer.pretraining.text.objectives import Lesson, losses
from concept_transfer.pretraining.text.schedule import (
    DROPOUT,
    PARTS,
    Budget,
    batches,
    slanted_triangle,
)
from concept_transfer.progress import Progress
from concept_transfer.settings.text_encoders import TextEncoder

DECAY = 0.1  # weight decay of AdamW (Giorgi et al. 2021)
LARGEST_STEP = 1.0  # norm of a gradient, beyond which it is shortened
ROWS = 20  # of the log
EVERY = 60.0  # seconds between checkpoints
WARM_UP, MEASURED = 2, 8  # steps that a measure of speed takes, the first of which do not count

_log = logging.getLogger(__name__)


def learn(
    model: AdaptedNetwork,
    lesson: Lesson,
    seed: tuple[int, int],
    budget: Budget,
    checkpoint: Path,
    identity: str,
) -> Way:
    """Adapt a model in place, from where the checkpoint of this identity ends.

    All that chance decides follows from the seed and the number of the step. Raises StudyError
    where the loss is no number any more.
    """
    weights = model.learning()
    optimizer = torch.optim.AdamW(weights.values(), weight_decay=DECAY, fused=True)
    way = resume(checkpoint, weights, optimizer, identity)
    if way.steps:
        _log.info("going on after step %d", way.steps)
    done = way.steps if budget.unit == "steps" else way.tokens
    progress = Progress(budget.unit, max(budget.total - done, 0))
    steps, began, saved = _Steps(model, lesson, seed, optimizer), time.monotonic(), time.monotonic()
    with _own_randomness(model):
        while (share := budget.share(way.steps, way.tokens)) < 1:
            tokens = steps.take(way, share)
            progress.advance(tokens if budget.unit == "tokens" else 1)
            now, share = time.monotonic(), budget.share(way.steps, way.tokens)
            if share >= min((len(way.rows) + 1) / ROWS, 1):
                _log_row(way, lesson.settings, now - began)
                began = now
            if now - saved >= EVERY:
                save(checkpoint, weights, optimizer, way, identity)
                saved = now
    return way


def measured_steps(
    model: AdaptedNetwork, lesson: Lesson, seed: tuple[int, int], seconds: float
) -> int:
    """How many steps so many seconds are worth here, measured on a copy of the model."""
    trial = copy.deepcopy(model)
    optimizer = torch.optim.AdamW(trial.learning().values(), weight_decay=DECAY, fused=True)
    steps, way, began = _Steps(trial, lesson, seed, optimizer), Way(), 0.0
    with _own_randomness(model):
        for number in range(WARM_UP + MEASURED):
            if number == WARM_UP:
                began = time.monotonic()
            steps.take(way, 0)
    return max(1, round(seconds * MEASURED / (time.monotonic() - began)))


class _Steps:
    """Steps of an optimizer, one after the other, each decided by its number."""

    def __init__(
        self,
        model: AdaptedNetwork,
        lesson: Lesson,
        seed: tuple[int, int],
        optimizer: torch.optim.Optimizer,
    ) -> None:
        self._model, self._lesson, self._seed, self._optimizer = model, lesson, seed, optimizer
        self._precision = precision_of(lesson.settings, next(model.parameters()).device)
        self._pass: tuple[int, Sequence[NDArray[np.int64]]] = (-1, [])
        self._per_pass = len(self._batches(0))
        model.train()

    def take(self, way: Way, share: float) -> int:
        """One more step, at this share of the budget; tokens that it read."""
        number, place = divmod(way.steps, self._per_pass)
        settings, model = self._lesson.settings, self._model
        torch.manual_seed(int(generator(self._seed, DROPOUT, way.steps).integers(2**63)))
        parts = generator(self._seed, PARTS, way.steps)
        found = losses(model, self._lesson, self._batches(number)[place], parts, self._precision)
        for group in self._optimizer.param_groups:
            group["lr"] = settings.learning_rate * slanted_triangle(share)
        self._optimizer.zero_grad()
        total = found.total(settings)
        total.backward()
        torch.nn.utils.clip_grad_norm_(model.learning().values(), LARGEST_STEP)
        self._optimizer.step()
        for name, loss in (("loss", total), *found.of.items()):
            way.sums[name] = way.sums.get(name, 0.0) + loss.item()
        way.steps, way.tokens = way.steps + 1, way.tokens + found.tokens
        way.since = (way.since[0] + 1, way.since[1] + found.tokens)
        return found.tokens

    def _batches(self, number: int) -> Sequence[NDArray[np.int64]]:
        if self._pass[0] != number:
            lengths, size = self._lesson.documents.lengths, self._lesson.settings.batch_size
            self._pass = number, batches(lengths, size, self._seed, number)
        return self._pass[1]


def precision_of(settings: TextEncoder, device: torch.device) -> torch.dtype:
    """In what products are computed."""
    if settings.precision != "auto":
        return torch.bfloat16 if settings.precision == "bfloat16" else torch.float32
    fast = device.type == "cuda" and torch.cuda.is_bf16_supported()
    return torch.bfloat16 if fast else torch.float32


@contextmanager
def _own_randomness(model: AdaptedNetwork) -> Iterator[None]:
    device = next(model.parameters()).device
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        yield


def _log_row(way: Way, settings: TextEncoder, seconds: float) -> None:
    """Make what has come since the last row into one, and say it."""
    steps, tokens = way.since
    means = {name: total / steps for name, total in way.sums.items()}
    if not math.isfinite(means["loss"]):
        raise StudyError(
            f"the loss is no number after {way.steps} step(s): learning_rate "
            f"({settings.learning_rate}) is too large; lower it"
        )
    speed = tokens / max(seconds, 1e-9)
    way.rows.append({"step": way.steps, "tokens": way.tokens, **means, "tokens_per_second": speed})
    said = ", ".join(f"{name} {mean:.4f}" for name, mean in means.items())
    _log.info("step %d, %d tokens: %s; %.0f tokens/s", way.steps, way.tokens, said, speed)
    way.sums, way.since = {}, (0, 0)
