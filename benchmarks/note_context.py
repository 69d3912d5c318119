"""What words around a mention say of it: ours beside negspacy, on sentences written by hand.

`python -m benchmarks.note_context`; negspacy (with spaCy) is compared where it is installed. Only
the second half of the sentences counts, which chose no phrase of the cues.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

from concept_transfer.extraction.context import Context
from concept_transfer.extraction.mentions import ABSENT
from concept_transfer.extraction.spans import Span, of_words
from concept_transfer.extraction.words import words
from concept_transfer.paths import HOME

SENTENCES = Path("tests") / "context_sentences.tsv"
Says = Callable[[str, int, int], str]


def ours() -> Says:
    context = Context.read(HOME / "resources" / "notes" / "cues.tsv")

    def says(text: str, start: int, end: int) -> str:
        found = words(text)
        spans = of_words([Span(start, end, "finding")], found)
        return context.assertions([word.text for word in found], spans)[0]

    return says


def negspacy() -> Says | None:
    """It tells absent from all others."""
    try:
        import spacy

        import_module("negspacy.negation")  # registers the step `negex`
    except ImportError:
        return None
    pipeline = spacy.blank("en")
    pipeline.add_pipe("sentencizer")
    pipeline.add_pipe("negex")

    def says(text: str, start: int, end: int) -> str:
        document = pipeline.make_doc(text)
        mention = document.char_span(start, end, label="finding", alignment_mode="expand")
        document.set_ents([mention])
        for _, step in pipeline.pipeline:
            document = step(document)
        return ABSENT if document.ents[0]._.negex else "other"

    return says


def main() -> None:
    half = SENTENCES.read_text(encoding="utf-8").partition("# second half\n")[2]
    rows = [line.split("\t") for line in half.splitlines()]
    print(f"{len(rows)} sentences; right of all kinds, and of absent against all others:")
    for name, says in (("ours", ours()), ("negspacy", negspacy())):
        if says is None:
            print(f"{name}: not installed")
            continue
        pairs = []
        for label, marked in rows:
            before, mention, after = re.split(r"[\[\]]", marked)
            start = len(before)
            pairs.append((label, says(before + mention + after, start, start + len(mention))))
        kinds = sum(label == said for label, said in pairs) / len(pairs)
        absent = sum((label == ABSENT) == (said == ABSENT) for label, said in pairs) / len(pairs)
        every = f"{kinds:.3f}, " if name == "ours" else ""
        print(f"{name}: {every}{absent:.3f}")


if __name__ == "__main__":
    main()
