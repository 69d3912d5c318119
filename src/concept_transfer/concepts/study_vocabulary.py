"""The vocabulary of a study as its jobs read it: the file that the config names, and its bins."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from concept_transfer.concepts.bins import planned_edges, with_bins
from concept_transfer.concepts.vocabulary import Vocabulary

if TYPE_CHECKING:
    from concept_transfer.settings.bins import Bins


def study_vocabulary(path: Path | str, settings: str, edges: Iterable[str] = ()) -> Vocabulary:
    """The tokens of the file at `path` and, after them, every bin of the study.

    `settings` is what `reading` wrote; `edges` are the files of bins that follow quantiles, which
    without them have preliminary edges. Raises StudyError.
    """
    vocabulary = Vocabulary.read(path)
    sections = json.loads(settings)["bins"]
    if not sections:
        return vocabulary
    from concept_transfer.settings.bins import Bins

    bins = {concept: Bins.model_validate(section) for concept, section in sections.items()}
    numbers = planned_edges(bins)
    for file in edges:
        entries = json.loads(Path(file).read_text(encoding="utf-8"))
        numbers |= {concept: entry["edges"] for concept, entry in entries.items()}
    return with_bins(vocabulary, bins, numbers)


def units_of_bins(settings: str) -> dict[str, str]:
    """Concept -> the unit that the study says of its bins, of what `reading` wrote."""
    return {c: section["unit"] for c, section in json.loads(settings)["bins"].items()}


def reading(vocabulary: Vocabulary, bins: Mapping[str, Bins], columns: Iterable[str]) -> str:
    """JSON of the bins' settings, in order, and the digest of the columns that a job reads."""
    sections = {concept: entry.model_dump(mode="json") for concept, entry in bins.items()}
    return json.dumps({"columns": vocabulary.digest_of(*columns), "bins": sections})
