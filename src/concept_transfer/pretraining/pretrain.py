"""From patients' histories to an encoder: pre-training without labels, from start to end."""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence
from dataclasses import astuple
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from concept_transfer.concepts.vocabulary import Vocabulary
from concept_transfer.device import usable_device
from concept_transfer.inputs.history import History
from concept_transfer.models.code_encoder import CodeModel, new_model, weights_of
from concept_transfer.models.code_layers import SPREAD
from concept_transfer.pretraining.checkpoint import Epoch, resume, save
from concept_transfer.pretraining.corpus import Corpus
from concept_transfer.pretraining.draws import generator
from concept_transfer.pretraining.encoder import EncoderFiles
from concept_transfer.pretraining.learning import (
    DEAL,
    DIVISION,
    WEIGHTS,
    Measured,
    learn,
    measure,
    new_optimizer,
)
from concept_transfer.pretraining.shuffled import shuffled
from concept_transfer.pretraining.start import text_start
from concept_transfer.pretraining.vocabulary import SPECIALS
from concept_transfer.progress import Progress
from concept_transfer.settings.encoders import CodeEncoder

_log = logging.getLogger(__name__)


def pretrain(
    histories: Sequence[History],
    masks: Sequence[NDArray[np.bool_]],
    settings: CodeEncoder,
    seed: tuple[int, int],
    *,
    persons: Sequence[NDArray[np.int64]] | None = None,
    text: tuple[Vocabulary, NDArray[np.float32]] | None = None,
    device: str = "cpu",
    threads: int = 1,
    checkpoint: Path | None = None,
) -> tuple[EncoderFiles, list[Epoch]]:
    """An encoder, and how its pre-training went.

    masks: bool [n] a history, the rows that may be learned from; seed: that of the study and the
    number of the copy, from which all that chance decides follows; persons: whose each
    row of each history is, see `vocabulary_of`; text: tokens and the table
    [tokens, any] from which vectors of codes start; checkpoint: the file that is replaced after
    every epoch, and from which a killed pre-training goes on to the same weights.

    Raises StudyError where too few histories or codes are left, or the loss is no number.
    """
    device = usable_device(device)
    torch.set_num_threads(threads)
    if settings.shuffled:
        dealer = generator(seed, DEAL)
        pairs = zip(histories, masks, strict=True)
        histories = [shuffled(history, mask, dealer) for history, mask in pairs]
    corpus = Corpus.of(histories, masks, settings, generator(seed, DIVISION), persons)
    model = _start(corpus, settings, seed, text).to(device)
    best, epochs = _learned(model, corpus, settings, seed, checkpoint)
    chosen = min(epochs, key=lambda epoch: epoch.held_out)
    facts = {
        **corpus.facts(),
        "seed": seed[0],
        "copy": seed[1],
        "parameters": sum(parameter.numel() for parameter in model.parameters()),
        "epochs": epochs[-1].epoch,
        "best_epoch": chosen.epoch,
        "loss": chosen.held_out_loss,
        "accuracy": chosen.held_out_accuracy,
        "next_visit_loss": chosen.held_out_next_visit_loss,
    }
    return EncoderFiles(settings, corpus.vocabulary, best, facts), epochs


def _start(
    corpus: Corpus,
    settings: CodeEncoder,
    seed: tuple[int, int],
    text: tuple[Vocabulary, NDArray[np.float32]] | None,
) -> CodeModel:
    codes = len(corpus.vocabulary)
    model = new_model(settings, codes, int(generator(seed, WEIGHTS).integers(2**63)))
    if text is not None:
        vectors = text_start(corpus.vocabulary.names, *text, settings.width, SPREAD)
        known = ~np.isnan(vectors[:, 0])
        _log.info("vectors of %d of %d codes start from texts", known.sum(), len(known))
        with torch.no_grad():
            table = model.embedding.codes.weight[SPECIALS:]
            table[torch.from_numpy(known)] = torch.from_numpy(vectors[known])
    return model


def _learned(
    model: CodeModel,
    corpus: Corpus,
    settings: CodeEncoder,
    seed: tuple[int, int],
    checkpoint: Path | None,
) -> tuple[dict[str, NDArray[np.float32]], list[Epoch]]:
    """The weights of the epoch of the least loss on held-out histories, and all epochs."""
    optimizer = new_optimizer(model)
    went_on = resume(checkpoint, model, optimizer) if checkpoint else None
    if went_on is None:
        before = measure(model, corpus, settings, seed)
        epochs = [_row(0, Measured(math.nan, math.nan, math.nan), before, math.nan)]
        best = weights_of(model)
    else:
        best, epochs = went_on
        _log.info("going on after epoch %d", epochs[-1].epoch)
    tokens = int(corpus.lengths[corpus.training].sum())
    progress = Progress("tokens", tokens * (settings.epochs - epochs[-1].epoch), at_most=True)
    while settings.pretrain and not _done(epochs, settings):
        done = epochs[-1].epoch
        learned, speed = learn(model, optimizer, corpus, settings, seed, done, progress)
        held_out = measure(model, corpus, settings, seed)
        if held_out.whole < min(epoch.held_out for epoch in epochs):
            best = weights_of(model)
        epochs.append(_row(done + 1, learned, held_out, speed))
        _log.info(
            "epoch %d of at most %d: loss %.4f, accuracy %.3f, next visits %.4f; held out: loss "
            "%.4f, accuracy %.3f, next visits %.4f; %.0f tokens/s",
            *(done + 1, settings.epochs, *astuple(learned), *astuple(held_out), speed),
        )
        if checkpoint:
            save(checkpoint, model, optimizer, best, epochs)
    return best, epochs


def _row(epoch: int, learned: Measured, held_out: Measured, speed: float) -> Epoch:
    return Epoch(
        epoch,
        learned.loss,
        learned.accuracy,
        learned.next_visit_loss,
        held_out.loss,
        held_out.accuracy,
        held_out.next_visit_loss,
        speed,
    )


def _done(epochs: Sequence[Epoch], settings: CodeEncoder) -> bool:
    best = min(epochs, key=lambda epoch: epoch.held_out)
    last = epochs[-1].epoch
    return last >= settings.epochs or last - best.epoch >= settings.patience
