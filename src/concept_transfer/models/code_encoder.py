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

from concept_transfer.models.code_layers import SPREAD, Block, Dropout, Time2Vec, rotary_turns
from concept_transfer.pretraining.batches import Batch
from concept_transfer.pretraining.encoder import EncoderFiles
from concept_transfer.settings.encoders import CodeEncoder

SEGMENTS = 64  # visits further back share a vector
YEARS = 100.0  # scales of CORE-BEHRT: ages / 100, and
HOURS = 24e-4  # days in 10,000 hours


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

    def forward(self, batch: Batch, at: Tensor | None = None) -> Tensor:
        """Hidden vectors [B, L, width], those at padding of no meaning; or, which is faster, those
        where `at` is true alone: bool [B, L] -> [places, width], row after row."""
        hidden: Tensor = self.norm(self.body(self.embedding(batch), batch, at))
        return hidden

    def body(self, hidden: Tensor, batch: Batch, at: Tensor | None) -> Tensor:
        """What each kind of encoder makes of embedded tokens; see `forward`."""
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

    def body(self, hidden: Tensor, batch: Batch, at: Tensor | None) -> Tensor:
        length, bias, turns = hidden.shape[1], None, None
        if self.head_width:
            turns = rotary_turns(length, self.head_width, hidden.device)
        if not bool((batch.lengths == length).all()):
            bias = torch.zeros(batch.codes.shape, device=hidden.device)
            bias = bias.masked_fill(~batch.real, -torch.inf)[:, None, None]
        for place, block in enumerate(self.blocks, 1):
            hidden = block(hidden, turns, bias, at if place == len(self.blocks) else None)
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

    def body(self, hidden: Tensor, batch: Batch, at: Tensor | None) -> Tensor:
        rows = pack_padded_sequence(
            hidden, batch.lengths.cpu(), batch_first=True, enforce_sorted=False
        )
        read, _ = pad_packed_sequence(
            self.gru(rows)[0], batch_first=True, total_length=hidden.shape[1]
        )
        return read if at is None else read[at]


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


def _table(rows: int, width: int) -> nn.Embedding:
    table = nn.Embedding(rows, width)
    nn.init.normal_(table.weight, std=SPREAD)
    return table
