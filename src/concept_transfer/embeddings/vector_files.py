"""Vectors that somebody published: files that hold one vector a key.

| suffix | layout |
|---|---|
| .h5, .hdf5 | one dataset a key, shape (1, d) or (d,) |
| .npz | arrays ``keys`` [n] and ``vectors`` [n, d], or one array a key |
| .parquet | a string column (the keys) and one list column, or one number column a dimension |
| .txt, .vec, .w2v | word2vec text: ``key v1 ... vd`` a line, with or without a ``n d`` header |
| .csv | the same with commas (cui2vec) |
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from concept_transfer.errors import StudyError, choices


@dataclass(frozen=True)
class VectorFile:
    """The keys of a file, and how to load the vectors of some of them.

    `load` takes positions in `keys` and returns float32 [positions, width].
    """

    path: Path
    keys: list[str]
    load: Callable[[Sequence[int]], NDArray[np.float32]]


def open_vectors(path: Path) -> VectorFile:
    """Read the keys of a file, not its vectors.

    Raises StudyError for an absent or damaged file, an unknown suffix and a repeated key.
    """
    opener = _OPENERS.get(path.suffix.lower())
    if opener is None:
        raise StudyError(
            f"{path}: the suffix '{path.suffix}' is no known vector format; "
            f"accepted are {choices(_OPENERS)}"
        )
    if not path.is_file():
        raise StudyError(f"vector file {path} does not exist; correct the key 'path'")
    try:
        file = opener(path)
    except StudyError:
        raise
    except Exception as error:
        raise StudyError(f"vector file {path} cannot be read as {path.suffix}: {error}") from error
    repeated = [key for key, count in Counter(file.keys).items() if count > 1]
    if repeated:
        raise StudyError(
            f"vector file {path} holds {len(repeated)} key(s) more than once, the first is "
            f"'{repeated[0]}'; keep one vector a key"
        )
    if not file.keys:
        raise StudyError(f"vector file {path} holds no vector")
    return file


def _stack(path: Path, keys: Sequence[str], rows: Sequence[Any]) -> NDArray[np.float32]:
    """Rows of one width, or a StudyError that names the key that differs."""
    arrays = [np.asarray(row, dtype=np.float32).reshape(-1) for row in rows]
    for key, array in zip(keys, arrays, strict=True):
        if len(array) != len(arrays[0]):
            raise StudyError(
                f"vector file {path}: '{key}' has {len(array)} numbers, '{keys[0]}' has "
                f"{len(arrays[0])}; all vectors of a file have one width"
            )
    return np.stack(arrays)


def _open_hdf5(path: Path) -> VectorFile:
    import h5py

    keys: list[str] = []
    with h5py.File(path) as file:
        file.visititems(
            lambda key, item: keys.append(key) if isinstance(item, h5py.Dataset) else None
        )

    def load(positions: Sequence[int]) -> NDArray[np.float32]:
        wanted = [keys[i] for i in positions]
        with h5py.File(path) as file:
            return _stack(path, wanted, [file[key][()] for key in wanted])

    return VectorFile(path, keys, load)


def _open_npz(path: Path) -> VectorFile:
    with np.load(path, allow_pickle=False) as file:
        one_table = set(file.files) == {"keys", "vectors"}
        keys = [str(key) for key in (file["keys"] if one_table else file.files)]

    def load(positions: Sequence[int]) -> NDArray[np.float32]:
        wanted = [keys[i] for i in positions]
        with np.load(path, allow_pickle=False) as file:
            if one_table:
                vectors = file["vectors"]
                if vectors.ndim != 2 or len(vectors) != len(keys):
                    raise StudyError(
                        f"vector file {path}: 'vectors' has shape {vectors.shape}, which does not "
                        f"fit {len(keys)} keys"
                    )
                return np.asarray(vectors[list(positions)], dtype=np.float32)
            return _stack(path, wanted, [file[key] for key in wanted])

    return VectorFile(path, keys, load)


def _open_parquet(path: Path) -> VectorFile:
    import pyarrow as pa
    import pyarrow.parquet as pq

    schema = pq.read_schema(path)
    texts = [
        f.name for f in schema if pa.types.is_string(f.type) or pa.types.is_large_string(f.type)
    ]
    rest = [f.name for f in schema if f.name not in texts]
    if len(texts) != 1 or not rest:
        raise StudyError(
            f"vector file {path} needs exactly one string column (the keys) and the vectors; its "
            f"string columns are: {', '.join(texts) or 'none'}"
        )
    keys = pq.read_table(path, columns=texts).column(0).to_pylist()

    def load(positions: Sequence[int]) -> NDArray[np.float32]:
        table = pq.read_table(path, columns=rest).take(pa.array(positions, pa.int64()))
        wanted = [keys[i] for i in positions]
        if len(rest) == 1 and not pa.types.is_floating(table.schema.field(0).type):
            return _stack(path, wanted, table.column(0).to_pylist())
        columns = [column.to_numpy() for column in table.columns]
        return np.stack(columns, axis=1).astype(np.float32)

    return VectorFile(path, keys, load)


def _open_word2vec(path: Path) -> VectorFile:
    separator = "," if path.suffix.lower() == ".csv" else None
    keys = [key for key, _ in _word2vec_lines(path, separator)]

    def load(positions: Sequence[int]) -> NDArray[np.float32]:
        wanted = set(positions)
        found = {
            i: np.array(numbers, dtype=np.float32)
            for i, (_, numbers) in enumerate(_word2vec_lines(path, separator))
            if i in wanted
        }
        return _stack(path, [keys[i] for i in positions], [found[i] for i in positions])

    return VectorFile(path, keys, load)


def _word2vec_lines(path: Path, separator: str | None) -> Iterator[tuple[str, list[str]]]:
    """(key, numbers as text) of every line but the header."""
    with path.open(encoding="utf-8") as lines:
        for number, line in enumerate(lines):
            parts = line.rstrip("\n").split(separator)
            header = number == 0 and (
                (len(parts) == 2 and all(part.isdigit() for part in parts))
                or (separator == "," and not _is_number(parts[-1]))
            )
            if parts and not header:
                yield parts[0].strip('"'), parts[1:]


def _is_number(text: str) -> bool:
    try:
        float(text.strip('"'))
    except ValueError:
        return False
    return True


_OPENERS: dict[str, Callable[[Path], VectorFile]] = {
    ".h5": _open_hdf5,
    ".hdf5": _open_hdf5,
    ".npz": _open_npz,
    ".parquet": _open_parquet,
    ".txt": _open_word2vec,
    ".vec": _open_word2vec,
    ".w2v": _open_word2vec,
    ".csv": _open_word2vec,
}
