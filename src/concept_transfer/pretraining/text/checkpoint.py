"""What a killed adaptation goes on from: one file, replaced now and then."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import nn

MOMENTS = ("exp_avg", "exp_avg_sq")  # as AdamW calls them
WEIGHT = "weight"


@dataclass
class Way:
    """How far learning is: steps and tokens done, the rows of ``history.tsv``, and what has come
    since the last of them: sums of losses over steps, steps and tokens."""

    steps: int = 0
    tokens: int = 0
    rows: list[dict[str, float]] = field(default_factory=list)
    sums: dict[str, float] = field(default_factory=dict)
    since: tuple[int, int] = (0, 0)


def save(
    path: Path,
    weights: dict[str, nn.Parameter],
    optimizer: torch.optim.Optimizer,
    way: Way,
    identity: str,
) -> None:
    """Replace the file at once, so that a killed job leaves the one before.

    weights: what learns; identity: of what this is the state.
    """
    tensors = {f"{WEIGHT}.{name}": weight.detach().cpu() for name, weight in weights.items()}
    for name, weight in weights.items():
        state = optimizer.state[weight]
        tensors |= {f"{moment}.{name}": state[moment].cpu() for moment in MOMENTS if state}
    temporary = path.with_suffix(".partial")
    told = {"way": json.dumps(asdict(way)), "identity": identity}
    save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, temporary, told)
    temporary.replace(path)


def resume(
    path: Path, weights: dict[str, nn.Parameter], optimizer: torch.optim.Optimizer, identity: str
) -> Way:
    """Set weights and optimizer as they were; a new way, and nothing is set, where there is no
    whole file of this identity."""
    try:
        with safe_open(path, framework="pt") as file:
            told = file.metadata()
            if told["identity"] != identity:
                return Way()
            # a safetensors file has keys, and cannot be looped over
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (FileNotFoundError, SafetensorError):
        return Way()
    way = Way(**json.loads(told["way"]))
    way.since = (way.since[0], way.since[1])
    kept: dict[str, Any] = optimizer.state_dict()
    for place, (name, weight) in enumerate(weights.items()):
        weight.data.copy_(tensors[f"{WEIGHT}.{name}"])
        if f"{MOMENTS[0]}.{name}" in tensors:
            moments = {moment: tensors[f"{moment}.{name}"] for moment in MOMENTS}
            kept["state"][place] = {"step": torch.tensor(float(way.steps)), **moments}
    optimizer.load_state_dict(kept)
    return way
