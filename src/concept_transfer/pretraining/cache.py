"""Pre-trained encoders by what they were made from, shared by all studies of a machine.

The folder of an encoder is named by the SHA-256 of its identity: settings, seed, the content of
the histories, the code. Its card appears last, so a folder with a card is whole; until then it
holds the checkpoint that a killed job goes on from. Whoever computes holds the folder's lock.
"""

from __future__ import annotations

import csv
import hashlib
import json
import logging
import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from concept_transfer.closure import digest
from concept_transfer.concepts.vocabulary import Vocabulary
from concept_transfer.embeddings.cache import cache_folder, locked
from concept_transfer.inputs.history import History
from concept_transfer.pretraining.checkpoint import Epoch
from concept_transfer.pretraining.encoder import CARD, LOG, EncoderFiles
from concept_transfer.pretraining.pretrain import pretrain
from concept_transfer.settings.encoders import CodeEncoder

CHECKPOINT = "checkpoint.safetensors"
UNREAD = frozenset({"sites", "unlabelled", "copies"})  # names, which the content stands for

_FORMAT = 1
_BYTES_AT_ONCE = 1 << 24
_log = logging.getLogger(__name__)


def write_encoder(
    folder: Path,
    histories: Sequence[History],
    masks: Sequence[NDArray[np.bool_]],
    settings: CodeEncoder,
    seed: tuple[int, int],
    *,
    persons: Sequence[NDArray[np.int64]] | None = None,
    text: tuple[Vocabulary, NDArray[np.float32]] | None = None,
    device: str = "cpu",
    threads: int = 1,
) -> None:
    """Write the `FILES` of the encoder that `pretrain` gives, from the cache where it is there.

    Raises StudyError as `pretrain` does, and for a damaged or closed cache.
    """
    identity = {
        "format": _FORMAT,
        "settings": settings.model_dump(mode="json", exclude=set(UNREAD)),
        "seed": seed,
        "device": device,
        "threads": threads,
        "histories": [_content(h, mask) for h, mask in zip(histories, masks, strict=True)],
        "persons": None if persons is None else _digest(persons),
        "text": None if text is None else [text[0].identity, _digest([text[1]])],
        "code": digest(Path(__file__)),
    }

    def compute(cached: Path) -> None:
        checkpoint = cached / CHECKPOINT
        files, epochs = pretrain(
            histories,
            masks,
            settings,
            seed,
            persons=persons,
            text=text,
            device=device,
            threads=threads,
            checkpoint=checkpoint,
        )
        _write(cached, files, epochs)
        checkpoint.unlink(missing_ok=True)

    _copied(identity, compute, folder, settings)


def _copied(
    identity: Mapping[str, Any],
    compute: Callable[[Path], None],
    folder: Path,
    settings: CodeEncoder,
) -> None:
    described = json.dumps(identity, sort_keys=True, indent=2)
    name = hashlib.sha256(described.encode()).hexdigest()[:32]
    cached = cache_folder() / "encoders" / name
    if (cached / CARD).is_file():
        _log.info("taken from the cache: %s", cached)
    else:
        with locked(cached):
            if not (cached / CARD).is_file():
                (cached / "identity.json").write_text(described, encoding="utf-8")
                compute(cached)
    found = EncoderFiles.read(cached)
    folder.mkdir(parents=True, exist_ok=True)
    EncoderFiles(settings, found.vocabulary, found.weights, found.facts).write(folder)
    shutil.copyfile(cached / LOG, folder / LOG)


def _write(folder: Path, files: EncoderFiles, epochs: Iterable[Epoch]) -> None:
    """The card last, under its name only when whole."""
    with (folder / LOG).open("w", encoding="utf-8", newline="") as file:
        columns = [field.name for field in fields(Epoch)]
        writer = csv.DictWriter(file, columns, delimiter="\t", lineterminator="\n")
        writer.writeheader()
        writer.writerows(asdict(epoch) for epoch in epochs)
    partial = folder / "partial"
    partial.mkdir(exist_ok=True)
    files.write(partial)
    for name in files.names:
        (partial / name).replace(folder / name)
    partial.rmdir()


def _content(history: History, mask: NDArray[np.bool_]) -> str:
    arrays = (
        mask,
        history.codes.offsets,
        history.codes.values,
        history.visits,
        history.days,
        history.ages,
        history.index_days,
    )
    return _digest(arrays, json.dumps(history.names).encode())


def _digest(arrays: Iterable[NDArray[Any]], start: bytes = b"") -> str:
    """SHA-256 of numbers, their types and shapes; of memory-mapped ones a part at a time."""
    result = hashlib.sha256(start)
    for array in arrays:
        result.update(f"{array.dtype} {array.shape}".encode())
        flat = array.reshape(-1)
        step = max(1, _BYTES_AT_ONCE // array.dtype.itemsize)
        for first in range(0, len(flat), step):
            result.update(np.ascontiguousarray(flat[first : first + step]).data)
    return result.hexdigest()
