"""Layers of encoders: Time2Vec, attention with rotary positions, SwiGLU."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from concept_transfer.settings.encoders import CodeEncoder

SPREAD = 0.05  # standard deviation of vectors at the beginning
ROTARY_BASE = 10_000.0


class Time2Vec(nn.Module):
    """One linear term and cosines of a number, w0 t + b0 and cos(w t + b) (Kazemi et al. 2019,
    arXiv 1907.05321), times a share that is learned. What is NaN has the zero vector."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.share = nn.Parameter(torch.tensor(SPREAD))
        self.weight = nn.Parameter(torch.randn(width))
        self.bias = nn.Parameter(torch.randn(width))

    def forward(self, times: Tensor) -> Tensor:
        """[..., width] of times [...]."""
        known = ~times.isnan()
        angles = times.nan_to_num()[..., None] * self.weight + self.bias
        vectors = torch.cat([angles[..., :1], angles[..., 1:].cos()], -1)
        return self.share * vectors * known[..., None]


class Dropout(nn.Module):
    """Dropout whose random numbers are bytes, so that its rate is a multiple of 1/256: on a CPU
    drawing full numbers would cost as much as a matrix product."""

    def __init__(self, rate: float) -> None:
        super().__init__()
        self.dropped = round(rate * 256)

    def forward(self, hidden: Tensor) -> Tensor:
        if not (self.training and self.dropped):
            return hidden
        words = torch.empty(-(-hidden.numel() // 8), dtype=torch.int64, device=hidden.device)
        words.random_(-(2**63), None)
        drawn = words.view(torch.uint8)[: hidden.numel()].view(hidden.shape)
        kept = (drawn >= self.dropped).to(hidden.dtype)
        return hidden * kept.mul_(256 / (256 - self.dropped))


class Attention(nn.Module):
    """Attention of several heads; queries and keys are turned by their places where rotary (Su et
    al. 2021, arXiv 2104.09864)."""

    def __init__(self, settings: CodeEncoder) -> None:
        super().__init__()
        self.heads = settings.heads
        self.inward = nn.Linear(settings.width, 3 * settings.width)
        self.outward = nn.Linear(settings.width, settings.width)

    def forward(self, hidden: Tensor, turns: Tensor | None, bias: Tensor | None) -> Tensor:
        """[B, L, width]; turns: of `rotary_turns`; bias: float [B, 1, 1, L], -inf at padding."""
        parts = self.inward(hidden).unflatten(-1, (3, self.heads, -1))
        query, key, value = parts.movedim(-2, 1).unbind(-2)
        if turns is not None:
            query, key = turned(query, turns), turned(key, turns)
        attended = functional.scaled_dot_product_attention(query, key, value, bias)
        mixed: Tensor = self.outward(attended.transpose(1, 2).flatten(2))
        return mixed


class FeedForward(nn.Module):
    """SwiGLU (Shazeer 2020, arXiv 2002.05202) or a layer of GELU."""

    def __init__(self, settings: CodeEncoder) -> None:
        super().__init__()
        self.gated, inner = settings.swiglu, settings.feed_forward
        self.inward = nn.Linear(settings.width, 2 * inner if self.gated else inner)
        self.outward = nn.Linear(inner, settings.width)

    def forward(self, hidden: Tensor) -> Tensor:
        inner = self.inward(hidden)
        if self.gated:
            gate, inner = inner.chunk(2, -1)
            inner = functional.silu(gate) * inner
        else:
            inner = functional.gelu(inner)
        mixed: Tensor = self.outward(inner)
        return mixed


class Block(nn.Module):
    """A layer of the transformer."""

    def __init__(self, settings: CodeEncoder) -> None:
        super().__init__()
        self.attention_norm = nn.LayerNorm(settings.width)
        self.attention = Attention(settings)
        self.mixing_norm = nn.LayerNorm(settings.width)
        self.mixing = FeedForward(settings)
        self.dropout = Dropout(settings.dropout)

    def forward(
        self, hidden: Tensor, turns: Tensor | None, bias: Tensor | None, at: Tensor | None = None
    ) -> Tensor:
        """[B, L, width], or where `at` is true alone: [places, width]."""
        hidden = hidden + self.dropout(self.attention(self.attention_norm(hidden), turns, bias))
        hidden = hidden if at is None else hidden[at]
        mixed: Tensor = hidden + self.dropout(self.mixing(self.mixing_norm(hidden)))
        return mixed


def rotary_turns(length: int, width: int, device: torch.device | str = "cpu") -> Tensor:
    """exp(i p base^(-2 k / width)) of places p and pairs of numbers k, complex [L, width / 2]."""
    rates = ROTARY_BASE ** (-torch.arange(0, width, 2, device=device) / width)
    angles = torch.arange(length, device=device)[:, None] * rates
    return torch.polar(torch.ones_like(angles), angles)


def turned(vectors: Tensor, turns: Tensor) -> Tensor:
    """Vectors [B, heads, L, width] whose pairs of numbers are turned by their places' angles."""
    pairs = torch.view_as_complex(vectors.float().unflatten(-1, (-1, 2)))
    return torch.view_as_real(pairs * turns).flatten(-2).to(vectors.dtype)
