"""A tagger that tunes a language model, or trains a transformer, with a linear or a CRF head."""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from concept_transfer.device import usable_device
from concept_transfer.embeddings.language_model import load_network, load_tokenizer
from concept_transfer.embeddings.saving import save_model
from concept_transfer.errors import StudyError
from concept_transfer.extraction.bodies import body_of
from concept_transfer.extraction.corpus import Corpus
from concept_transfer.extraction.crf import Chain
from concept_transfer.extraction.network import TaggingNetwork
from concept_transfer.extraction.pieces import Batch, Window, windows_of
from concept_transfer.extraction.probable import Read, likeliest, nothing, read_by_chain
from concept_transfer.extraction.settings import EncoderTaggerSettings
from concept_transfer.extraction.spans import Span, bio_labels, labels_of
from concept_transfer.extraction.tagger import Request, Sentence
from concept_transfer.progress import Progress

HEAD = "head.safetensors"
_LARGEST_STEP = 1.0  # norm of a gradient, beyond which it is shortened
_DECAY = 0.01  # weight decay of AdamW
_JITTER = 0.1  # of lengths, so that a sentence meets others in every epoch
_READ_AT_ONCE = 64  # windows that are tagged together

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class EncoderTagger:
    """limit: pieces that the network reads at once."""

    labels: Sequence[str]
    network: TaggingNetwork
    tokenizer: Any
    limit: int

    def tag(self, sentences: Sequence[Sentence]) -> list[list[Span]]:
        return self.read(sentences)[0]

    def read(self, sentences: Sequence[Sentence]) -> Read:
        if not any(map(len, sentences)):
            return nothing(sentences, self.labels)
        scores = self.scores(sentences)
        if not len(self.network.steps):
            probabilities = scores.softmax(1)
            return likeliest(probabilities, self.labels, sentences), probabilities
        chain = Chain(*(part.detach().cpu() for part in vars(self.network.chain()).values()))
        return read_by_chain(scores, chain, self.labels, sentences)

    @torch.inference_mode()
    def scores(self, sentences: Sequence[Sentence]) -> Tensor:
        """Of each word's labels, float64 [words, labels]."""
        windows = windows_of(sentences, self.tokenizer, self.limit)
        device = self.network.head.weight.device
        scores: list[Tensor] = [torch.empty(0)] * len(windows)
        by_length = sorted(range(len(windows)), key=lambda place: len(windows[place].ids))
        self.network.eval()
        for start in range(0, len(windows), _READ_AT_ONCE):
            places = by_length[start : start + _READ_AT_ONCE]
            own = [windows[place] for place in places]
            found = self.network(Batch.of(own, self.tokenizer.pad_token_id, device)).cpu()
            parts = found.split([len(window.firsts) for window in own])
            for place, part in zip(places, parts, strict=True):
                scores[place] = part
        return torch.cat(scores).double()

    def write(self, folder: Path) -> None:
        """Write a folder that transformers loads, and the head beside it."""
        save_model(self.network.body, self.tokenizer, folder)
        save_file(self.network.labelling.state_dict(), folder / HEAD)


def read(folder: Path, types: Sequence[str], settings: EncoderTaggerSettings) -> EncoderTagger:
    """What `write` wrote, on the CPU. Raises StudyError for a model that cannot be loaded."""
    where, labels = f"the tagger in {folder}", bio_labels(types)
    body = load_network(where, folder, torch.float32, pickled=False)
    has_chain = settings.head == "crf"
    network = TaggingNetwork(body, body.config.hidden_size, labels, settings.dropout, has_chain)
    network.labelling.load_state_dict(load_file(folder / HEAD))
    return EncoderTagger(labels, network, load_tokenizer(where, folder), settings.max_pieces)


def learn(request: Request) -> EncoderTagger:
    """Tunes the whole network by AdamW, whose steps fall in a line to 0.

    Raises StudyError for a model that cannot be loaded, and where the loss is no number.
    """
    torch.set_num_threads(request.threads)
    settings: EncoderTaggerSettings = request.settings
    device, labels = torch.device(usable_device(request.device)), bio_labels(request.types)
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(request.seed)
        body, tokenizer = body_of(request.where, settings, request.corpus.sentences, request.root)
        width, has_chain = body.config.hidden_size, settings.head == "crf"
        network = TaggingNetwork(body, width, labels, settings.dropout, has_chain).to(device)
        tagger = EncoderTagger(labels, network, tokenizer, settings.max_pieces)
        random = np.random.default_rng(request.seed)
        _learn(request.where, tagger, request.corpus, settings, random)
    return tagger


def _learn(
    where: str,
    tagger: EncoderTagger,
    corpus: Corpus,
    settings: EncoderTaggerSettings,
    random: np.random.Generator,
) -> None:
    network, labels = tagger.network, {label: i for i, label in enumerate(tagger.labels)}
    device = network.head.weight.device
    windows = windows_of(corpus.sentences, tagger.tokenizer, tagger.limit)
    truth = [
        [labels[label] for label in labels_of(spans, len(words))]
        for words, spans in zip(corpus.sentences, corpus.spans, strict=True)
    ]
    if settings.freeze_words and settings.model is not None:
        network.body.get_input_embeddings().requires_grad_(False)
    optimizer = _optimizer(network, settings)
    rates = [group["lr"] for group in optimizer.param_groups]
    pieces = settings.epochs * sum(len(window.ids) for window in windows)
    progress = Progress("pieces", pieces)
    for epoch in range(settings.epochs):
        network.train()
        batches, losses = _batches(windows, settings.batch_size, random), []
        for number, rows in enumerate(batches):
            done = (epoch + number / len(batches)) / settings.epochs
            for group, rate in zip(optimizer.param_groups, rates, strict=True):
                group["lr"] = rate * (1 - done)
            own = [windows[row] for row in rows]
            answers = [truth[window.sentence][window.words] for window in own]
            with torch.autocast(device.type, torch.bfloat16, enabled=settings.dtype == "bfloat16"):
                scores = network(Batch.of(own, tagger.tokenizer.pad_token_id, device))
            loss = network.loss(
                scores.float(),
                torch.tensor([label for row in answers for label in row], device=device),
                torch.tensor(list(map(len, answers))),
            )
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(network.parameters(), _LARGEST_STEP)
            optimizer.step()
            losses.append(loss.item())
            progress.advance(sum(len(window.ids) for window in own))
        mean = float(np.mean(losses))
        _log.info("epoch %d of %d: loss %.4f", epoch + 1, settings.epochs, mean)
        if not math.isfinite(mean):
            raise StudyError(
                f"{where}: the loss is no number after {epoch + 1} epoch(s): learning_rate "
                f"({settings.learning_rate:g}) is too large; lower it"
            )


def _optimizer(network: TaggingNetwork, settings: EncoderTaggerSettings) -> torch.optim.AdamW:
    """The head learns at a rate of its own: it begins with nothing."""
    body = [one for one in network.body.parameters() if one.requires_grad]
    head = [*network.head.parameters(), *network.steps]
    groups = [
        {"params": body, "lr": settings.learning_rate},
        {"params": head, "lr": settings.head_learning_rate},
    ]
    return torch.optim.AdamW(groups, weight_decay=_DECAY, fused=True)


def _batches(
    windows: Sequence[Window], size: int, random: np.random.Generator
) -> list[np.ndarray[Any, np.dtype[np.int64]]]:
    """Windows of about the same length, the batches in any order."""
    lengths = np.array([len(window.ids) for window in windows])
    order = (lengths * random.uniform(1 - _JITTER, 1 + _JITTER, len(lengths))).argsort()
    batches = [order[start : start + size] for start in range(0, len(order), size)]
    return [batches[place] for place in random.permutation(len(batches))]
