"""What reads a tagger's words: a language model, or a transformer from scratch."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from concept_transfer.errors import StudyError
from concept_transfer.extraction.files import source_of
from concept_transfer.extraction.settings import EncoderTaggerSettings
from concept_transfer.extraction.tagger import Sentence

_PIECES = 8000  # of a vocabulary from scratch, at most
_FEWEST = 2  # times that a word must stand to teach pieces
_HEAD_WIDTH = 32


def body_of(
    where: str, settings: EncoderTaggerSettings, sentences: Sequence[Sentence], root: Path
) -> tuple[Any, Any]:
    """The model and its tokenizer; random weights, and pieces of the sentences' words, where the
    settings name no model. torch's generator decides what is random.

    Raises StudyError for a model that is not there or cannot be loaded.
    """
    if settings.model is None:
        return _from_scratch(settings, sentences)
    import torch

    from concept_transfer.embeddings.language_model import load_network, load_tokenizer
    from concept_transfer.embeddings.model_files import locate

    found = locate(where, source_of(settings.model, settings), root)
    network = load_network(where, found.path, torch.float32, settings.pickled_weights)
    tokenizer = load_tokenizer(where, found.path)
    if not tokenizer.is_fast:
        raise StudyError(
            f"{where}: the tokenizer in {found.path} cannot say which pieces a word has; add its "
            "tokenizer.json (AutoTokenizer with use_fast=True writes one)"
        )
    if "add_prefix_space" in tokenizer.init_kwargs:  # its kin split words only with it
        tokenizer = type(tokenizer).from_pretrained(found.path, add_prefix_space=True)
    return network, tokenizer


def _from_scratch(
    settings: EncoderTaggerSettings, sentences: Sequence[Sentence]
) -> tuple[Any, Any]:
    from transformers import BertConfig, BertModel

    from concept_transfer.pretraining.text.word_pieces import splitter, tokenizer_of

    divided = splitter()
    counts: Counter[str] = Counter()
    for words in sentences:
        plain = divided.normalizer.normalize_str(" ".join(words))
        counts.update(word for word, _ in divided.pre_tokenizer.pre_tokenize_str(plain))
    frequent = {word: count for word, count in sorted(counts.items()) if count >= _FEWEST}
    tokenizer = tokenizer_of(frequent, _PIECES, settings.max_pieces)
    network = BertModel(
        BertConfig(
            vocab_size=len(tokenizer),
            hidden_size=settings.width,
            num_hidden_layers=settings.layers,
            num_attention_heads=settings.width // _HEAD_WIDTH,
            intermediate_size=4 * settings.width,
            pad_token_id=tokenizer.pad_token_id,
        ),
        add_pooling_layer=False,
    )
    return network, tokenizer
