"""The input `history`: all coded events of a patient before the index time, in order."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from concept_transfer.concepts.vocabulary import Vocabulary
from concept_transfer.errors import StudyError
from concept_transfer.inputs.input import Input
from concept_transfer.inputs.rows import CompressedRows

if TYPE_CHECKING:
    import pyarrow as pa

BACKGROUND = 0  # number of the visit of what has no time
OF_EVENTS = {"visits": np.int32, "days": np.float32, "ages": np.float32}
ARRAYS = ("offsets", "codes", *OF_EVENTS, "index_days")
NAMES = "history_names.json"
FILES = (*(f"history_{name}.npy" for name in ARRAYS), NAMES)
REMEDY = "delete its history_* files and let the workflow write them again"


@dataclass(frozen=True)
class History:
    """n timelines; row i is what was recorded until the i-th index time. The arrays may be
    memory-mapped.

    codes: numbers of codes (places in `names`), background first, then in the order of time, as
    often as they were recorded; visits: int32 [values], the number of each event's visit, from 1,
    `BACKGROUND` for what has no time (sex, race); days: float32 [values], from the event to the
    index time, NaN for background; ages: float32 [values], years at the event, NaN where unknown;
    index_days: float64 [n], the index time in days since 2000-01-01; names: the site's codes.
    """

    codes: CompressedRows
    visits: NDArray[np.int32]
    days: NDArray[np.float32]
    ages: NDArray[np.float32]
    index_days: NDArray[np.float64]
    names: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.codes)

    @property
    def dated(self) -> NDArray[np.int64]:
        """How many events of each row have a time, int64 [n]."""
        ends = np.concatenate([[0], np.cumsum(self.visits != BACKGROUND)])[self.codes.offsets]
        return np.diff(ends)

    def select(self, rows: NDArray[np.int64]) -> History:
        """The given rows, in their order."""
        places = self.codes.places(rows)
        return replace(
            self,
            codes=self.codes.select(rows),
            visits=np.asarray(self.visits[places]),
            days=np.asarray(self.days[places]),
            ages=np.asarray(self.ages[places]),
            index_days=np.asarray(self.index_days[rows]),
        )


def check(history: History, count: int, vocabulary: Vocabulary | None, where: str) -> None:
    """Raise StudyError unless `history` holds the timelines of `count` rows, each with its
    background first and then in the order of time, and nothing after an index time."""
    history.codes.check(where, count, "codes of histories")
    for problem in _problems(history):
        raise StudyError(f"{where}: {problem}")


def write(
    folder: Path, history: History, encounters: pa.Array | None, vocabulary: Vocabulary | None
) -> None:
    """Write the arrays as ``history_<name>.npy``, and ``history_names.json``."""
    for name, array in _arrays(history).items():
        np.save(folder / f"history_{name}.npy", array)
    names = json.dumps(history.names, ensure_ascii=False, indent=0)
    (folder / NAMES).write_text(names + "\n", encoding="utf-8")


def read(folder: Path) -> History:
    """Memory-map what `write` wrote. Raises StudyError naming the folder."""
    try:
        arrays = {name: np.load(folder / f"history_{name}.npy", mmap_mode="r") for name in ARRAYS}
        names = json.loads((folder / NAMES).read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError) as error:
        raise StudyError(f"{folder} has no complete histories ({error}); {REMEDY}") from None
    offsets, codes = arrays.pop("offsets"), arrays.pop("codes")
    history = History(CompressedRows(offsets, codes), **arrays, names=tuple(names))
    lengths = {name: len(arrays[name]) for name in OF_EVENTS} | {"codes": len(codes)}
    whole = len(offsets) and set(lengths.values()) == {int(offsets[-1])}
    if not whole or len(history.index_days) != len(history):
        told = ", ".join(f"history_{name}.npy {length}" for name, length in lengths.items())
        raise StudyError(
            f"{folder}: history_offsets.npy ({len(offsets)} entries, last {offsets[-1:]}), "
            f"history_index_days.npy ({len(history.index_days)}) and the events' files ({told}) do "
            f"not belong together; {REMEDY}"
        )
    return history


def _arrays(history: History) -> dict[str, NDArray[Any]]:
    of_events = {name: getattr(history, name) for name in (*OF_EVENTS, "index_days")}
    return {"offsets": history.codes.offsets, "codes": history.codes.values, **of_events}


def _problems(history: History) -> Iterator[str]:
    """What breaks the documented form; the first is enough."""
    codes, visits, days = history.codes, history.visits, history.days
    lengths = dict.fromkeys(OF_EVENTS, len(codes.values)) | {"index_days": len(history)}
    for name, length in lengths.items():
        array, kind = getattr(history, name), np.dtype(OF_EVENTS.get(name, np.float64))
        if array.dtype != kind or array.shape != (length,):
            yield (
                f"{name} of histories are {array.dtype} {list(array.shape)}; expected {kind} "
                f"[{length}]"
            )
    if not np.isfinite(history.index_days).all():
        yield "some histories have no index time; each row needs one"
    outside = (codes.values < 0) | (codes.values >= len(history.names))
    if outside.any():
        yield (
            f"code {codes.values[outside][0]} of a history is outside the {len(history.names)} "
            "names"
        )
    background = visits == BACKGROUND
    if (visits < BACKGROUND).any() or not np.array_equal(background, np.isnan(days)):
        yield "visits of histories count from 1, and are 0 just where an event has no time"
    if (days < 0).any():
        yield "events of a history lie after its index time, and would tell of the outcome"
    inner = np.ones(max(len(codes.values) - 1, 0), bool)
    starts = codes.offsets[1:-1]
    inner[starts[(starts > 0) & (starts < len(codes.values))] - 1] = False
    late = background[1:] & ~background[:-1]
    if (inner & (late | (days[1:] > days[:-1]))).any():
        yield "events of a history are background first, and then in the order of time"


HISTORY = Input(files=FILES, arrays=FILES, check=check, write=write, read=read)
