"""The concept CNN of Gao et al. 2024 as the paper describes it, one plain torch model at a time.

Frozen embedding -> convolution of kernel size 1 -> ReLU -> maximum over the encounter's findings
(padding contributes nothing) -> dropout -> linear layer. It is the measure of the engine, in
exactness (tests) and in speed (benchmarks), and therefore shares nothing with it but the random
draws: batches and dropout masks are arguments.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import torch
from torch import Tensor, nn
from torch.nn import functional

from concept_transfer.models.cnn import Weights


class PlainCNN(nn.Module):
    """One model; weights may be given, else they are torch's own initial ones."""

    def __init__(
        self,
        vectors: Tensor,
        filters: int = 100,
        weights: Weights | None = None,
        classes: int = 2,
    ) -> None:
        """vectors: [tokens, width]; weights: a stack that holds one replicate; its pooling is the
        model's."""
        super().__init__()
        self.pooling = 0 if weights is None else int(weights.pooling)
        padded = torch.cat([vectors, vectors.new_zeros(1, vectors.shape[1])])
        self.padding = len(vectors)
        self.embedding = nn.Embedding.from_pretrained(padded, freeze=True)
        self.convolution = nn.Conv1d(vectors.shape[1], filters, 1, dtype=vectors.dtype)
        self.linear = nn.Linear(filters, classes, dtype=vectors.dtype)
        if weights is not None:
            with torch.no_grad():
                self.convolution.weight.copy_(weights.convolution[0].T[..., None])
                self._bias.copy_(weights.convolution_bias[0])
                self.linear.weight.copy_(weights.linear[0].T)
                self.linear.bias.copy_(weights.linear_bias[0])

    @property
    def _bias(self) -> Tensor:
        """Of the convolution."""
        assert self.convolution.bias is not None
        return self.convolution.bias

    def forward(self, tokens: Tensor, dropout: Tensor | None = None) -> Tensor:
        """Logits [batch, classes] of token ids [batch, findings]; dropout scales the features."""
        embedded = self.embedding(tokens).transpose(1, 2)
        activated = functional.relu(self.convolution(embedded))
        activated = activated.masked_fill((tokens == self.padding)[:, None], 0)
        length = (tokens != self.padding).sum(1, keepdim=True).clamp(min=1)
        largest, added = activated.max(2).values, activated.sum(2)
        features = (largest, added, added / length, largest + added)[self.pooling]
        logits: Tensor = self.linear(features if dropout is None else features * dropout)
        return logits

    def weights(self) -> Weights:
        """A copy of the current weights as a stack of one replicate."""
        return Weights(
            self.convolution.weight.detach()[None, :, :, 0].mT.clone(),
            self._bias.detach()[None].clone(),
            self.linear.weight.detach()[None].mT.clone(),
            self.linear.bias.detach()[None].clone(),
            torch.tensor([self.pooling], dtype=torch.int8),
        )


def pad(encounters: list[list[int]], padding: int) -> Tensor:
    """Token ids int64 [encounters, most findings], at least one column."""
    longest = max([1, *map(len, encounters)])
    return torch.tensor([tokens + [padding] * (longest - len(tokens)) for tokens in encounters])


def train(
    model: PlainCNN,
    optimizer: torch.optim.Optimizer,
    batches: Iterable[tuple[Tensor, Tensor, Tensor, Tensor | None]],
    penalty: Callable[[], Tensor] | None = None,
) -> list[float]:
    """One step a batch (tokens, labels, loss shares, dropout); the loss before each step.

    penalty: added to the loss where given, but not to what is returned.
    """
    losses = []
    for tokens, labels, shares, dropout in batches:
        each = functional.cross_entropy(model(tokens, dropout), labels, reduction="none")
        loss = (each * shares).sum()
        optimizer.zero_grad()
        (loss if penalty is None else loss + penalty()).backward()
        optimizer.step()
        losses.append(loss.item())
    return losses
