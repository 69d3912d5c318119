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

import csv
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from concept_transfer.errors import StudyError, choices

_PANDAS_INDEX = "__index_level_"


@dataclass(frozen=True)
class VectorFile:
    """The keys of a file, and how to load the vectors of some of them.

    `load` takes positions in `keys` and returns float32 [positions, width]. It raises StudyError
    that names file and key where one of them has no vector of finite real numbers.
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


def _stack(path: Path, keys: Sequence[str], rows: Iterable[Any]) -> NDArray[np.float32]:
    """Rows of one width, or a StudyError that names the key that differs or is no vector."""
    arrays: list[NDArray[np.float32]] = []
    for key, row in zip(keys, rows, strict=True):
        array = _numbers(row)
        if isinstance(array, str):
            raise StudyError(
                f"vector file {path}: '{key}' {array}; a vector is one row of finite real numbers"
            )
        if arrays and len(array) != len(arrays[0]):
            raise StudyError(
                f"vector file {path}: '{key}' has {len(array)} numbers, '{keys[0]}' has "
                f"{len(arrays[0])}; all vectors of a file have one width"
            )
        arrays.append(array)
    return np.stack(arrays)


def _numbers(values: Any) -> NDArray[np.float32] | str:
    """One vector, float32 [width], from an array or a list; else what is wrong with it."""
    array = np.asarray(values)
    if array.dtype.kind == "O" and array.size and array.ndim and any(v is None for v in array.flat):
        return "has an empty cell"
    if not array.size or values is None:
        return "is empty"
    if array.dtype.kind == "c":
        return "has complex numbers"
    if array.dtype.kind not in "fiub":
        return "holds text or objects"
    if array.size != max(array.shape, default=1):
        return f"has the shape {array.shape}"
    with np.errstate(over="ignore"):
        vector = array.astype(np.float32).reshape(-1)
    return vector if np.isfinite(vector).all() else "holds NaN or infinity (as 32-bit numbers)"


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
        keys = _npz_array(path, file, "keys").astype(str).tolist() if one_table else file.files

    def load(positions: Sequence[int]) -> NDArray[np.float32]:
        wanted = [keys[i] for i in positions]
        with np.load(path, allow_pickle=False) as file:
            if one_table:
                vectors = _npz_array(path, file, "vectors")
                if vectors.ndim != 2 or len(vectors) != len(keys):
                    raise StudyError(
                        f"vector file {path}: 'vectors' has shape {vectors.shape}, which does not "
                        f"fit {len(keys)} keys"
                    )
                return _stack(path, wanted, vectors[list(positions)])
            return _stack(path, wanted, (_npz_array(path, file, key) for key in wanted))

    return VectorFile(path, keys, load)


def _npz_array(path: Path, file: Any, name: str) -> NDArray[Any]:
    try:
        return np.asarray(file[name])
    except ValueError:
        raise StudyError(
            f"vector file {path}: '{name}' holds Python objects, which NumPy stores as a pickle "
            "that can run code; save numbers with dtype=float and keys with dtype=str"
        ) from None


def _open_parquet(path: Path) -> VectorFile:
    import pyarrow as pa
    import pyarrow.parquet as pq

    schema = pq.read_schema(path)
    texts = [
        f.name for f in schema if pa.types.is_string(f.type) or pa.types.is_large_string(f.type)
    ]
    rest = [f for f in schema if f.name not in texts and not f.name.startswith(_PANDAS_INDEX)]
    if len(texts) != 1 or not rest:
        raise StudyError(
            f"vector file {path} needs exactly one string column (the keys) and the vectors; its "
            f"string columns are: {', '.join(texts) or 'none'}"
        )
    in_lists = len(rest) == 1 and hasattr(rest[0].type, "value_type")
    for column in rest:
        kind = column.type.value_type if in_lists else column.type
        if not (pa.types.is_integer(kind) or pa.types.is_floating(kind)):
            raise StudyError(
                f"vector file {path}: the column '{column.name}' is of type {column.type}; beside "
                f"the keys ('{texts[0]}') a file has one column of lists of numbers, or one "
                "number column a dimension"
            )
    names = [column.name for column in rest]
    keys = pq.read_table(path, columns=texts).column(0).to_pylist()
    if None in keys:
        raise StudyError(
            f"vector file {path}: the column '{texts[0]}' has no key in row {keys.index(None) + 1}"
        )

    def load(positions: Sequence[int]) -> NDArray[np.float32]:
        table = pq.read_table(path, columns=names).take(pa.array(positions, pa.int64()))
        wanted = [keys[i] for i in positions]
        if in_lists:
            return _stack(path, wanted, table.column(0).to_pylist())
        return _stack(path, wanted, np.stack([c.to_numpy() for c in table.columns], axis=1))

    return VectorFile(path, keys, load)


def _open_word2vec(path: Path) -> VectorFile:
    keys = [key for key, _ in _word2vec_lines(path)]

    def load(positions: Sequence[int]) -> NDArray[np.float32]:
        wanted = set(positions)
        vectors = {
            i: _parsed(path, key, numbers)
            for i, (key, numbers) in enumerate(_word2vec_lines(path))
            if i in wanted
        }
        return _stack(path, [keys[i] for i in positions], [vectors[i] for i in positions])

    return VectorFile(path, keys, load)


def _parsed(path: Path, key: str, cells: list[str]) -> NDArray[np.float32]:
    """Numbers as text -> float32 [width]."""
    for place, cell in enumerate(cells, 1):
        if not _is_number(cell):
            what = f"has '{cell}', which is no number," if cell.strip() else "has an empty cell"
            raise StudyError(
                f"vector file {path}: '{key}' {what} at place {place} of {len(cells)}; a vector "
                "is one row of finite real numbers"
            )
    return np.array(cells, dtype=np.float32)


def _word2vec_lines(path: Path) -> Iterator[tuple[str, list[str]]]:
    """(key, numbers as text) of every line but the header and empty ones."""
    commas = path.suffix.lower() == ".csv"
    with path.open(encoding="utf-8-sig", newline="" if commas else None) as file:
        lines = csv.reader(file) if commas else (line.split() for line in file)
        for number, parts in enumerate(lines):
            header = number == 0 and (
                (len(parts) == 2 and all(part.isdigit() for part in parts))
                or (commas and len(parts) > 1 and not any(map(_is_number, parts[1:])))
            )
            if parts and not header:
                yield parts[0].strip('"'), parts[1:]


def _is_number(text: str) -> bool:
    try:
        float(text)
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
