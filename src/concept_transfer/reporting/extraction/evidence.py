"""What the report of an extraction study is made from."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from concept_transfer.extraction.measuring import ALL_TYPES, SCORES, TESTS
from concept_transfer.extraction.settings import ExtractionStudy
from concept_transfer.parquet import read_table


@dataclass(frozen=True)
class ExtractionEvidence:
    """scores, tests: rows of all corpora (`measuring.SCORES`, `TESTS`); parts: corpus, part and
    how much it holds (`Corpus.facts`); warnings: which taggers diverged."""

    study: ExtractionStudy
    scores: pd.DataFrame
    tests: pd.DataFrame
    parts: pd.DataFrame
    warnings: list[str]

    def strict(self) -> pd.DataFrame:
        """The strict scores of all types."""
        chosen = (self.scores["mode"] == "strict") & (self.scores["type"] == ALL_TYPES)
        return self.scores[chosen]

    def learned(self) -> list[tuple[str, str]]:
        """Corpus and what is learned from, of every group of taggers that are compared."""
        return [(c, t) for c in self.study.corpora for t in self.study.train]

    def group(self, frame: pd.DataFrame, corpus: str, train: str) -> pd.DataFrame:
        """The rows of a frame about taggers that learned the same."""
        return frame[(frame["corpus"] == corpus) & (frame["train"] == train)]

    def place(self, corpus: str, train: str) -> str:
        """What a group is called, without what all groups share."""
        names = [corpus] * (len(self.study.corpora) > 1) + [train] * (len(self.study.train) > 1)
        return ", ".join(names)


def read_evidence(
    study: ExtractionStudy,
    scores: Iterable[str],
    tests: Iterable[str],
    facts: Iterable[str],
    warnings: Iterable[str],
) -> ExtractionEvidence:
    """From the files of the jobs."""
    parts = [
        {"corpus": Path(file).parent.name, "part": Path(file).stem, **_json(file)} for file in facts
    ]
    return ExtractionEvidence(
        study,
        pd.concat([read_table(file, SCORES).to_pandas() for file in scores], ignore_index=True),
        pd.concat([read_table(file, TESTS).to_pandas() for file in tests], ignore_index=True),
        pd.DataFrame(parts),
        [sentence for file in warnings for sentence in _json(file)],
    )


def _json(file: str) -> dict[str, int]:
    read: dict[str, int] = json.loads(Path(file).read_text(encoding="utf-8"))
    return read
