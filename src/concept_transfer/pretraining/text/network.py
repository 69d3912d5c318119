"""A language model while it is adapted: its parts, what of it stays, and what is predicted."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import Tensor, nn

from concept_transfer.errors import StudyError, choices
from concept_transfer.pretraining.text.low_rank import add_updates
from concept_transfer.pretraining.text.sequences import Sequences
from concept_transfer.settings.text_encoders import TextEncoder

HEADS = {
    "bert": "cls",
    "roberta": "lm_head",
    "xlm-roberta": "lm_head",
    "camembert": "lm_head",
    "mpnet": "lm_head",
}


class AdaptedNetwork(nn.Module):
    """network: of transformers; categories: how many kinds of documents there are."""

    def __init__(self, where: str, network: Any, categories: int, settings: TextEncoder) -> None:
        """Raises StudyError for a network whose masked words cannot be learned, or of which nothing
        is left to learn."""
        super().__init__()
        self.network = network
        self.body = network.base_model
        self.words = words_of(where, network) if settings.objectives.mlm else None
        linear = settings.objectives.metadata and settings.metadata == "cross_entropy"
        width = self.body.config.hidden_size
        self.category = nn.Linear(width, categories) if linear else None
        freeze(where, self.body, settings)

    def forward(self, sequences: Sequences) -> Tensor:
        """The last layer's vectors of all tokens, [S, L, width]."""
        read = self.body(input_ids=sequences.ids, attention_mask=sequences.real.long())
        hidden: Tensor = read.last_hidden_state
        return hidden

    def learning(self) -> dict[str, nn.Parameter]:
        """What is not frozen, by name, each once."""
        return {name: weight for name, weight in self.named_parameters() if weight.requires_grad}


def means(hidden: Tensor, sequences: Sequences) -> Tensor:
    """Vectors of sequences, float32 [S, width]: means over their tokens, marks included."""
    real = sequences.real[..., None]
    return (hidden.float() * real).sum(dim=1) / real.sum(dim=1)


def words_of(where: str, network: Any) -> Callable[[Tensor], Tensor]:
    """The layers that make vectors [n, width] into logits [n, word pieces].

    Raises StudyError for an architecture whose layers are not known here.
    """
    kind = network.config.model_type
    if kind == "distilbert":
        return lambda hidden: network.vocab_projector(
            network.vocab_layer_norm(network.activation(network.vocab_transform(hidden)))
        )
    if kind not in HEADS:
        raise StudyError(
            f"{where}: masked words are learned by networks of the types "
            f"{choices([*HEADS, 'distilbert'])}, and the base is of type '{kind}'; give objectives "
            "without mlm, or another base"
        )
    head: Callable[[Tensor], Tensor] = getattr(network, HEADS[kind])
    return head


def freeze(where: str, body: Any, settings: TextEncoder) -> None:
    """Keep the vectors of words, and the lowest layers with all below them, as they are; where a
    rank is given, all but updates of that rank."""
    count = body.config.num_hidden_layers
    if settings.freeze_layers >= count:
        raise StudyError(
            f"{where}: freeze_layers is {settings.freeze_layers}, and the model has {count} "
            "layers, so that none would learn; freeze fewer"
        )
    if settings.freeze_words:
        body.get_input_embeddings().weight.requires_grad_(False)
    layers = next(
        part for part in body.modules() if isinstance(part, nn.ModuleList) and len(part) == count
    )
    first = next(layers[settings.freeze_layers].parameters())
    for weight in body.parameters():
        if weight is first and settings.rank is None:
            break
        if settings.freeze_layers or settings.rank is not None:
            weight.requires_grad_(False)
    if settings.rank is not None:
        add_updates(layers[settings.freeze_layers :], settings.rank)
