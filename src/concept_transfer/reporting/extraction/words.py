"""The words of an extraction study's report: findings, methods, limitations."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from concept_transfer.extraction.settings import (
    DictionaryTagger,
    EncoderTaggerSettings,
    Ensemble,
    ExtractionStudy,
    HashedCrf,
)
from concept_transfer.reporting.columns import interval
from concept_transfer.reporting.extraction.evidence import ExtractionEvidence
from concept_transfer.reporting.words import count, listing

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Finding:
    """A question, its answer, and what more there is to say ("" if nothing)."""

    question: str
    short: str
    rest: str = ""


def lead(evidence: ExtractionEvidence) -> list[str]:
    """Which tagger is best, in every group of those that learned the same."""
    return [_best(evidence, corpus, train) for corpus, train in evidence.learned()]


def _best(evidence: ExtractionEvidence, corpus: str, train: str) -> str:
    rows = evidence.group(evidence.strict(), corpus, train).dropna(subset="f1")
    place = evidence.place(corpus, train)
    where = f" ({place})" if place else ""
    if rows.empty:
        return f"No tagger found anything{where}."
    best = rows.sort_values("f1").iloc[-1]
    value = interval(best["f1"], best["f1_lower"], best["f1_upper"])
    tests = evidence.group(evidence.tests, corpus, train)
    beaten = [
        other
        for a, b, verdict in zip(tests["a"], tests["b"], tests["verdict"], strict=True)
        for one, other, won in ((a, b, "better"), (b, a, "worse"))
        if one == best["tagger"] and verdict == won
    ]
    others = len(evidence.study.taggers) - 1
    than = (
        ""
        if not others
        else ", better than all others"
        if len(beaten) == others
        else f", better than {listing(beaten)}"
        if beaten
        else ", though no better than another for sure"
    )
    return f"{best['tagger']} finds most{where}: strict F1 {value}{than}."


def findings(evidence: ExtractionEvidence) -> Iterator[Finding]:
    """What is worth knowing besides, as questions and answers."""
    for name, tagger in evidence.study.taggers.items():
        if isinstance(tagger, Ensemble):
            yield _of_ensemble(evidence, name, tagger)
    if evidence.warnings:
        yield Finding("Did every tagger learn?", " ".join(evidence.warnings))


def _of_ensemble(evidence: ExtractionEvidence, name: str, tagger: Ensemble) -> Finding:
    answers = []
    for corpus, train in evidence.learned():
        tests = evidence.group(evidence.tests, corpus, train)
        won = [m for m in tagger.of if _verdict(tests, name, m) == "better"]
        place = evidence.place(corpus, train)
        said = "both" if len(won) == len(tagger.of) == 2 else listing(won) or "none of them"
        answers.append(f"{place}: {said}" if place else said)
    return Finding(
        f"Is {name} better than its members {listing(tagger.of)} alone?",
        f"Significantly better than {'; '.join(answers)}.",
    )


def _verdict(tests: pd.DataFrame, one: str, other: str) -> str:
    rows = tests[tests["a"].isin([one, other]) & tests["b"].isin([one, other])]
    (row,) = rows.to_dict("records")
    opposite = {"better": "worse", "worse": "better"}
    verdict = str(row["verdict"])
    return verdict if row["a"] == one else opposite.get(verdict, verdict)


def methods(evidence: ExtractionEvidence) -> list[tuple[str, str]]:
    """Headings and paragraphs."""
    study = evidence.study
    units = listing(sorted(f"{unit}s" for unit in set(evidence.scores["unit"])))
    evaluation = study.evaluation
    return [
        ("Taggers", " ".join(_tagger(name, study) for name in study.taggers)),
        (
            "Evaluation",
            "A span counts as found where its words and its type are those of a marked one "
            "(strict), where it shares a word with one of its type (lenient), or where its words "
            "are those of one of any type (boundary). "
            f"{100 * evaluation.confidence:g} % intervals are percentiles of "
            f"{evaluation.draws:,} bootstrap draws of {units}; pairs of taggers were compared by "
            "approximate randomisation, and p values corrected by Holm's method among all pairs "
            "that learned the same.",
        ),
    ]


def _tagger(name: str, study: ExtractionStudy) -> str:
    tagger = study.taggers[name]
    if isinstance(tagger, Ensemble):
        return (
            f"{name}: the mean of the probabilities of {listing(tagger.of)}, and the likeliest "
            "labelling under it."
        )
    kept = tagger.keep_empty
    thin = f" Of sentences that mention nothing, {kept:.0%} were learned from." if kept < 1 else ""
    if isinstance(tagger, DictionaryTagger):
        what = "the mentions of training, the longest first."
    elif isinstance(tagger, HashedCrf):
        what = (
            "a linear-chain CRF on hashed features of words and neighbours, learned by AdaGrad in "
            f"{count(tagger.epochs, 'epoch')}."
        )
    else:
        assert isinstance(tagger, EncoderTaggerSettings)
        body = tagger.model or f"a transformer of {tagger.layers} layers from scratch"
        head = "a CRF" if tagger.head == "crf" else "a linear layer"
        what = (
            f"{body} with {head}, on the first piece of each word; AdamW, "
            f"{count(tagger.epochs, 'epoch')}, first step {tagger.learning_rate:g}."
        )
    return f"{name}: {what}{thin}"


def limitations(evidence: ExtractionEvidence) -> list[str]:
    """What a reader must not conclude."""
    study, found = evidence.study, list(evidence.warnings)
    if study.notice:
        found.append(study.notice)
    unknown = sorted({str(c) for c in evidence.scores.query("unit == 'sentence'")["corpus"]})
    if unknown:
        found.append(
            f"{listing(unknown)}: the files do not say which sentences belong to one document. "
            "Sentences are resampled as if they were independent, so intervals are too narrow "
            "where mentions repeat within documents."
        )
    if study.replicates == 1:
        found.append(
            "Every tagger was learned once: intervals hold for these taggers, and say nothing of "
            "how another seed would do."
        )
    found.append(
        "Test sentences come from the same collection as those learned from; another hospital's "
        "notes may be tagged worse."
    )
    return found
