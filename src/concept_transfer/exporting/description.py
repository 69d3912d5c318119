"""What may be told of the encounters that a model learned from: sums over many of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow.compute as pc
from numpy.typing import NDArray

from concept_transfer.cohorts.splits import Split
from concept_transfer.concepts.vocabulary import Vocabulary
from concept_transfer.sites.extract import Extract

DECIMALS = 3  # of shares, which would tell the counts of a small site otherwise


def are_few(counts: Sequence[int] | NDArray[np.int64], small_cells: int) -> bool:
    """Whether any class has so few encounters that its count stays inside."""
    return bool(np.min(counts) < small_cells)


@dataclass(frozen=True)
class Hospital:
    """A site's encounters, and how they are divided."""

    extract: Extract
    split: Split
    classes: Sequence[str]

    def of_classes(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """How many of these encounters have each class, int64 [classes]."""
        labels = self.extract.encounters.labels[rows]
        return np.bincount(labels, minlength=len(self.classes))

    @property
    def offered(self) -> NDArray[np.int64]:
        """The encounters that models can learn from, ascending."""
        return self.split.never_tested()

    def described(self, vocabulary: Vocabulary, small_cells: int) -> dict[str, Any]:
        """Of the encounters that models can learn from: ``encounters``, those of each of the
        ``classes``, their ``prevalence`` (of any class but the first), the first and the last of
        the ``years``, and of each category the share of encounters that record it (``recorded``,
        without those that none does).

        None stands for counts below `small_cells`, for what tells such a count (a share, or the
        count of the others), and for years with fewer encounters.
        """
        rows = self.offered
        others = np.setdiff1d(np.arange(len(self.extract)), rows)
        sizes = [count for count in (len(rows), len(others)) if count]
        if min(sizes) < small_cells:
            return dict.fromkeys(("encounters", "classes", "prevalence", "years", "recorded"))
        parts = [self.of_classes(each) for each in (rows, others) if len(each)]
        hidden = any(are_few(counts, small_cells) for counts in parts)
        return {
            "encounters": len(rows),
            "classes": None if hidden else dict(zip(self.classes, parts[0].tolist(), strict=True)),
            "prevalence": None if hidden else _share(int(parts[0][1:].sum()), len(rows)),
            "years": self._years(rows, small_cells),
            "recorded": self._recorded(rows, vocabulary, small_cells),
        }

    def _years(self, rows: NDArray[np.int64], small_cells: int) -> list[int] | None:
        times = self.extract.encounters.table.column("time").take(rows)
        counts = pc.value_counts(pc.year(times.drop_null())).to_pylist()
        known = [each["values"] for each in counts if each["counts"] >= small_cells]
        return [min(known), max(known)] if known else None

    def _recorded(
        self, rows: NDArray[np.int64], vocabulary: Vocabulary, small_cells: int
    ) -> dict[str, float | None]:
        findings = self.extract.inputs["findings"].select(rows)
        category_of = np.array(vocabulary.categories)[findings.values]
        counts = {
            category: len(np.unique(findings.owners[category_of == category]))
            for category in dict.fromkeys(vocabulary.categories)
        }
        return {
            category: None
            if any(0 < part < small_cells for part in (count, len(rows) - count))
            else _share(count, len(rows))
            for category, count in counts.items()
            if count
        }


def _share(part: int, whole: int) -> float:
    return round(part / whole, DECIMALS)
