"""Made-up notes whose mentions are known, and their files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from concept_transfer.extraction.corpus import Corpus
from concept_transfer.extraction.spans import Span, labels_of

DRUGS = ["aspirin", "Metoprolol", "folic acid", "lisinopril", "vitamin B 12", "heparin"]
SIGNS = ["cough", "chest pain", "shortness of breath", "fever", "nausea", "rash"]
FRAMES = [
    "He takes {d} for {s} .",
    "Reports {s} since Monday .",
    "{d} was stopped , {s} went away .",
    "{s} and {s} after {d} .",
    "Lives with his wife in town .",
    "The room was quiet .",
]
TYPES = ["Drug", "Sign"]


def made_up(sentences: int, seed: int, documents: int = 1) -> Corpus:
    """Sentences of the frames, in documents of equal length."""
    random = np.random.default_rng(seed)
    words, spans = [], []
    for _ in range(sentences):
        own: list[str] = []
        mentions = []
        for part in str(random.choice(FRAMES)).split():
            names = {"{d}": DRUGS, "{s}": SIGNS}.get(part)
            name = str(random.choice(names)).split() if names else [part]
            if names:
                label = TYPES[names is SIGNS]
                mentions.append(Span(len(own), len(own) + len(name), label))
            own += name
        words.append(own)
        spans.append(mentions)
    return Corpus(words, spans, [i * documents // sentences for i in range(sentences)])


def write_iob(corpus: Corpus, path: Path, documents: bool = True) -> Path:
    """A word and its label a line, with the document's name or without."""
    lines = []
    parts = zip(corpus.sentences, corpus.spans, corpus.documents, strict=True)
    for words, spans, document in parts:
        name = f"\tnote {document}" if documents else ""
        labels = labels_of(spans, len(words))
        lines += [f"{word}\t{label}{name}" for word, label in zip(words, labels, strict=True)]
        lines.append("")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


def write_standoff(corpus: Corpus, folder: Path) -> Path:
    """A text a document, a sentence a line, and its mentions by characters."""
    folder.mkdir(parents=True, exist_ok=True)
    for document in sorted(set(corpus.documents)):
        own = corpus.chosen([i for i, d in enumerate(corpus.documents) if d == document])
        text = ""
        lines: list[str] = []
        for words, spans in zip(own.sentences, own.spans, strict=True):
            starts = [len(text) + len(" ".join(words[:i])) + (i > 0) for i in range(len(words))]
            for start, end, label in spans:
                first, last = starts[start], starts[end - 1] + len(words[end - 1])
                covered = " ".join(words[start:end])
                lines.append(f"T{len(lines) + 1}\t{label} {first} {last}\t{covered}\n")
            text += " ".join(words) + "\n"
        (folder / f"note{document:03}.txt").write_text(text, encoding="utf-8")
        (folder / f"note{document:03}.ann").write_text("".join(lines), encoding="utf-8")
    return folder


def tiny_extraction(folder: Path) -> dict[str, Any]:
    """A study of four taggers on two made-up corpora."""
    parts = {"train": made_up(120, 1, 12), "devel": made_up(40, 2, 4), "test": made_up(60, 3, 6)}
    for name, corpus in parts.items():
        write_iob(corpus, folder / f"{name}.tsv", documents=False)
        write_standoff(corpus, folder / name)
    scratch = {"kind": "encoder", "model": None, "width": 32, "layers": 1, "epochs": 2}
    return {
        "extraction": "tiny",
        "corpora": {
            "lines": {"types": TYPES, "parts": {name: f"{name}.tsv" for name in parts}},
            "notes": {
                "format": "standoff",
                "types": TYPES,
                "parts": {name: name for name in parts},
            },
        },
        "train": {"some": ["train"], "all": ["train", "devel"]},
        "taggers": {
            "names": {"kind": "dictionary"},
            "crf": {"kind": "hashed_crf"},
            "network": {**scratch, "learning_rate": 3e-3, "keep_empty": 0.5},
            "both": {"kind": "ensemble", "of": ["crf", "network"]},
        },
        "replicates": 2,
        "evaluation": {"draws": 100},
    }
