"""A language model with its head in training."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional

from concept_transfer.models.document_reader import Body, Reader, Tokens, by_length, vectors_of
from concept_transfer.models.multinomial import Classes, Multinomial
from concept_transfer.pretraining.text.contrast import supervised_contrast
from concept_transfer.progress import Progress
from concept_transfer.training.document_heads import fit_heads

DECAY = 0.01  # weight decay of AdamW
LARGEST_STEP = 1.0  # norm of a gradient, beyond which it is shortened
FEWEST_STEPS = 8  # of an epoch
FOLDS = 5  # that choose the penalty of a head on vectors that were tuned

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Labelled:
    """Documents as token ids, their labels int64 [n] and weights float64 [n] in the loss."""

    tokens: Tokens
    labels: NDArray[np.int64]
    weights: Floats

    def select(self, rows: NDArray[np.bool_]) -> Labelled:
        chosen = [self.tokens[row] for row in np.flatnonzero(rows)]
        return Labelled(chosen, self.labels[rows], self.weights[rows])


@dataclass(frozen=True)
class Rates:
    """Step sizes of the language model and of the head, documents a step, how many of the last
    layers are trained (None: everything), and whether by supervised contrast."""

    body: float
    head: float
    batch_size: int
    layers: int | None
    contrast: bool = False


class Network:
    """A language model and a head, which each epoch of learning changes."""

    def __init__(
        self,
        body: Body,
        head: Multinomial,
        documents: Labelled,
        rates: Rates,
        seed: Sequence[int],
        device: str,
        progress: Progress,
    ) -> None:
        """seed: behind batches and dropout."""
        self.body, self.documents, self.rates, self.device = body, documents, rates, device
        self.seed, self.progress = list(seed), progress
        self.reader = body.reader().to(device)
        self.head = nn.Linear(head.coefficients.shape[1], len(head.intercepts)).to(device)
        self._take(head)
        self.trained = tuned_parameters(self.reader, rates.layers)
        for parameter in self.reader.parameters():
            parameter.requires_grad_(False)
        for parameter in self.trained.values():
            parameter.requires_grad_(True)
        groups = [
            {"params": list(self.trained.values()), "lr": rates.body},
            {"params": list(self.head.parameters()), "lr": rates.head},
        ]
        self.optimizer = torch.optim.AdamW(groups, weight_decay=DECAY)

    def learn(self, epoch: int) -> None:
        """One epoch, from 1."""
        self.reader.train()
        generator = np.random.default_rng([*self.seed, epoch])
        kind, documents = torch.device(self.device).type, self.documents
        parameters = [*self.trained.values(), *self.head.parameters()]
        with self._drawn(epoch):
            for rows in self._batches(generator):
                with torch.autocast(kind, torch.bfloat16, enabled=kind == "cuda"):
                    features = self.reader([documents.tokens[row] for row in rows])
                labels = torch.from_numpy(documents.labels[rows]).to(self.device)
                weights = torch.from_numpy(documents.weights[rows]).to(self.device)
                if self.rates.contrast:
                    loss = supervised_contrast(features, labels, weights=weights)
                else:
                    losses = functional.cross_entropy(self.head(features), labels, reduction="none")
                    loss = (losses * weights).mean() / documents.weights.mean()
                self.optimizer.zero_grad()
                loss.backward()
                nn.utils.clip_grad_norm_(parameters, LARGEST_STEP)
                self.optimizer.step()
                self.progress.advance(len(rows))
        if self.rates.contrast:
            self._fit_head(generator)

    def model(self) -> tuple[Body, Multinomial]:
        """What it has become."""
        changed = {name: each.detach().cpu().numpy().copy() for name, each in self.trained.items()}
        head = (self.head.weight, self.head.bias)
        found = Multinomial(*(each.detach().cpu().double().numpy() for each in head))
        return replace(self.body, weights={**self.body.weights, **changed}), found

    def predict(self, documents: Labelled) -> Floats:
        """Probabilities [n, classes]."""
        features = vectors_of(self.reader, documents.tokens, self.device)
        return self.model()[1].predict_proba(features.astype(np.float64))

    def _fit_head(self, generator: np.random.Generator) -> None:
        """To what the documents' vectors have become; parts of these choose the penalty."""
        documents = self.documents
        features = vectors_of(self.reader, documents.tokens, self.device).astype(np.float64)
        labels, count = documents.labels.astype(np.int8), self.head.out_features
        folds = generator.permutation(len(labels)) % FOLDS
        self._take(fit_heads(Classes(features, labels, documents.weights, count), folds).of_all)

    def _take(self, head: Multinomial) -> None:
        with torch.no_grad():
            self.head.weight.copy_(torch.from_numpy(head.coefficients))
            self.head.bias.copy_(torch.from_numpy(head.intercepts))

    def _batches(self, generator: np.random.Generator) -> Iterator[list[int]]:
        lengths = [len(tokens) for tokens in self.documents.tokens]
        budget = max(int(self.rates.batch_size * np.mean(lengths)), *lengths)
        steps = 0
        while steps < FEWEST_STEPS:
            for rows in by_length(self.documents.tokens, budget, generator):
                yield rows
                steps += 1

    @contextmanager
    def _drawn(self, epoch: int) -> Iterator[None]:
        """What torch draws follows from the seed and the epoch; its own generator stays."""
        kind = torch.device(self.device).type
        with torch.random.fork_rng(devices=[self.device] if kind == "cuda" else []):
            torch.manual_seed(int(np.random.default_rng([*self.seed, epoch, 1]).integers(2**63)))
            yield


def tuned_parameters(reader: Reader, layers: int | None) -> dict[str, nn.Parameter]:
    """By name: those of the last layers of a language model, or all that its vectors depend on."""
    every = {name: each for name, each in reader.named_parameters() if "pooler" not in name}
    if layers is None:
        return every
    count = reader.network.config.num_hidden_layers
    stacks = [
        name
        for name, module in reader.named_modules()
        if isinstance(module, nn.ModuleList) and len(module) == count
    ]
    last = [f"{stacks[0]}.{number}." for number in range(max(0, count - layers), count)]
    return {name: each for name, each in every.items() if name.startswith(tuple(last))}
