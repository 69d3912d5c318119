"""What a step learns: masked words, which spans are neighbours, the category of documents."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from concept_transfer.pretraining.text.contrast import nt_xent, supervised_contrast
from concept_transfer.pretraining.text.documents import Documents
from concept_transfer.pretraining.text.masking import masked
from concept_transfer.pretraining.text.network import AdaptedNetwork, means
from concept_transfer.pretraining.text.sequences import Marks, sequences_of
from concept_transfer.pretraining.text.spans import neighbours, windows
from concept_transfer.settings.text_encoders import TextEncoder


@dataclass(frozen=True)
class Lesson:
    """What is learned from: documents, what a tokenizer puts around them, and `limit`, how many
    word pieces the network reads at once."""

    documents: Documents
    marks: Marks
    limit: int
    settings: TextEncoder


@dataclass(frozen=True)
class Losses:
    """of: each objective's mean over what it predicts, in nats; tokens: that the network read."""

    of: dict[str, Tensor]
    tokens: int

    def total(self, settings: TextEncoder) -> Tensor:
        """Their sum by the weights of the objectives."""
        weights = settings.objectives.model_dump()
        return torch.stack([weights[name] * loss for name, loss in self.of.items()]).sum()


def losses(
    model: AdaptedNetwork,
    lesson: Lesson,
    rows: NDArray[np.int64],
    generator: np.random.Generator,
    precision: torch.dtype,
) -> Losses:
    """The losses of documents of these rows, of which parts are drawn.

    With spans, masked words and categories are those of the anchors, whose vectors are those of
    what is seen of them, masked as it is (as in DeCLUTR and Taylor et al. 2024).
    """
    settings, weights = lesson.settings, lesson.settings.objectives
    device = next(model.parameters()).device
    lengths = lesson.documents.lengths[rows]
    near = None
    if weights.contrastive:
        near = neighbours(rows, lengths, lesson.limit, settings, generator)
    own = near.anchors if near else windows(rows, lengths, lesson.limit, generator)
    sequences = sequences_of(lesson.documents, own, lesson.marks)
    tokens, found = sequences.tokens, dict[str, Tensor]()
    hidden_words = None
    if weights.mlm:
        hidden_words = masked(sequences, lesson.marks, settings.mask_rate, generator)
        sequences = hidden_words.sequences
    with torch.autocast(device.type, precision, enabled=precision != torch.float32):
        sequences = sequences.to(device)
        hidden = model(sequences)
        if hidden_words and model.words:
            chosen, answers = hidden_words.chosen.to(device), hidden_words.answers.to(device)
            logits = model.words(hidden[chosen]).float()
            told = functional.cross_entropy(logits, answers, reduction="sum")
            found["mlm"] = told / max(len(answers), 1)
        vectors = means(hidden, sequences)
        if near:
            others = sequences_of(lesson.documents, near.positives, lesson.marks)
            tokens += others.tokens
            others = others.to(device)
            each = means(model(others), others).view(len(vectors), settings.positives, -1)
            found["contrastive"] = nt_xent(vectors, each.mean(dim=1))
    if weights.metadata:
        kinds = torch.from_numpy(lesson.documents.categories[own.rows]).to(device)
        found["metadata"] = category_loss(model, vectors[kinds >= 0], kinds[kinds >= 0])
    return Losses(found, tokens)


def category_loss(model: AdaptedNetwork, vectors: Tensor, kinds: Tensor) -> Tensor:
    """Of vectors [n, width] whose documents have a category, int64 [n]."""
    if model.category is None:
        return supervised_contrast(vectors, kinds)
    told = functional.cross_entropy(model.category(vectors), kinds, reduction="sum")
    return told / max(len(kinds), 1)
