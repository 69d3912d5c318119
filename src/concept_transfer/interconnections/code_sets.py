"""Who has which codes: a row a visit or a patient, with its cluster, age group and sex."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from concept_transfer.errors import StudyError
from concept_transfer.inputs.rows import CompressedRows, concatenated
from concept_transfer.private import private


@dataclass(frozen=True)
class CodeSets:
    """n rows, visits or patients.

    codes: sets of numbers of codes (places in `names`); days: float32 [values], when each code was
    first recorded, NaN where no time is known; patient, cluster: int64 [n], rows of one cluster are
    never divided; age, sex: [n], groups in words, '' where unknown.
    """

    codes: CompressedRows
    days: NDArray[np.float32]
    patient: NDArray[np.int64]
    cluster: NDArray[np.int64]
    age: NDArray[np.str_]
    sex: NDArray[np.str_]
    names: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.codes)

    def select(self, rows: NDArray[np.int64]) -> CodeSets:
        """The given rows, in their order."""
        return replace(
            self,
            codes=self.codes.select(rows),
            days=self.days[self.codes.places(rows)],
            patient=self.patient[rows],
            cluster=self.cluster[rows],
            age=self.age[rows],
            sex=self.sex[rows],
        )

    def renamed(self, number: NDArray[np.int64], names: Sequence[str]) -> CodeSets:
        """The same rows with other codes. number: int64 [names], what each becomes, -1 for none.

        Of codes that become one, the first day counts.
        """
        became = number[self.codes.values]
        kept = became >= 0
        owners, became = self.codes.owners[kept], became[kept]
        codes, days = _sets(owners, became, self.days[kept], len(self))
        return replace(self, codes=codes, days=days, names=tuple(names))

    def strata(self, by: Sequence[str]) -> NDArray[np.int64]:
        """The group of every row by `age`, `sex`, both or nothing, int64 [n]."""
        group = np.zeros(len(self), np.int64)
        for name in by:
            labels, label = np.unique(getattr(self, name), return_inverse=True)
            group = group * len(labels) + label
        return group

    def patients_with(self) -> NDArray[np.int64]:
        """How many patients have each code, int64 [names]."""
        width = len(self.names)
        pairs = np.unique(self.patient[self.codes.owners] * width + self.codes.values)
        return np.bincount(pairs % width, minlength=width)

    def write(self, path: Path) -> None:
        """Write ``code_sets/<site>.npz``, without pickles."""
        with private(path.parent, "code_sets"):
            np.savez_compressed(
                path,
                offsets=self.codes.offsets,
                codes=self.codes.values,
                days=self.days,
                patient=self.patient,
                cluster=self.cluster,
                age=self.age,
                sex=self.sex,
                names=np.array(self.names, dtype=np.str_),
            )

    @classmethod
    def read(cls, path: Path) -> CodeSets:
        """What `write` wrote. Raises StudyError that names a file which is not."""
        try:
            with np.load(path) as file:
                arrays = {name: file[name] for name in file.files}
            codes = CompressedRows(arrays.pop("offsets"), arrays.pop("codes"))
            names = tuple(arrays.pop("names").tolist())
            return cls(codes, names=names, **arrays)
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise StudyError(
                f"{path} holds no sets of codes ({error}); delete it and run again"
            ) from None


def code_sets(
    rows: NDArray[np.int64],
    codes: NDArray[np.str_],
    days: NDArray[np.float32],
    cluster: NDArray[np.str_] | Sequence[str],
    age: NDArray[np.str_] | Sequence[str],
    sex: NDArray[np.str_] | Sequence[str],
    patient: NDArray[np.int64] | None = None,
) -> CodeSets:
    """Sets of (row, code, day) triples in any order, codes repeated or not; clusters by name.

    patient: None where every row is another's.
    """
    names, number = np.unique(codes, return_inverse=True)
    _, clusters = np.unique(np.asarray(cluster, dtype=np.str_), return_inverse=True)
    sets, first_days = _sets(np.asarray(rows, np.int64), number, days, len(cluster))
    return CodeSets(
        sets,
        first_days,
        patient=np.arange(len(cluster)) if patient is None else patient,
        cluster=clusters.astype(np.int64),
        age=np.asarray(age, np.str_),
        sex=np.asarray(sex, np.str_),
        names=tuple(names.tolist()),
    )


def joined(parts: Sequence[CodeSets]) -> CodeSets:
    """The rows of sets with the same names, one after the other; patients and clusters stay
    apart."""
    return CodeSets(
        concatenated([part.codes for part in parts]),
        np.concatenate([part.days for part in parts]),
        _apart([part.patient for part in parts]),
        _apart([part.cluster for part in parts]),
        np.concatenate([part.age for part in parts]),
        np.concatenate([part.sex for part in parts]),
        parts[0].names,
    )


def _apart(numbers: Sequence[NDArray[np.int64]]) -> NDArray[np.int64]:
    """Numbers of several parts, those of the next above all of the one before."""
    starts = np.cumsum([0, *(int(part.max(initial=-1)) + 1 for part in numbers)])
    return np.concatenate([part + start for part, start in zip(numbers, starts, strict=False)])


def _sets(
    owners: NDArray[np.int64], codes: NDArray[np.int64], days: NDArray[np.float32], count: int
) -> tuple[CompressedRows, NDArray[np.float32]]:
    """Each code of a row once, with its first day."""
    order = np.lexsort((days, codes, owners))  # NaN last
    owners, codes, days = owners[order], codes[order], days[order]
    first = np.ones(len(owners), bool)
    first[1:] = (np.diff(owners) != 0) | (np.diff(codes) != 0)
    offsets = np.zeros(count + 1, np.int64)
    np.cumsum(np.bincount(owners[first], minlength=count), out=offsets[1:])
    sets = CompressedRows(offsets, codes[first].astype(np.int32))
    return sets, days[first].astype(np.float32)
