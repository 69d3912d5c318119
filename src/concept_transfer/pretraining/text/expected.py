"""How long adaptation will take, as far as it can be told before any job."""

from __future__ import annotations

import json
from pathlib import Path

from concept_transfer.progress import duration
from concept_transfer.settings.text_encoders import TextEncoder

SPEED = 1.7e10  # parameters of layers x tokens in a second of one core, in float32
WORTH_SAYING = 60.0  # seconds


def expected_time(name: str, encoder: TextEncoder, base: Path | None, threads: int) -> str:
    """A sentence on the processor time of an adaptation; "" where it is short, or is not known:
    without a budget of tokens or seconds, or of a base whose shape is on the hub alone.

    base: the folder of the model that it starts from (None: from scratch).
    """
    seconds = encoder.seconds
    if encoder.tokens:
        layers = _parameters(encoder, base)
        seconds = encoder.tokens * layers / SPEED / threads if layers else None
    if not encoder.pretrain or seconds is None or seconds * encoder.copies < WORTH_SAYING:
        return ""
    copies = f", once for each of {encoder.copies} copies" if encoder.copies > 1 else ""
    return (
        f"encoders.{name} learns for about {duration(seconds)} on this kind of processor{copies}; "
        "its log and the terminal tell how far it is."
    )


def _parameters(encoder: TextEncoder, base: Path | None) -> float | None:
    """Of the layers, without vectors of words."""
    if encoder.base is None:
        shape = encoder.scratch
        return shape.layers * shape.width * (4 * shape.width + 2 * shape.feed_forward)
    return None if base is None else parameters_in(base, encoder.layers)


def parameters_in(folder: Path, layers: int | None = None) -> float | None:
    """Of the layers of a model in a folder, or of some of them; None where it does not say."""
    told = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    width = told.get("hidden_size", told.get("dim"))
    layers = layers or told.get("num_hidden_layers", told.get("n_layers"))
    return 12.0 * layers * width**2 if width and layers else None
