"""Gradient steps on flat parameters [replicates, size], equal to torch.optim on each replicate."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

import torch
from torch import Tensor

from concept_transfer.settings.training import Training
from concept_transfer.strategies.strategy import Decay

Pull = Callable[[Tensor, Tensor], Tensor]
Rates = Sequence[tuple[slice, float]]  # columns of the parameters, and their learning rate

TOWARDS_ZERO = Decay()


class Optimizer(Protocol):
    def step(self, parameters: Tensor, gradient: Tensor) -> None:
        """Change the parameters in place; the gradient is used as working space."""

    def select(self, keep: Tensor) -> None:
        """Drop the state of all replicates but these."""


def optimizer_for(parameters: Tensor, settings: Training, decay: Decay, rates: Rates) -> Optimizer:
    """The optimizer of the settings, with fresh state for the starting parameters [R, size]."""
    strength = settings.weight_decay if decay.strength is None else decay.strength
    assert isinstance(strength, float | int), "`Training.candidates` makes it a number"
    anchored = _Anchored(decay.pull, strength, parameters)
    if settings.optimizer == "adamw":
        return AdamW(parameters, rates, anchored)
    return NesterovSGD(parameters, rates, settings.momentum, anchored)


class _Anchored:
    """A decay of R replicates, and what their parameters started from where that matters."""

    def __init__(self, pull: Pull | None, strength: float, parameters: Tensor) -> None:
        self.pull, self.strength = pull, strength
        self.start = None if pull is None else parameters.clone()

    def add(self, gradient: Tensor, parameters: Tensor) -> None:
        """Decay as part of the gradient."""
        gradient.add_(self._pulled(parameters), alpha=self.strength)

    def shrink(self, parameters: Tensor, rates: Rates) -> None:
        """Decay apart from the gradient, by a step of these rates."""
        pulled = self._pulled(parameters)
        for part, rate in rates:
            parameters[:, part].sub_(pulled[:, part], alpha=rate * self.strength)

    def select(self, keep: Tensor) -> None:
        self.start = None if self.start is None else self.start[keep]

    def _pulled(self, parameters: Tensor) -> Tensor:
        if self.pull is None or self.start is None:
            return parameters
        return self.pull(parameters, self.start)


class NesterovSGD:
    """torch.optim.SGD(nesterov=True): weight decay in the gradient, no dampening."""

    def __init__(self, like: Tensor, rates: Rates, momentum: float, decay: _Anchored) -> None:
        self.rates, self.momentum, self.decay = rates, momentum, decay
        self.velocity = torch.zeros_like(like)

    def step(self, parameters: Tensor, gradient: Tensor) -> None:
        self.decay.add(gradient, parameters)
        torch.add(gradient, self.velocity, alpha=self.momentum, out=self.velocity)
        gradient.add_(self.velocity, alpha=self.momentum)
        for part, rate in self.rates:
            parameters[:, part].add_(gradient[:, part], alpha=-rate)

    def select(self, keep: Tensor) -> None:
        self.velocity = self.velocity[keep]
        self.decay.select(keep)


class AdamW:
    """torch.optim.AdamW with its default betas and epsilon (Loshchilov, Hutter 2019)."""

    def __init__(self, like: Tensor, rates: Rates, decay: _Anchored) -> None:
        self.rates, self.decay, self.steps = rates, decay, 0
        self.first, self.second = torch.zeros_like(like), torch.zeros_like(like)

    def step(self, parameters: Tensor, gradient: Tensor) -> None:
        self.steps += 1
        self.decay.shrink(parameters, self.rates)
        self.first.lerp_(gradient, 0.1)
        self.second.mul_(0.999).addcmul_(gradient, gradient, value=0.001)
        scale = (self.second.sqrt() / (1 - 0.999**self.steps) ** 0.5).add_(1e-8)
        for part, rate in self.rates:
            step = -rate / (1 - 0.9**self.steps)
            parameters[:, part].addcdiv_(self.first[:, part], scale[:, part], value=step)

    def select(self, keep: Tensor) -> None:
        self.first, self.second = self.first[keep], self.second[keep]
        self.decay.select(keep)
