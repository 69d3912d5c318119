"""Language models that read documents: tokens in batches, and one vector a document."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from concept_transfer.embeddings.cache import file_digest
from concept_transfer.inputs.text import Texts
from concept_transfer.models.word_space import NORM
from concept_transfer.pretraining.text.files import MODEL, LanguageModelCard

WEIGHTS = "model.safetensors"
TOKENS_AT_ONCE = {"cpu": 4096, "cuda": 131_072}
TOKENIZED_AT_ONCE = 256

Floats = NDArray[np.float64]
Tokens = list[list[int]]


def nobody(count: int) -> None:
    """Does not hear how many documents are done."""


class Reader(nn.Module):
    """The mean of a document's token vectors, of length `NORM`."""

    def __init__(self, network: Any, padding: int) -> None:
        super().__init__()
        self.network, self.padding = network, padding

    def forward(self, documents: Sequence[Sequence[int]]) -> Tensor:
        """float32 [documents, width] of token ids; zeros for a document without any."""
        device = next(self.network.parameters()).device
        longest = max(1, *map(len, documents))
        ids = torch.full((len(documents), longest), self.padding)
        real = torch.zeros(ids.shape, dtype=torch.int64)
        for row, tokens in enumerate(documents):
            ids[row, : len(tokens)] = torch.tensor(tokens, dtype=torch.int64)
            real[row, : len(tokens)] = 1
        ids, real = ids.to(device), real.to(device)
        hidden = self.network(input_ids=ids, attention_mask=real).last_hidden_state.float()
        mean = (hidden * real[..., None]).sum(1) / real.sum(1, keepdim=True).clamp(min=1)
        return nn.functional.normalize(mean, dim=1) * NORM


@dataclass(frozen=True)
class LanguageModelFiles:
    """A language model of the study in its folder, ``encoders/<name>/<number>``."""

    folder: Path

    @cached_property
    def digest(self) -> str:
        """SHA-256 of its weights."""
        return file_digest(self.folder / MODEL / WEIGHTS)

    @cached_property
    def longest(self) -> int:
        """How many tokens of a document it reads, at most."""
        most: int = min(self._tokenizer.model_max_length, self._positions)
        return min(most, LanguageModelCard.read(self.folder).settings.max_length)

    def reader(self) -> Reader:
        """The network in evaluation mode, on the CPU, with weights of its own."""
        from concept_transfer.embeddings.language_model import load_network

        network = load_network(self._where, self.folder / MODEL, torch.float32, False)
        return Reader(network, self._tokenizer.pad_token_id or 0).eval()

    def tokens(self, texts: Sequence[str]) -> Tokens:
        """Of the beginning of each text."""
        found: Tokens = []
        for first in range(0, len(texts), TOKENIZED_AT_ONCE):
            some = list(texts[first : first + TOKENIZED_AT_ONCE])
            found += self._tokenizer(some, truncation=True, max_length=self.longest, verbose=False)[
                "input_ids"
            ]
        return found

    @cached_property
    def _tokenizer(self) -> Any:
        from concept_transfer.embeddings.language_model import load_tokenizer

        return load_tokenizer(self._where, self.folder / MODEL)

    @property
    def _where(self) -> str:
        return f"encoder {self.folder.parent.name}"

    @cached_property
    def _positions(self) -> int:
        from transformers import AutoConfig

        config = AutoConfig.from_pretrained(self.folder / MODEL, local_files_only=True)
        most = getattr(config, "max_position_embeddings", None) or 10**9
        return int(
            most - (config.pad_token_id or 0) - 1 if "roberta" in config.model_type else most
        )


@torch.inference_mode()
def vectors_of(
    reader: Reader, documents: Tokens, device: str, done: Callable[[int], None] = nobody
) -> NDArray[np.float32]:
    """float32 [documents, width]; `done` hears how many each batch held."""
    reader = reader.to(device).eval()
    found: NDArray[np.float32] | None = None
    kind = torch.device(device).type
    for rows in by_length(documents, TOKENS_AT_ONCE[kind]):
        with torch.autocast(kind, torch.bfloat16, enabled=kind == "cuda"):
            vectors = reader([documents[row] for row in rows]).cpu().numpy()
        if found is None:
            found = np.empty((len(documents), vectors.shape[1]), np.float32)
        found[rows] = vectors
        done(len(rows))
    assert found is not None, "there is at least one document"
    return found


def by_length(
    documents: Sequence[Sequence[int]], budget: int, generator: np.random.Generator | None = None
) -> Iterator[list[int]]:
    """Rows in batches of documents of like length that hold, padding included, so many tokens at
    most; generator: shuffles documents within, and the order of batches."""
    lengths = np.array([max(1, len(tokens)) for tokens in documents])
    noise = 0.0 if generator is None else generator.uniform(0, 0.2 * lengths.mean(), len(lengths))
    order = np.argsort(-(lengths + noise), kind="stable")
    batches: list[list[int]] = []
    for row in order.tolist():
        if batches:
            widest = max(lengths[batches[-1]].max(), lengths[row])
            if widest * (len(batches[-1]) + 1) <= budget:
                batches[-1].append(row)
                continue
        batches.append([row])
    if generator is not None:
        generator.shuffle(batches)
    yield from batches


@dataclass(frozen=True, eq=False)
class Body:
    """What lies before the head: a language model of the study, and the weights of it that tuning
    changed (float32, by the names of `Reader`'s parameters)."""

    files: LanguageModelFiles
    weights: Mapping[str, NDArray[np.float32]]

    def reader(self) -> Reader:
        """In evaluation mode, on the CPU, with copies of the weights."""
        reader = self.files.reader()
        changed = {name: torch.from_numpy(each.copy()) for name, each in self.weights.items()}
        reader.load_state_dict(changed, strict=False)
        return reader

    def features(
        self, texts: Texts, rows: NDArray[np.int64], device: str, done: Callable[[int], None]
    ) -> NDArray[np.float32]:
        """Of rows [n], [n, width]."""
        documents = self.files.tokens([texts[row] for row in rows.tolist()])
        return vectors_of(self.reader(), documents, device, done)
