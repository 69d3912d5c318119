"""What a language model starts from: its base, or nothing."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from transformers import BertConfig, BertForMaskedLM

from concept_transfer.embeddings.language_model import load_network, load_tokenizer, longest_input
from concept_transfer.embeddings.model_files import locate
from concept_transfer.embeddings.saving import save_model
from concept_transfer.pretraining.draws import generator
from concept_transfer.pretraining.text.documents import Readable
from concept_transfer.pretraining.text.schedule import WEIGHTS
from concept_transfer.pretraining.text.word_pieces import word_pieces
from concept_transfer.settings.text_encoders import TextEncoder


@dataclass(frozen=True)
class Start:
    """network: transformers' own, with its layer for masked words where these are learned;
    revision: that of the base's weights, "" without a base; content: a digest of all that decides
    what the base reads."""

    network: Any
    tokenizer: Any
    revision: str
    content: str

    @property
    def body(self) -> Any:
        """The network without a layer for masked words."""
        return self.network.base_model

    @property
    def longest(self) -> int:
        """Tokens of a sequence at most."""
        return longest_input(self.body.config, self.tokenizer)

    def save(self, folder: Path) -> None:
        """Write a folder that `AutoModel` and `AutoTokenizer` load."""
        save_model(self.body, self.tokenizer, folder)

    def facts(self) -> dict[str, Any]:
        config = self.body.config
        return {
            "revision": self.revision,
            "parameters": sum(parameter.numel() for parameter in self.body.parameters()),
            "layers": config.num_hidden_layers,
            "width": config.hidden_size,
            "word_pieces": config.vocab_size,
        }


def start_of(
    where: str,
    settings: TextEncoder,
    seed: tuple[int, int],
    root: Path,
    readable: Readable | None = None,
) -> Start:
    """A base with as many of its layers as the settings want, or a new network whose word pieces
    are of the documents.

    Weights that the base lacks follow from the seed. Raises StudyError for a model that is not
    there, cannot be loaded, has fewer layers, or cannot learn masked words.
    """
    draw = int(generator(seed, WEIGHTS).integers(2**63))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(draw)
        if settings.base is None:
            assert readable is not None, "word pieces are learned from documents"
            return _from_scratch(where, settings, readable)
        found = locate(where, settings, root)
        network = load_network(
            where,
            found.path,
            torch.float32,
            settings.pickled_weights,
            layers=settings.layers,
            masked_words=settings.pretrain and settings.objectives.mlm > 0,
        )
        tokenizer = load_tokenizer(where, found.path)
        return Start(network, tokenizer, found.revision, found.content)


def _from_scratch(where: str, settings: TextEncoder, readable: Readable) -> Start:
    shape = settings.scratch
    tokenizer = word_pieces(where, readable, shape, settings.max_length)
    config = BertConfig(
        vocab_size=len(tokenizer),
        hidden_size=shape.width,
        num_hidden_layers=shape.layers,
        num_attention_heads=shape.heads,
        intermediate_size=shape.feed_forward,
        max_position_embeddings=settings.max_length,
        pad_token_id=tokenizer.pad_token_id,
    )
    return Start(BertForMaskedLM(config), tokenizer, "", "")
