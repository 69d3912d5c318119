"""A site's documents on their way to its folder: findings written out, and what is told of all."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from concept_transfer.concepts.vocabulary import Vocabulary
from concept_transfer.inputs.rows import CompressedRows
from concept_transfer.inputs.text import NO_CATEGORY, Texts, check, write
from concept_transfer.private import private

TEXT_REPORT = "text_report.json"
BETWEEN = ". "


def written_out(findings: CompressedRows, vocabulary: Vocabulary) -> Texts:
    """The findings of each encounter as a document: its tokens' texts, in the vocabulary's order.

    >>> columns = [("C1", "C2")] * 3, [("present", "absent")], [("Fever", "No cough")]
    >>> vocabulary = Vocabulary(*(column for part in columns for column in part))
    >>> list(written_out(CompressedRows(np.array([0, 2, 2]), np.array([0, 1])), vocabulary))
    ['Fever. No cough', '']
    """
    return Texts.of([BETWEEN.join(vocabulary.texts[token] for token in row) for row in findings])


def report_of(texts: Texts) -> dict[str, Any]:
    """How many documents there are, how many of them are empty, how many words the others have,
    and how many are of each category."""
    words = np.array([len(text.split()) for text in texts])
    some = words[words > 0]
    spread = (
        {"fewest": some.min(), "median": np.median(some), "most": some.max()} if some.size else {}
    )
    kinds = np.bincount(
        texts.categories[texts.categories != NO_CATEGORY], minlength=len(texts.names)
    )
    return {
        "documents": len(texts),
        "empty": int((words == 0).sum()),
        "words": {name: float(value) for name, value in spread.items()},
        "categories": dict(zip(texts.names, kinds.tolist(), strict=True)),
    }


def write_texts(texts: Texts, encounters: int, folder: Path) -> dict[str, Any]:
    """Check, and write the documents of a site with that many encounters to ``encounters/<site>/``,
    beside their report, which is returned (see docs/contracts.md)."""
    check(texts, encounters, None, f"site {folder.name}")
    report = report_of(texts)
    with private(folder, "encounters"):
        write(folder, texts, None, None)
        (folder / TEXT_REPORT).write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    return report
