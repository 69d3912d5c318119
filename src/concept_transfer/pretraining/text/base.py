"""What a language model starts from: the weights and the tokenizer of its base."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from concept_transfer.embeddings.language_model import load_network, load_tokenizer
from concept_transfer.embeddings.model_files import locate
from concept_transfer.pretraining.draws import generator
from concept_transfer.settings.text_encoders import TextEncoder

WHOLE = "1TB"  # weights in one file
WEIGHTS = 0


@dataclass(frozen=True)
class Base:
    """network: as transformers' AutoModel loads it; tokenizer: its own; revision: that of its
    weights, "" of random ones."""

    network: Any
    tokenizer: Any
    revision: str

    def save(self, folder: Path) -> None:
        """Write a folder that `AutoModel` and `AutoTokenizer` load."""
        self.network.save_pretrained(folder, max_shard_size=WHOLE)
        self.tokenizer.save_pretrained(folder)

    def facts(self) -> dict[str, Any]:
        return {
            "revision": self.revision,
            "parameters": sum(parameter.numel() for parameter in self.network.parameters()),
            "layers": self.network.config.num_hidden_layers,
            "width": self.network.config.hidden_size,
        }


def load_base(where: str, settings: TextEncoder, seed: tuple[int, int], root: Path) -> Base:
    """The base of a language model, with as many of its layers as the settings want.

    Raises StudyError for a model that is not there, that cannot be loaded, or has fewer layers.
    """
    found = locate(where, settings, root)
    torch.manual_seed(int(generator(seed, WEIGHTS).integers(2**63)))  # what weights lack
    network = load_network(
        where, found.path, torch.float32, settings.pickled_weights, settings.layers
    )
    return Base(network, load_tokenizer(where, found.path), found.revision)
