"""A language model as a folder that transformers loads."""

from __future__ import annotations

from pathlib import Path
from typing import Any

PARTS = ("config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json")
_WHOLE = "1TB"  # so that weights are one file


def save_model(network: Any, tokenizer: Any, folder: Path) -> None:
    """Write a network without a head, and its tokenizer: `PARTS`."""
    from transformers.utils import logging

    logging.disable_progress_bar()
    network.save_pretrained(folder, max_shard_size=_WHOLE)
    tokenizer.save_pretrained(folder)
    logging.enable_progress_bar()
