"""The loop of pre-training: epochs over packed batches, and the loss on held-out histories."""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from concept_transfer.errors import StudyError
from concept_transfer.models.code_encoder import CodeModel
from concept_transfer.pretraining.batches import packed
from concept_transfer.pretraining.corpus import Corpus
from concept_transfer.pretraining.draws import generator
from concept_transfer.pretraining.masking import masked
from concept_transfer.pretraining.next_visits import cut_off
from concept_transfer.progress import Progress
from concept_transfer.settings.encoders import CodeEncoder

WARM_UP = 0.05  # of all passes
DECAY = 0.01  # weight decay of AdamW
LARGEST_STEP = 1.0  # norm of a gradient, beyond which it is shortened

DIVISION, DEAL, WEIGHTS, ORDER, MASKS, DROPOUT, HELD_OUT_MASKS = range(7)


@dataclass(frozen=True)
class Measured:
    """loss: mean over events to be predicted, in nats, and over histories of the loss of prolonged
    stays where that is predicted; accuracy: share of events whose code is the likeliest one;
    next_visit_loss: mean over histories that are cut off, 0 where none is."""

    loss: float
    accuracy: float
    next_visit_loss: float

    @property
    def whole(self) -> float:
        """What learning is to lower."""
        return self.loss + self.next_visit_loss


@dataclass(frozen=True)
class Sums:
    """What a batch adds to `Measured`; float64 tensors on the device."""

    loss: Tensor
    right: Tensor
    events: int
    stay_loss: Tensor
    histories: int
    next_visit_loss: Tensor
    next_visits: int


def new_optimizer(model: CodeModel) -> torch.optim.AdamW:
    return torch.optim.AdamW(model.parameters(), weight_decay=DECAY, fused=True)


def learning_rate(peak: float, progress: float) -> float:
    """Rises in a line to the peak, and falls in a line to 0; progress: share of all passes done.

    >>> [round(learning_rate(1.0, share), 3) for share in (0, 0.025, 0.05, 0.525, 1)]
    [0.0, 0.5, 1.0, 0.5, 0.0]
    """
    return peak * min(progress / WARM_UP, (1 - progress) / (1 - WARM_UP))


def learn(
    model: CodeModel,
    optimizer: torch.optim.AdamW,
    corpus: Corpus,
    settings: CodeEncoder,
    seed: tuple[int, int],
    epoch: int,
    progress: Progress,
) -> tuple[Measured, float]:
    """One epoch, from 0, in place; what the model said before each step, and tokens a second.

    All that chance decides follows from seed and epoch. Raises StudyError where the loss is no
    number any more.
    """
    device = next(model.parameters()).device
    masks, began, tokens = generator(seed, MASKS, epoch), time.monotonic(), 0
    batches = packed(
        corpus.lengths[corpus.training], settings.batch_tokens, generator(seed, ORDER, epoch)
    )
    sums = []
    model.train()
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(int(generator(seed, DROPOUT, epoch).integers(2**63)))
        for place, rows in enumerate(batches):
            share = (epoch + (place + 0.5) / len(batches)) / settings.epochs
            for group in optimizer.param_groups:
                group["lr"] = learning_rate(settings.learning_rate, share)
            numbers = corpus.training[np.sort(rows)]
            loss, added = _losses(model, corpus, numbers, settings, masks)
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), LARGEST_STEP)
            optimizer.step()
            sums.append(added)
            count = int(corpus.lengths[numbers].sum())
            tokens += count
            progress.advance(count)
    measured = _measured(sums)
    if not np.isfinite(measured.whole):
        raise StudyError(
            f"the loss is no number after {epoch + 1} epoch(s): learning_rate "
            f"({settings.learning_rate}) is too large; lower it"
        )
    return measured, tokens / max(time.monotonic() - began, 1e-9)


@torch.inference_mode()
def measure(
    model: CodeModel, corpus: Corpus, settings: CodeEncoder, seed: tuple[int, int]
) -> Measured:
    """Of the held-out histories, with the same events masked whenever it is asked."""
    masks = generator(seed, HELD_OUT_MASKS)
    model.eval()
    batches = packed(corpus.lengths[corpus.held_out], settings.batch_tokens)
    return _measured(
        [
            _losses(model, corpus, corpus.held_out[np.sort(rows)], settings, masks)[1]
            for rows in batches
        ]
    )


def _losses(
    model: CodeModel,
    corpus: Corpus,
    numbers: NDArray[np.int64],
    settings: CodeEncoder,
    masks: np.random.Generator,
) -> tuple[Tensor, Sums]:
    """The loss of a batch, and what it adds to the measures; numbers: ascending."""
    device = next(model.parameters()).device
    cut = cut_off(corpus.batch(numbers), corpus.vocabulary, settings.next_visits, masks)
    one = masked(cut.batch, corpus.vocabulary, settings.mask_rate, masks).to(str(device))
    cut = cut.to(str(device))
    with torch.autocast(device.type, torch.bfloat16, enabled=device.type == "cuda"):
        at = one.chosen | cut.asked
        at[:, 0] = model.stay is not None  # of [CLS], which is never chosen
        hidden = model(one.batch, at)
        logits = model.code_logits(hidden[one.chosen[at]]).float()
        next_logits = model.code_logits(hidden[cut.asked[at]]).float()
    loss = functional.cross_entropy(logits, one.answers, reduction="sum")
    next_loss = functional.cross_entropy(next_logits, cut.answers, reduction="sum")
    right = (logits.detach().argmax(-1) == one.answers).sum()
    events, next_visits, stay_loss = len(one.answers), len(cut.answers), loss.new_zeros(())
    if model.stay is not None:
        assert settings.prolonged_stay is not None
        stays = torch.from_numpy(corpus.stays(numbers, settings.prolonged_stay)).to(device)
        said = model.stay(hidden[~(one.chosen | cut.asked)[at]].float())[:, 0]
        stay_loss = functional.binary_cross_entropy_with_logits(
            said, stays.float(), reduction="sum"
        )
    total = loss / max(events, 1) + next_loss / max(next_visits, 1) + stay_loss / len(numbers)
    return total, Sums(
        loss.detach().double(),
        right.double(),
        events,
        stay_loss.detach().double(),
        len(numbers),
        next_loss.detach().double(),
        next_visits,
    )


def _measured(sums: list[Sums]) -> Measured:
    events = max(sum(each.events for each in sums), 1)
    histories = max(sum(each.histories for each in sums), 1)
    next_visits = max(sum(each.next_visits for each in sums), 1)
    loss, right, stay_loss, next_visit_loss = (
        float(torch.stack([getattr(each, name) for each in sums]).sum())
        for name in ("loss", "right", "stay_loss", "next_visit_loss")
    )
    return Measured(
        loss / events + stay_loss / histories, right / events, next_visit_loss / next_visits
    )
