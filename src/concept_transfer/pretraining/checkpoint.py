"""What a killed pre-training goes on from: one file, replaced after every epoch."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from concept_transfer.models.code_encoder import CodeModel, weights_of

MOMENTS = ("exp_avg", "exp_avg_sq")  # as AdamW calls them
MODEL, BEST = "model", "best"


@dataclass(frozen=True)
class Epoch:
    """A row of ``history.tsv``: of epoch 0, before any learning, only the held-out part is known.

    loss, accuracy, next_visit_loss: as `learning.Measured`; tokens_per_second: of the clock.
    """

    epoch: int
    loss: float
    accuracy: float
    next_visit_loss: float
    held_out_loss: float
    held_out_accuracy: float
    held_out_next_visit_loss: float
    tokens_per_second: float

    @property
    def held_out(self) -> float:
        """What says which epoch is kept: the loss at masks and at next visits."""
        return self.held_out_loss + self.held_out_next_visit_loss


def save(
    path: Path,
    model: CodeModel,
    optimizer: torch.optim.AdamW,
    best: dict[str, NDArray[np.float32]],
    epochs: Sequence[Epoch],
) -> None:
    """Replace the file at once, so that a killed job leaves the one before."""
    tensors = {f"{MODEL}.{name}": torch.from_numpy(v) for name, v in weights_of(model).items()}
    tensors |= {f"{BEST}.{name}": torch.from_numpy(value) for name, value in best.items()}
    step = 0.0
    for name, parameter in model.named_parameters():
        state = optimizer.state[parameter]
        step = float(state["step"])
        tensors |= {f"{moment}.{name}": state[moment].cpu() for moment in MOMENTS}
    rows = [asdict(epoch) for epoch in epochs]
    temporary = path.with_suffix(".partial")
    save_file(tensors, temporary, {"epochs": json.dumps(rows), "step": str(step)})
    temporary.replace(path)


def resume(
    path: Path, model: CodeModel, optimizer: torch.optim.AdamW
) -> tuple[dict[str, NDArray[np.float32]], list[Epoch]] | None:
    """Set model and optimizer as they were; the best weights so far, and the epochs done.

    None, and nothing is set, where there is no whole file.
    """
    try:
        with safe_open(path, framework="pt") as file:
            # a safetensors file has keys, and cannot be looped over
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            told = file.metadata()
    except (FileNotFoundError, SafetensorError):
        return None

    def of(kind: str) -> dict[str, torch.Tensor]:
        named = ((name.partition("."), tensor) for name, tensor in tensors.items())
        return {name: tensor for (own, _, name), tensor in named if own == kind}

    model.load_state_dict(of(MODEL))
    kept = optimizer.state_dict()
    moments = [of(moment) for moment in MOMENTS]
    kept["state"] = {
        place: {
            "step": torch.tensor(float(told["step"])),
            **{moment: own[name] for moment, own in zip(MOMENTS, moments, strict=True)},
        }
        for place, (name, _) in enumerate(model.named_parameters())
    }
    optimizer.load_state_dict(kept)
    best = {name: tensor.numpy() for name, tensor in of(BEST).items()}
    return best, [Epoch(**row) for row in json.loads(told["epochs"])]
