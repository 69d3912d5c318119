"""Encoders of sequences of codes: a transformer (BEHRT, Med-BERT, CORE-BEHRT) and a GRU.

A token's vector is the sum of that of its code and, where the settings say so, of its visit's
number, of Time2Vec of the age and of Time2Vec of the time. Blocks normalise first (pre-norm). Ids
of codes are those of `CodeVocabulary`; the vectors of codes also serve as the output layer.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from concept_transfer.pretraining.batches import Batch
from concept_transfer.pretraining.encoder import EncoderFiles
from concept_transfer.settings.encoders import CodeEncoder

SEGMENTS = 64  # visits further back share a vector
SPREAD = 0.05  # standard deviation of vectors at the beginning
YEARS = 100.0  # scales of CORE-BEHRT: ages / 100, and
HOURS = 24e-4  # days in 10,000 hours
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


class Embedding(nn.Module):
    """The vectors of tokens, normalised."""

    def __init__(self, settings: CodeEncoder, codes: int) -> None:
        super().__init__()
        width, learned = settings.width, settings.body == "transformer" and not settings.rotary
        self.codes = _table(codes, width)
        self.segments = _table(SEGMENTS + 1, width) if settings.segments else None
        self.places = _table(settings.max_length + 1, width) if learned else None
        self.age = Time2Vec(width) if settings.age else None
        self.position = Time2Vec(width) if settings.position else None
        self.norm = nn.LayerNorm(width)
        self.dropout = Dropout(settings.dropout)

    def forward(self, batch: Batch) -> Tensor:
        """[B, L, width]."""
        vectors = self.codes(batch.codes)
        if self.segments is not None:
            vectors = vectors + self.segments(batch.segments.clamp(max=SEGMENTS))
        if self.places is not None:
            vectors = vectors + self.places.weight[: batch.codes.shape[1]]
        if self.age is not None:
            vectors = vectors + self.age(batch.ages / YEARS)
        if self.position is not None:
            vectors = vectors + self.position(batch.times * HOURS)
        embedded: Tensor = self.dropout(self.norm(vectors))
        return embedded


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

    def forward(self, hidden: Tensor, turns: Tensor | None, bias: Tensor | None) -> Tensor:
        hidden = hidden + self.dropout(self.attention(self.attention_norm(hidden), turns, bias))
        mixed: Tensor = hidden + self.dropout(self.mixing(self.mixing_norm(hidden)))
        return mixed


class CodeModel(nn.Module):
    """Histories -> a vector of every token, and from these the codes that may stand there.

    codes: number of ids (`len` of the vocabulary).
    """

    def __init__(self, settings: CodeEncoder, codes: int) -> None:
        super().__init__()
        self.embedding = Embedding(settings, codes)
        self.norm = nn.LayerNorm(settings.width)
        self.code_bias = nn.Parameter(torch.zeros(codes))
        self.stay = nn.Linear(settings.width, 1) if settings.prolonged_stay else None

    def forward(self, batch: Batch) -> Tensor:
        """Hidden vectors [B, L, width]; those at padding are of no meaning."""
        hidden: Tensor = self.norm(self.body(self.embedding(batch), batch))
        return hidden

    def body(self, hidden: Tensor, batch: Batch) -> Tensor:
        raise NotImplementedError

    def code_logits(self, hidden: Tensor) -> Tensor:
        """[..., codes] of hidden vectors [..., width]."""
        return functional.linear(hidden, self.embedding.codes.weight, self.code_bias)


class CodeTransformer(CodeModel):
    """Layers of attention; a token sees all others of its row, and no other row."""

    def __init__(self, settings: CodeEncoder, codes: int) -> None:
        super().__init__(settings, codes)
        self.blocks = nn.ModuleList(Block(settings) for _ in range(settings.layers))
        self.head_width = settings.width // settings.heads if settings.rotary else None

    def body(self, hidden: Tensor, batch: Batch) -> Tensor:
        length, bias, turns = hidden.shape[1], None, None
        if self.head_width:
            turns = rotary_turns(length, self.head_width, hidden.device)
        if not bool((batch.lengths == length).all()):
            bias = torch.zeros(batch.codes.shape, device=hidden.device)
            bias = bias.masked_fill(~batch.real, -torch.inf)[:, None, None]
        for block in self.blocks:
            hidden = block(hidden, turns, bias)
        return hidden


class CodeGRU(CodeModel):
    """A GRU that reads every row in both directions."""

    def __init__(self, settings: CodeEncoder, codes: int) -> None:
        super().__init__(settings, codes)
        self.gru = nn.GRU(
            settings.width,
            settings.width // 2,
            settings.layers,
            batch_first=True,
            bidirectional=True,
            dropout=settings.dropout if settings.layers > 1 else 0,
        )

    def body(self, hidden: Tensor, batch: Batch) -> Tensor:
        rows = pack_padded_sequence(
            hidden, batch.lengths.cpu(), batch_first=True, enforce_sorted=False
        )
        read, _ = pad_packed_sequence(
            self.gru(rows)[0], batch_first=True, total_length=hidden.shape[1]
        )
        return read


def new_model(settings: CodeEncoder, codes: int, seed: int) -> CodeModel:
    """A model with weights drawn by the seed; the global generator is left as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return (CodeGRU if settings.body == "gru" else CodeTransformer)(settings, codes)


def model_of(files: EncoderFiles) -> CodeModel:
    """The model with the encoder's weights, in evaluation mode, on the CPU."""
    model = new_model(files.settings, len(files.vocabulary), 0)
    model.load_state_dict({name: torch.from_numpy(value) for name, value in files.weights.items()})
    return model.eval()


def weights_of(model: nn.Module) -> dict[str, NDArray[np.float32]]:
    """Copies of all weights by name, as `EncoderFiles` keeps them."""
    return {name: value.cpu().numpy().copy() for name, value in model.state_dict().items()}


def rotary_turns(length: int, width: int, device: torch.device | str = "cpu") -> Tensor:
    """exp(i p base^(-2 k / width)) of places p and pairs of numbers k, complex [L, width / 2]."""
    rates = ROTARY_BASE ** (-torch.arange(0, width, 2, device=device) / width)
    angles = torch.arange(length, device=device)[:, None] * rates
    return torch.polar(torch.ones_like(angles), angles)


def turned(vectors: Tensor, turns: Tensor) -> Tensor:
    """Vectors [B, heads, L, width] whose pairs of numbers are turned by their places' angles."""
    pairs = torch.view_as_complex(vectors.float().unflatten(-1, (-1, 2)))
    return torch.view_as_real(pairs * turns).flatten(-2).to(vectors.dtype)


def _table(rows: int, width: int) -> nn.Embedding:
    table = nn.Embedding(rows, width)
    nn.init.normal_(table.weight, std=SPREAD)
    return table
