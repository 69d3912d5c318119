"""Documents in memory, and tiny language models of made-up words."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from concept_transfer.cohorts.cohort import Cohort
from concept_transfer.cohorts.splits import split_table
from concept_transfer.inputs.text import Texts
from concept_transfer.pretraining.text.files import MODEL, LanguageModelCard
from concept_transfer.settings.text_encoders import TextEncoder
from concept_transfer.sites.site import Site

WORDS = tuple(f"word{number}" for number in range(40))
SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")


def write_language_model(
    folder: Path, words: Sequence[str] = WORDS, width: int = 8, layers: int = 2, seed: int = 0
) -> Path:
    """An untrained BERT that knows these words, as the folder of an encoder's copy."""
    import torch
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

    pieces = {word: place for place, word in enumerate((*SPECIAL, *words))}
    tokenizer = Tokenizer(models.WordLevel(pieces, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token="[PAD]",
        unk_token="[UNK]",
        cls_token="[CLS]",
        sep_token="[SEP]",
        mask_token="[MASK]",
        model_max_length=64,
    )
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        network = BertModel(
            BertConfig(
                vocab_size=len(pieces),
                hidden_size=width,
                num_hidden_layers=layers,
                num_attention_heads=2,
                intermediate_size=2 * width,
                max_position_embeddings=64,
            )
        )
    network.save_pretrained(folder / MODEL)
    fast.save_pretrained(folder / MODEL)
    settings = TextEncoder(kind="text", base="tiny", pretrain=False, max_length=32)
    LanguageModelCard(settings, {}).write(folder)
    return folder


@cache
def language_model() -> Path:
    return write_language_model(Path(tempfile.mkdtemp()) / "tiny" / "0")


def sentences(labels: NDArray[np.integer], seed: int, most: int = 12) -> list[str]:
    """Documents of which two words in three are those of their class, ten a class."""
    rng = np.random.default_rng(seed)
    found = []
    for label in labels:
        count = int(rng.integers(3, most))
        own = rng.integers(10, size=count) + 10 * label
        any_word = rng.integers(len(WORDS), size=count)
        words = np.where(rng.random(count) < 2 / 3, own, any_word)
        found.append(" ".join(WORDS[word] for word in words))
    return found


def document_site(name: str, count: int = 240, classes: int = 3, seed: int = 0) -> Site:
    """A third tests, and a fifth of the others validates."""
    rng = np.random.default_rng([seed, 1])
    labels = rng.integers(classes, size=count).astype(np.int8)
    place = np.arange(count)
    ids = [f"{name}{i}" for i in place]
    fold = np.where(place % 3 == 0, 0, -1).astype(np.int16)
    split = split_table(ids, ids, labels, fold, place % 5 == 0)
    return Site(Cohort(name, labels, split), {"text": Texts.of(sentences(labels, seed))})
