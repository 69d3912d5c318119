"""The dense layers that some models of sentence-transformers put behind their pooling."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from concept_transfer.errors import StudyError

if TYPE_CHECKING:
    import torch

WEIGHTS = "model.safetensors"
WITHOUT_WEIGHTS = ("Transformer", "Pooling", "Normalize", "Dropout")


def dense_folders(where: str, folder: Path) -> list[Path]:
    """Folders of a model's dense layers in order, from its ``modules.json`` if it has one.

    Raises StudyError for a module that would change the vectors in a way unknown here.
    """
    listed = folder / "modules.json"
    if not listed.is_file():
        return []
    folders = []
    for module in json.loads(listed.read_text(encoding="utf-8")):
        kind = module["type"].rpartition(".")[2]
        if kind == "Dense":
            folders.append(folder / module["path"])
        elif kind not in WITHOUT_WEIGHTS:
            raise StudyError(
                f"{where}: {listed} has the module '{kind}', which this workbench cannot apply; "
                f"it knows Dense, {', '.join(WITHOUT_WEIGHTS)}"
            )
    return folders


def dense_weights(where: str, folder: Path) -> list[Path]:
    """The files that decide what a model's dense layers do. Raises StudyError if one is absent."""
    files = [
        layer / name for layer in dense_folders(where, folder) for name in ("config.json", WEIGHTS)
    ]
    for file in files:
        if not file.is_file():
            raise StudyError(
                f"{where}: {folder / 'modules.json'} lists a dense layer, but {file} is not there; "
                "copy the folder completely (its weights as safetensors)"
            )
    return files


def load_dense(where: str, folder: Path) -> torch.nn.Sequential:
    """All dense layers of a model's folder, in float32; nothing at all for most models."""
    import torch
    from safetensors.torch import load_file

    layers: list[torch.nn.Module] = []
    for part in dense_folders(where, folder):
        settings = json.loads((part / "config.json").read_text(encoding="utf-8"))
        layer = torch.nn.Linear(settings["in_features"], settings["out_features"], settings["bias"])
        tensors = load_file(part / WEIGHTS)
        layer.load_state_dict({key.removeprefix("linear."): t for key, t in tensors.items()})
        activation = settings.get("activation_function", "torch.nn.modules.linear.Identity")
        name = activation.rpartition(".")[2]
        if not activation.startswith("torch.nn.") or not hasattr(torch.nn, name):
            raise StudyError(
                f"{where}: {part / 'config.json'} has the activation '{activation}'; only those "
                "of torch.nn can be applied"
            )
        layers += [layer, getattr(torch.nn, name)()]
    return torch.nn.Sequential(*layers).eval()
