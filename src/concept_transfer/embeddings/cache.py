"""A content-addressed cache of text vectors, shared by all studies of a machine.

A *space* is one way to embed (provider, model, revision, pooling, ...); its folder is named by
the SHA-256 of that identity. In it, immutable segments hold the SHA-256 of texts and their
vectors. A segment appears under its final name only when complete, so a killed job loses at most
the batch in work, and readers need no lock. Whoever computes holds the space's lock, so two jobs
never compute the same text.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import logging
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save_file

from concept_transfer.errors import StudyError

VARIABLE = "CONCEPT_TRANSFER_CACHE"
_FORMAT = 1
_log = logging.getLogger(__name__)


def cache_folder() -> Path:
    """`$CONCEPT_TRANSFER_CACHE`, else `concept-transfer` in the user's cache folder."""
    chosen = os.environ.get(VARIABLE)
    if chosen:
        return Path(chosen)
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "concept-transfer"


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold a folder of the cache alone, made if need be; ends with the process at the latest.

    Raises StudyError where it cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = (folder / "lock").open("w")
        fcntl.flock(lock, fcntl.LOCK_EX)
    except OSError as error:
        raise StudyError(
            f"the cache folder {folder} cannot be written ({error.strerror}); set {VARIABLE} to a "
            "folder that can"
        ) from None
    with lock:
        yield


class VectorSpace:
    """All cached vectors of one way to embed."""

    def __init__(self, identity: Mapping[str, Any], folder: Path | None = None) -> None:
        described = json.dumps({"format": _FORMAT, **identity}, sort_keys=True, indent=2)
        name = hashlib.sha256(described.encode()).hexdigest()[:32]
        self._identity = described
        self._folder = (folder or cache_folder()) / "vectors" / name

    def missing(self, texts: Sequence[str]) -> list[str]:
        """Texts without a vector, in order; reads no vector."""
        wanted = {_digest(text): text for text in texts}
        for segment in self._segments():
            for digest in segment.digests:
                wanted.pop(digest, None)
        return list(wanted.values())

    def load(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Vectors of texts, float32 [texts, width]. Every text must be cached.

        Raises StudyError for entries that are no vectors of one model, naming the file to delete.
        """
        positions = {_digest(text): position for position, text in enumerate(texts)}
        assert len(positions) == len(texts), "texts must be distinct"
        vectors: NDArray[np.float32] | None = None
        for segment in self._segments():
            pairs = [
                (row, positions.pop(digest))
                for row, digest in enumerate(segment.digests)
                if digest in positions
            ]
            if not pairs:
                continue
            if vectors is None:
                vectors, first = np.empty((len(texts), segment.width), dtype=np.float32), segment
            if segment.width != vectors.shape[1]:
                raise StudyError(
                    f"the cache file {segment.path} holds vectors of {segment.width} numbers and "
                    f"{first.path} of {first.width}, and one model gives one width; delete the "
                    "file that is wrong (or both) and run again"
                )
            rows, targets = np.array(pairs).T
            segment.copy(rows, vectors, targets)
            if fault := _fault([texts[i] for i in targets], vectors[targets]):
                raise StudyError(
                    f"the cache file {segment.path} holds {fault}; delete the file and run again"
                )
        assert vectors is not None, "load needs cached texts"
        assert not positions, "load needs cached texts"
        return vectors

    def require_usable(
        self, where: str, texts: Sequence[str], vectors: NDArray[np.float32]
    ) -> None:
        """Refuse (StudyError) vectors that would spoil the cache: zeros, NaN, another width."""
        if fault := _fault(texts, vectors):
            raise StudyError(
                f"{where} gives {fault}; nothing of this answer is kept. Such vectors come from "
                "damaged weights, from overflow in half precision, or from a server in trouble"
            )
        for segment in self._segments():
            if segment.width != vectors.shape[1]:
                raise StudyError(
                    f"{where} gives vectors of {vectors.shape[1]} numbers, but those that are "
                    f"cached have {segment.width}, so it is another model under the same name; "
                    f"nothing of this answer is kept. If it has been replaced, delete the folder "
                    f"{self._folder} to embed everything with the new one"
                )
            return

    def store(self, texts: Sequence[str], vectors: NDArray[np.float32]) -> None:
        """Add vectors for good; they must be usable."""
        digests = np.frombuffer(b"".join(map(_digest, texts)), np.uint8).reshape(-1, 32)
        name = hashlib.sha256(digests.tobytes()).hexdigest()[:32]
        path = self._folder / f"{name}.safetensors"
        temporary = path.with_suffix(".partial")
        save_file({"texts": digests, "vectors": np.ascontiguousarray(vectors)}, temporary)
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())
        temporary.replace(path)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the space alone; ends with the process at the latest.

        Raises StudyError where the cache folder cannot be written.
        """
        with locked(self._folder):
            for left in self._folder.glob("*.partial"):
                left.unlink()
            (self._folder / "identity.json").write_text(self._identity, encoding="utf-8")
            yield

    def _segments(self) -> Iterator[_Segment]:
        for path in sorted(self._folder.glob("*.safetensors")):
            try:
                yield _Segment(path)
            except (ValueError, KeyError):
                _log.warning("ignoring the damaged cache file %s; its texts count as new", path)


def embed_cached(
    where: str,
    space: VectorSpace,
    texts: Sequence[str],
    compute: Callable[[list[str]], Iterator[tuple[list[str], NDArray[np.float32]]]],
) -> NDArray[np.float32]:
    """Vectors of distinct texts, float32 [texts, width]; only unknown ones are computed.

    `compute` takes the unknown texts and yields them in parts with their vectors; every part is
    checked and stored before the next one is asked for. `where` names embedding and model.
    """
    if space.missing(texts):
        with space.locked():
            unknown = space.missing(texts)
            if unknown:
                for part, vectors in compute(unknown):
                    space.require_usable(where, part, vectors)
                    space.store(part, vectors)
    return space.load(texts)


class _Segment:
    """One immutable file: tensors `texts` uint8 [n, 32] and `vectors` float32 [n, width]."""

    def __init__(self, path: Path) -> None:
        with path.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            header = json.loads(file.read(length))
            start = 8 + length
            begin, end = header["texts"]["data_offsets"]
            file.seek(start + begin)
            joined = file.read(end - begin)
            if start + max(end, header["vectors"]["data_offsets"][1]) != path.stat().st_size:
                raise ValueError("cut short")
        self.path = path
        self._offset = start + header["vectors"]["data_offsets"][0]
        self._shape = tuple(header["vectors"]["shape"])
        self.width = self._shape[1]
        self.digests = [joined[i : i + 32] for i in range(0, len(joined), 32)]

    def copy(
        self, rows: NDArray[np.intp], into: NDArray[np.float32], targets: NDArray[np.intp]
    ) -> None:
        """Copy vectors `rows` of the file to the rows `targets` of an array."""
        stored = np.memmap(self.path, np.float32, "r", self._offset, self._shape)
        into[targets] = stored[rows]


def _fault(texts: Sequence[str], vectors: NDArray[np.float32]) -> str | None:
    """What makes one of the vectors useless, and whose it is; None where all are good."""
    fault = fault_of(vectors)
    if fault is None:
        return None
    what, row = fault
    return what if row is None else f"{what} for '{texts[row][:80]}'"


def fault_of(vectors: NDArray[np.float32]) -> tuple[str, int | None] | None:
    """What makes one of the vectors useless, and its row (None: that of all); None where all are
    good."""
    if not vectors.shape[1]:
        return "vectors of 0 numbers", None
    for bad, what in (
        (~np.isfinite(vectors).all(axis=1), "NaN or infinity"),
        (~vectors.any(axis=1), "a vector of zeros"),
    ):
        if bad.any():
            return what, int(bad.argmax())
    return None


def file_digest(path: Path) -> str:
    """SHA-256 of a file, remembered for as long as its size and times stay the same."""
    path = path.resolve()
    facts = path.stat()
    key = f"{path}\n{facts.st_size}\n{facts.st_mtime_ns}\n{facts.st_ctime_ns}\n{facts.st_ino}"
    memory = cache_folder() / "files" / hashlib.sha256(key.encode()).hexdigest()
    try:
        return memory.read_text(encoding="ascii")
    except OSError:
        pass
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    try:
        memory.parent.mkdir(parents=True, exist_ok=True)
        temporary = memory.with_suffix(f".{os.getpid()}")
        temporary.write_text(digest, encoding="ascii")
        temporary.replace(memory)
    except OSError as error:
        _log.warning("cannot remember the digest of %s: %s", path, error)
    return digest


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()
