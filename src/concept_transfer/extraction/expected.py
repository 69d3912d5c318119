"""How long taggers will learn, as far as it can be told before any job."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from concept_transfer.embeddings.model_files import is_on_hub, locate
from concept_transfer.extraction.files import part_files, source_of
from concept_transfer.extraction.settings import (
    EncoderTaggerSettings,
    ExtractionStudy,
    SimulatedCorpus,
)
from concept_transfer.paths import resolve
from concept_transfer.pretraining.text.expected import SPEED, WORTH_SAYING, parameters_in
from concept_transfer.progress import duration

_PIECES_A_NOTE = 400.0  # of those that templates write
_BYTES_A_PIECE = {"iob": 6.0, "standoff": 4.0}  # of a corpus's files


def expected_times(study: ExtractionStudy, root: Path) -> Iterator[str]:
    """A sentence for each tagger with a network that learns long; none where its shape is on the
    hub alone."""
    for name, tagger in study.taggers.items():
        if not isinstance(tagger, EncoderTaggerSettings):
            continue
        parameters = _parameters(name, tagger, root)
        each = [_pieces(study, corpus, train, root) for corpus, train in _learned(study)]
        if parameters is None:
            continue
        speed = SPEED * study.resources.threads / parameters / tagger.epochs
        longest, whole = max(each) / speed, sum(each) * study.replicates / speed
        if longest >= WORTH_SAYING:
            yield (
                f"taggers.{name} learns for about {duration(longest)} at most, {duration(whole)} "
                "for all that it learns from, on this kind of processor; its log and the terminal "
                "tell how far it is."
            )


def _learned(study: ExtractionStudy) -> list[tuple[str, str]]:
    return [(corpus, train) for corpus in study.corpora for train in study.train]


def _pieces(study: ExtractionStudy, corpus: str, train: str, root: Path) -> float:
    """Word pieces of an epoch, by the size of files."""
    files = study.corpora[corpus]
    if isinstance(files, SimulatedCorpus):
        return _PIECES_A_NOTE * sum(files.parts[part].encounters for part in study.train[train])
    paths = [resolve(f, root) for part in study.train[train] for f in part_files(files, part, root)]
    return sum(path.stat().st_size for path in paths) / _BYTES_A_PIECE[files.format]


def _parameters(name: str, tagger: EncoderTaggerSettings, root: Path) -> float | None:
    """Of the layers, without vectors of words."""
    if tagger.model is None:
        return 12.0 * tagger.layers * tagger.width**2
    source = source_of(tagger.model, tagger)
    if is_on_hub(source, root):
        return None
    return parameters_in(locate(f"taggers.{name}", source, root).path)
