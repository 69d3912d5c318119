"""What an adapter makes of a site: a cohort, inputs, and a report on the way there."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from concept_transfer.cohorts.encounters import Encounters
from concept_transfer.concepts.vocabulary import Vocabulary
from concept_transfer.inputs.registry import INPUTS
from concept_transfer.private import private
from concept_transfer.sites.site import read_inputs

QUARANTINE, MENTIONS = "quarantine.parquet", "mentions.parquet"


@dataclass(frozen=True)
class Extract:
    """The encounters of a site, its inputs by name (rows as the encounters'), and the ingest report
    (`concept_transfer.sites.report`). set_aside: rows that could not be used, if the adapter looks
    for them (`concept_transfer.events.quarantine.SCHEMA`). mentions: words of notes, and the
    concepts that they were taken for, where findings were read
    (`concept_transfer.sites.mentions`)."""

    encounters: Encounters
    inputs: Mapping[str, Any]
    report: Mapping[str, Any]
    set_aside: pa.Table | None = None
    mentions: pa.Table | None = None

    def __len__(self) -> int:
        return len(self.encounters)

    def validate(self, where: str, vocabulary: Vocabulary) -> None:
        """Check the contract; `where` names the site in errors (StudyError)."""
        self.encounters.validate(where)
        check_inputs(self.inputs, len(self), vocabulary, where)

    def write(self, folder: Path, vocabulary: Vocabulary) -> None:
        """Check and write the files of ``encounters/<site>/`` (see docs/contracts.md);
        ``quarantine.parquet`` only where rows were set aside, ``mentions.parquet`` where notes
        mention findings."""
        self.validate(f"site {folder.name}", vocabulary)
        ids = self.encounters.table.column("encounter").combine_chunks()
        with private(folder, "encounters"):
            self.encounters.write(folder)
            for name, value in self.inputs.items():
                INPUTS[name].write(folder, value, ids, vocabulary)
            text = json.dumps(self.report, indent=2) + "\n"
            (folder / "report.json").write_text(text, encoding="utf-8")
            for name, rows in ((QUARANTINE, self.set_aside), (MENTIONS, self.mentions)):
                (folder / name).unlink(missing_ok=True)
                if rows is not None and len(rows):
                    pq.write_table(rows, folder / name)

    @classmethod
    def read(
        cls, folder: Path, vocabulary: Vocabulary, inputs: Sequence[str] = ("findings",)
    ) -> Extract:
        """Read and check what `write` wrote; inputs stay memory-mapped."""
        encounters = Encounters.read(folder)
        values = read_inputs(folder, len(encounters), inputs)
        report = json.loads((folder / "report.json").read_text(encoding="utf-8"))
        check_inputs(values, len(encounters), vocabulary, str(folder))
        return cls(encounters, values, report)


def check_inputs(inputs: Mapping[str, Any], count: int, vocabulary: Vocabulary, where: str) -> None:
    """Raise StudyError for an input that breaks its contract with `count` encounters."""
    for name, value in inputs.items():
        INPUTS[name].check(value, count, vocabulary, where)
