"""How long language models learn and read, as far as it can be told before any job."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from concept_transfer.progress import duration
from concept_transfer.settings.text_encoders import TextEncoder
from concept_transfer.sites.amounts import Amount

SPEED = 1.7e10  # parameters of layers x tokens that are learned in a second of a core, in float32
READING = 0.4  # of the time of learning: MiniLM reads 4,000 tokens a second
WORTH_SAYING = 60.0  # seconds


def learning(parameters: float, tokens: float, threads: int) -> float:
    """Seconds in which a network with so many parameters of layers learns from tokens."""
    return parameters * tokens / SPEED / threads


def reading(parameters: float, tokens: float, threads: int) -> float:
    """Seconds in which it reads them, and learns nothing."""
    return READING * learning(parameters, tokens, threads)


def told(does: str, seconds: float, further: str = "", at_most: bool = False) -> str:
    """A sentence on processor time."""
    return (
        f"{does} for about {duration(seconds)}{' at most' if at_most else ''}{further} on this "
        "kind of processor; its log and the terminal tell how far it is."
    )


def not_known(who: str, model: str) -> str:
    """The same of a model whose shape is not here."""
    return (
        f"{who} starts from {model}, whose shape stands on the hub alone, so how long it takes is "
        "not known yet."
    )


def tokens_to_learn(encoder: TextEncoder, sites: Sequence[Amount | None]) -> float | None:
    """That an adaptation reads, at most where it has a budget of steps or none; None where the
    documents of its sites would have to be counted."""
    if encoder.tokens:
        return encoder.tokens
    if encoder.steps:
        return encoder.steps * encoder.batch_size * _of_a_document(encoder, sites)
    known = [site.pieces for site in sites if site]
    return sum(known) if len(known) == len(sites) else None


def _of_a_document(encoder: TextEncoder, sites: Sequence[Amount | None]) -> float:
    """Tokens that a step reads of a document at most: itself, or spans of it."""
    whole = max(site.each(float("inf")) if site else float("inf") for site in sites)
    if not encoder.objectives.contrastive:
        return min(whole, encoder.max_length)
    span = min(whole / 2 / encoder.anchors, encoder.longest_span, encoder.max_length)
    return encoder.anchors * (1 + encoder.positives) * span


def parameters_of(encoder: TextEncoder, base: Path | None) -> float | None:
    """Of the layers, without vectors of words; None where the base is not in a folder."""
    if encoder.base is None:
        shape = encoder.scratch
        return shape.layers * shape.width * (4 * shape.width + 2 * shape.feed_forward)
    return None if base is None else parameters_in(base, encoder.layers)


def parameters_in(folder: Path, layers: int | None = None) -> float | None:
    """Of the layers of a model in a folder, or of some of them; None where it does not say."""
    shape = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    width = shape.get("hidden_size", shape.get("dim"))
    layers = layers or shape.get("num_hidden_layers", shape.get("n_layers"))
    return 12.0 * layers * width**2 if width and layers else None
