"""What reads a tagger's words: a language model, or a transformer from scratch."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch

from concept_transfer.errors import StudyError
from concept_transfer.extraction.settings import EncoderTaggerSettings
from concept_transfer.extraction.tagger import Sentence

_SPECIALS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
_PIECES = 8192  # of a vocabulary from scratch, at most
_HEAD_WIDTH = 32


class Source(NamedTuple):
    """Where a model is to be found (`model_files.ModelSource`)."""

    model: str
    revision: str | None
    pickled_weights: bool


def source_of(model: str, settings: EncoderTaggerSettings) -> Source:
    return Source(model, settings.revision, settings.pickled_weights)


def body_of(
    where: str, settings: EncoderTaggerSettings, sentences: Sequence[Sentence], root: Path
) -> tuple[Any, Any]:
    """The model and its tokenizer; random weights, and pieces of the sentences' words, where the
    settings name no model. torch's generator decides what is random.

    Raises StudyError for a model that is not there or cannot be loaded.
    """
    if settings.model is None:
        return _from_scratch(settings, sentences)
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
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors, trainers
    from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

    pieces = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    pieces.normalizer = normalizers.BertNormalizer()
    pieces.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    trainer = trainers.WordPieceTrainer(
        vocab_size=_PIECES, min_frequency=2, special_tokens=_SPECIALS, show_progress=False
    )
    pieces.train_from_iterator((" ".join(words) for words in sentences), trainer)
    ends = [(mark, pieces.token_to_id(mark)) for mark in ("[CLS]", "[SEP]")]
    pieces.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=ends
    )
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=pieces, pad_token="[PAD]", unk_token="[UNK]", model_max_length=512
    )
    network = BertModel(
        BertConfig(
            vocab_size=pieces.get_vocab_size(),
            hidden_size=settings.width,
            num_hidden_layers=settings.layers,
            num_attention_heads=settings.width // _HEAD_WIDTH,
            intermediate_size=4 * settings.width,
            pad_token_id=0,
        ),
        add_pooling_layer=False,
    )
    return network, tokenizer
