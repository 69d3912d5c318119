"""What a tagger found in the sentences of a test part, as files."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from concept_transfer.extraction.spans import Span

SPANS, PROBABILITIES, FACTS = "spans.parquet", "probabilities.safetensors", "facts.json"
FILES = (SPANS, PROBABILITIES, FACTS)

SCHEMA = pa.schema(
    [("sentence", pa.int32()), ("start", pa.int32()), ("end", pa.int32()), ("label", pa.string())]
)


@dataclass(frozen=True)
class Tagging:
    """spans: of each sentence; probabilities: float64 [words, labels], none of a tagger that has
    none; facts: how the tagger was learned."""

    spans: Sequence[Sequence[Span]]
    probabilities: Tensor | None
    facts: dict[str, Any]

    def write(self, folder: Path) -> None:
        rows = [(number, *span) for number, spans in enumerate(self.spans) for span in spans]
        columns = [list(column) for column in zip(*rows, strict=True)] or [[]] * len(SCHEMA)
        pq.write_table(pa.table(columns, schema=SCHEMA), folder / SPANS)
        known = torch.empty(0, 0) if self.probabilities is None else self.probabilities
        save_file({"probabilities": known.float().contiguous()}, folder / PROBABILITIES)
        facts = {"sentences": len(self.spans), **self.facts}
        (folder / FACTS).write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")

    @classmethod
    def read(cls, folder: Path) -> Tagging:
        """What `write` wrote."""
        facts = json.loads((folder / FACTS).read_text(encoding="utf-8"))
        spans: list[list[Span]] = [[] for _ in range(facts.pop("sentences"))]
        for row in pq.read_table(folder / SPANS, schema=SCHEMA).to_pylist():
            spans[row["sentence"]].append(Span(row["start"], row["end"], row["label"]))
        known = load_file(folder / PROBABILITIES)["probabilities"].double()
        return cls(spans, known if known.numel() else None, facts)
