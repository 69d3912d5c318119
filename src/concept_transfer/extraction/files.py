"""The files of an extraction study: what corpora and models are made of."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from concept_transfer.errors import StudyError, named
from concept_transfer.extraction.corpus import Corpus
from concept_transfer.extraction.settings import (
    CorpusFiles,
    EncoderTaggerSettings,
    ExtractionStudy,
    SimulatedCorpus,
)
from concept_transfer.paths import resolve


class Source(NamedTuple):
    """Where a model is to be found (`model_files.ModelSource`)."""

    model: str
    revision: str | None
    pickled_weights: bool


def source_of(model: str, settings: EncoderTaggerSettings) -> Source:
    return Source(model, settings.revision, settings.pickled_weights)


def read_part(corpus: CorpusFiles | SimulatedCorpus, part: str, root: Path) -> Corpus:
    """A part of a corpus, from its file or folder, or written for the occasion.

    Raises StudyError that names the file and the line of what is wrong, and no word of the text.
    """
    if isinstance(corpus, SimulatedCorpus):
        from concept_transfer.simulation.corpora import simulated_corpus

        return simulated_corpus(corpus, corpus.parts[part], root)
    path = resolve(corpus.parts[part], root)
    if corpus.format == "iob":
        from concept_transfer.extraction.iob import read_iob

        return read_iob(path, corpus.types)
    from concept_transfer.extraction.standoff import read_standoff

    return read_standoff(path, corpus.types)


def part_files(corpus: CorpusFiles | SimulatedCorpus, part: str, root: Path) -> list[str]:
    """The files that a part is made from."""
    if isinstance(corpus, SimulatedCorpus):
        from concept_transfer.sites.simulated_site import files_of_network

        own = corpus.parts[part]
        return [*files_of_network(own.network, root), own.style, corpus.phrases]
    path = corpus.parts[part]
    if corpus.format == "iob":
        return [path]
    folder = resolve(path, root)
    return sorted(
        str(Path(path) / file.name) for kind in ("txt", "ann") for file in folder.glob(f"*.{kind}")
    )


def model_files(name: str, tagger: EncoderTaggerSettings, root: Path) -> list[str]:
    """The files of a tagger's model in a local folder."""
    if tagger.model is None or tagger.model.startswith("package:"):
        return []
    folder = resolve(tagger.model, root)
    return sorted(str(file) for file in folder.glob("*") if file.is_file())


def check_extraction(study: ExtractionStudy, root: Path) -> None:
    """Cheap checks of files and models, before any job; no text is read.

    Raises StudyError for the first problem found.
    """
    for name, corpus in study.corpora.items():
        used = {corpus.test, *(part for parts in study.train.values() for part in parts)}
        for part in sorted(used):
            with named(f"corpora.{name}.parts.{part}"):
                _check_part(corpus, part, root)
    for name, tagger in study.taggers.items():
        if isinstance(tagger, EncoderTaggerSettings) and tagger.model is not None:
            from concept_transfer.embeddings.model_files import check

            with named(f"taggers.{name}"):
                check(f"taggers.{name}", source_of(tagger.model, tagger), root)


def _check_part(corpus: CorpusFiles | SimulatedCorpus, part: str, root: Path) -> None:
    if isinstance(corpus, SimulatedCorpus):
        from concept_transfer.simulation.corpora import check_simulated_part

        check_simulated_part(corpus, corpus.parts[part], root)
        return
    path = resolve(corpus.parts[part], root)
    there = path.is_file() if corpus.format == "iob" else path.is_dir()
    if not there:
        kind = "file" if corpus.format == "iob" else "folder"
        raise StudyError(
            f"{path} is no {kind}; give the {kind} of the part (format iob reads a file, "
            "standoff a folder of texts)"
        )
