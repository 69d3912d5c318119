"""A tagger's network: a language model's vectors of words, a linear layer, and a chain or none."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from concept_transfer.extraction.crf import Chain, Layout, bio_chain, log_likelihood
from concept_transfer.extraction.pieces import Batch


class TaggingNetwork(nn.Module):
    """body: a model of transformers, `width` wide; with a chain it is a CRF (Lample et al. 2016,
    NAACL; Belkadi et al. 2023), without one each word's label is judged by itself."""

    def __init__(
        self, body: Any, width: int, labels: Sequence[str], dropout: float, has_chain: bool
    ) -> None:
        super().__init__()
        self.body = body
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(width, len(labels))
        nn.init.zeros_(self.head.bias)
        self._bio = bio_chain(labels)
        rules = vars(self._bio).values() if has_chain else ()
        self.steps = nn.ParameterList(torch.zeros_like(rule) for rule in rules)

    @property
    def labelling(self) -> nn.ModuleDict:
        """What lies behind the body: the layer of labels, and their chain."""
        return nn.ModuleDict({"head": self.head, "steps": self.steps})

    def chain(self) -> Chain:
        """What BIO forbids, and what was learned of neighbours."""
        rules = [rule.to(self.head.weight.device) for rule in vars(self._bio).values()]
        steps = list(self.steps) or [torch.zeros_like(rule) for rule in rules]
        return Chain(*(rule + step for rule, step in zip(rules, steps, strict=True)))

    def forward(self, batch: Batch) -> Tensor:
        """Scores of the words' labels, float32 [words, labels]."""
        hidden = self.body(input_ids=batch.ids, attention_mask=batch.attended).last_hidden_state
        words = hidden.flatten(0, 1)[batch.places]
        scores: Tensor = self.head(self.dropout(words.float()))
        return scores

    def loss(self, scores: Tensor, truth: Tensor, lengths: Tensor) -> Tensor:
        """A word's part of minus the log likelihood, on average; truth: int64 [words]."""
        if not len(self.steps):
            return functional.cross_entropy(scores, truth)
        layout = Layout(lengths)
        return -log_likelihood(scores.cpu(), truth.cpu(), self._on_cpu(), layout).sum() / len(truth)

    def _on_cpu(self) -> Chain:
        return Chain(*(part.cpu() for part in vars(self.chain()).values()))
