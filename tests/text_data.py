"""Small real parts for tests of language models: documents, and tiny models of several families."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from concept_transfer.inputs.text import Texts
from concept_transfer.pretraining.text.documents import Readable

WORDS = [f"{a}{b}" for a in ("fever", "cough", "chest", "renal", "acute") for b in "abcdefgh"]
FAMILIES = ("bert", "distilbert", "roberta", "mpnet")


def documents(count: int, seed: int = 0, longest: int = 60) -> list[str]:
    """Documents of two topics, whose words are neighbours in the list of words."""
    rng = np.random.default_rng(seed)
    half = len(WORDS) // 2
    return [
        " ".join(
            WORDS[(number % 2) * half + word]
            for word in rng.integers(half, size=rng.integers(3, longest))
        )
        for number in range(count)
    ]


def tokenizer(words: list[str] | None = None) -> Any:
    """A tokenizer of whole words with the marks of BERT."""
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    marks = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    known = {word: place for place, word in enumerate([*marks, *(words or WORDS)])}
    plain = Tokenizer(models.WordLevel(known, "[UNK]"))
    plain.pre_tokenizer = pre_tokenizers.Whitespace()
    plain.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    names = ("pad_token", "unk_token", "cls_token", "sep_token", "mask_token")
    return PreTrainedTokenizerFast(tokenizer_object=plain, **dict(zip(names, marks, strict=True)))


def save_base(family: str, folder: Path, *, head: bool = False, layers: int = 2) -> Path:
    """A model of random weights, as transformers saves it; head: with that of masked words."""
    import torch
    import transformers

    torch.manual_seed(5)
    reader = tokenizer()
    size = {"vocab_size": len(reader), "pad_token_id": 0, "max_position_embeddings": 48}
    if family == "distilbert":
        size |= {"dim": 16, "n_layers": layers, "n_heads": 2, "hidden_dim": 24}
        name = "DistilBert"
    else:
        size |= {"hidden_size": 16, "num_hidden_layers": layers, "num_attention_heads": 2}
        size |= {"intermediate_size": 24}
        name = {"bert": "Bert", "roberta": "Roberta", "mpnet": "MPNet"}[family]
    config = getattr(transformers, f"{name}Config")(**size)
    kind = f"{name}ForMaskedLM" if head else f"{name}Model"
    getattr(transformers, kind)(config).save_pretrained(folder)
    reader.save_pretrained(folder)
    return folder


def readable_of(
    texts: list[str],
    categories: list[int] | None = None,
    labels: list[int] | None = None,
    patients: list[int] | None = None,
) -> Readable:
    """Documents that may be learned from, each of a patient of its own unless said otherwise."""
    count = len(texts)
    kinds = np.array([-1] * count if categories is None else categories)
    names = tuple(f"kind {place}" for place in range(kinds.max() + 1))
    classes = np.array([0] * count if labels is None else labels)
    people = np.arange(count) if patients is None else np.array(patients)
    return Readable((Texts.of(texts),), people, kinds, names, classes)
