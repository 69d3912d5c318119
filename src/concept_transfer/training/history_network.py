"""One encoder of histories with its head in training."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils import parametrize

from concept_transfer.models.history_models import Body, features_of
from concept_transfer.models.history_reader import Reader
from concept_transfer.models.multinomial import Multinomial
from concept_transfer.pretraining.batches import Batch, Sequences, batch_of, packed
from concept_transfer.pretraining.learning import DECAY, LARGEST_STEP

FEWEST_STEPS = 8  # of an epoch

Floats = NDArray[np.float64]
Rows = NDArray[np.int64]


@dataclass(frozen=True)
class Encounters:
    """What a network trains on; its encounters are rows of one or several sites.

    parts: histories as the encoder reads them; part, rows: int64 [n], where each encounter is;
    labels: int64 [n]; weights: float64 [n], in the loss.
    """

    parts: tuple[Sequences, ...]
    part: Rows
    rows: Rows
    labels: Rows
    weights: Floats

    @property
    def lengths(self) -> Rows:
        found = np.empty(len(self.rows), np.int64)
        for number, sequences in enumerate(self.parts):
            own = self.part == number
            found[own] = sequences.lengths[self.rows[own]]
        return found

    def select(self, places: Rows | NDArray[np.bool_]) -> Encounters:
        names = ("part", "rows", "labels", "weights")
        return replace(self, **{name: getattr(self, name)[places] for name in names})

    def batch(self, places: Rows, reader: Reader) -> tuple[Batch, Rows]:
        """Some of them as a batch, and these in its order."""
        places = places[np.argsort(self.part[places], kind="stable")]
        chosen = [
            (sequences, self.rows[places[self.part[places] == number]])
            for number, sequences in enumerate(self.parts)
        ]
        return batch_of([each for each in chosen if len(each[1])], reader.asked), places


@dataclass(frozen=True)
class Rates:
    """How a network is tuned: step sizes of what lies before the head (0: it stays, but for a
    pooling with weights) and of the head, encounters a step, and the rank of the update of weight
    matrices (None: the weights themselves)."""

    body: float
    pool: float
    head: float
    batch_size: int
    rank: int | None = None


class LowRank(nn.Module):
    """A matrix W + A B (Hu et al. 2021, arXiv 2106.09685); B is 0 at first."""

    def __init__(self, weight: Tensor, rank: int) -> None:
        super().__init__()
        rows, columns = weight.shape
        self.left = nn.Parameter(torch.randn(rows, rank) * rank**-0.5)
        self.right = nn.Parameter(torch.zeros(rank, columns))

    def forward(self, weight: Tensor) -> Tensor:
        return weight + self.left @ self.right


class Network:
    """An encoder and a head, which each epoch of learning changes."""

    def __init__(
        self,
        body: Body,
        head: Multinomial,
        encounters: Encounters,
        rates: Rates,
        seed: Sequence[int],
        device: str,
    ) -> None:
        """seed: behind batches, dropout and the factors of an update of low rank."""
        self.body, self.encounters, self.rates, self.device = body, encounters, rates, device
        self.seed = [number % 2**63 for number in seed]
        self.reader = body.reader().to(device)
        self.head = nn.Linear(head.coefficients.shape[1], len(head.intercepts)).to(device)
        with torch.no_grad():
            self.head.weight.copy_(torch.from_numpy(head.coefficients))
            self.head.bias.copy_(torch.from_numpy(head.intercepts))
        with self._drawn(0):
            groups = self._groups()
        self.optimizer = torch.optim.AdamW(groups, weight_decay=DECAY)

    def learn(self, epoch: int) -> None:
        """One epoch, from 1."""
        self.reader.train(self.rates.body > 0)
        generator = np.random.default_rng([*self.seed, epoch])
        kind = torch.device(self.device).type
        with self._drawn(epoch):
            for places in self._batches(generator):
                batch, places = self.encounters.batch(places, self.reader)
                with torch.autocast(kind, torch.bfloat16, enabled=kind == "cuda"):
                    features = self.reader(batch.to(self.device))
                labels = torch.from_numpy(self.encounters.labels[places]).to(self.device)
                weights = torch.from_numpy(self.encounters.weights[places]).to(self.device)
                losses = functional.cross_entropy(self.head(features), labels, reduction="none")
                loss = (losses * weights).mean() / self.encounters.weights.mean()
                self.optimizer.zero_grad()
                loss.backward()
                trained = [p for group in self.optimizer.param_groups for p in group["params"]]
                nn.utils.clip_grad_norm_(trained, LARGEST_STEP)
                self.optimizer.step()

    def model(self) -> tuple[Body, Multinomial]:
        """What it has become."""
        weights = {name: value.cpu().numpy().copy() for name, value in self._weights()}
        head = (self.head.weight, self.head.bias)
        found = Multinomial(*(each.detach().cpu().double().numpy() for each in head))
        return replace(self.body, weights=weights, given=False, _said={}), found

    def predict(self, encounters: Encounters) -> Floats:
        """Probabilities [n, classes]."""
        _, head = self.model()
        found = np.empty((len(encounters.rows), len(head.intercepts)))
        for number, sequences in enumerate(encounters.parts):
            own = encounters.part == number
            features = features_of(self.reader, sequences, encounters.rows[own], self.device)
            found[own] = head.predict_proba(features)
        return found

    def _groups(self) -> list[dict[str, object]]:
        """Parameters that are trained, with their step sizes; an update of low rank is that of the
        matrices of linear layers, and all else before the head stays then."""
        rates, reader = self.rates, self.reader
        encoder = list(reader.encoder.parameters())
        if rates.rank is not None:
            linear = [m for m in reader.encoder.modules() if isinstance(m, nn.Linear)]
            for module in linear:
                update = LowRank(module.weight, rates.rank).to(self.device)
                parametrize.register_parametrization(module, "weight", update)
            # typed as any attribute of a module, and not as the list of updates that it is
            encoder = [p for m in linear for p in m.parametrizations.weight[0].parameters()]  # type: ignore[union-attr, index]
        pool = list(reader.pool.parameters()) if reader.pool is not None else []
        groups = (
            (encoder, rates.body),
            (pool, rates.pool),
            (list(self.head.parameters()), rates.head),
        )
        for parameter in (*reader.parameters(), *self.head.parameters()):
            parameter.requires_grad_(False)
        trained = [(of, rate) for of, rate in groups if rate > 0 and of]
        for of, _ in trained:
            for parameter in of:
                parameter.requires_grad_(True)
        return [{"params": of, "lr": rate} for of, rate in trained]

    def _weights(self) -> Iterator[tuple[str, Tensor]]:
        """By their names in the body; updates of low rank are added to what they update."""
        modules = dict(self.reader.named_modules())
        for name in self.body.weights:
            owner, _, key = name.rpartition(".")
            yield name, getattr(modules[owner], key).detach()

    def _batches(self, generator: np.random.Generator) -> Iterator[Rows]:
        lengths = self.encounters.lengths
        budget = int(self.rates.batch_size * lengths.mean())
        steps = 0
        while steps < FEWEST_STEPS:
            for places in packed(lengths, budget, generator):
                yield places
                steps += 1

    @contextmanager
    def _drawn(self, epoch: int) -> Iterator[None]:
        """What torch draws follows from the seed and the epoch; its own generator stays."""
        kind = torch.device(self.device).type
        with torch.random.fork_rng(devices=[self.device] if kind == "cuda" else []):
            torch.manual_seed(int(np.random.default_rng([*self.seed, epoch, 1]).integers(2**63)))
            yield
