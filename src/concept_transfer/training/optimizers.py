"""Gradient steps on flat parameters [replicates, size], equal to torch.optim on each replicate."""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor

from concept_transfer.settings.training import Training


class Optimizer(Protocol):
    def step(self, parameters: Tensor, gradient: Tensor) -> None:
        """Change the parameters in place; the gradient is used as working space."""

    def select(self, keep: Tensor) -> None:
        """Drop the state of all replicates but these."""


def optimizer_for(parameters: Tensor, settings: Training) -> Optimizer:
    """The optimizer of the settings, with fresh state for the parameters [R, size]."""
    if settings.optimizer == "adamw":
        return AdamW(parameters, settings.learning_rate, settings.weight_decay)
    return NesterovSGD(parameters, settings.learning_rate, settings.momentum, settings.weight_decay)


class NesterovSGD:
    """torch.optim.SGD(nesterov=True): weight decay in the gradient, no dampening."""

    def __init__(self, like: Tensor, rate: float, momentum: float, decay: float) -> None:
        self.rate, self.momentum, self.decay = rate, momentum, decay
        self.velocity = torch.zeros_like(like)

    def step(self, parameters: Tensor, gradient: Tensor) -> None:
        gradient.add_(parameters, alpha=self.decay)
        torch.add(gradient, self.velocity, alpha=self.momentum, out=self.velocity)
        gradient.add_(self.velocity, alpha=self.momentum)
        parameters.add_(gradient, alpha=-self.rate)

    def select(self, keep: Tensor) -> None:
        self.velocity = self.velocity[keep]


class AdamW:
    """torch.optim.AdamW with its default betas and epsilon (Loshchilov, Hutter 2019)."""

    def __init__(self, like: Tensor, rate: float, decay: float) -> None:
        self.rate, self.decay, self.steps = rate, decay, 0
        self.first, self.second = torch.zeros_like(like), torch.zeros_like(like)

    def step(self, parameters: Tensor, gradient: Tensor) -> None:
        self.steps += 1
        parameters.mul_(1 - self.rate * self.decay)
        self.first.lerp_(gradient, 0.1)
        self.second.mul_(0.999).addcmul_(gradient, gradient, value=0.001)
        scale = (self.second.sqrt() / (1 - 0.999**self.steps) ** 0.5).add_(1e-8)
        parameters.addcdiv_(self.first, scale, value=-self.rate / (1 - 0.9**self.steps))

    def select(self, keep: Tensor) -> None:
        self.first, self.second = self.first[keep], self.second[keep]
