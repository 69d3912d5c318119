"""How long taggers will learn and read, as far as it can be told before any job."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from pathlib import Path

from concept_transfer.embeddings.model_files import is_on_hub, locate
from concept_transfer.extraction.files import part_files, source_of
from concept_transfer.extraction.kept import TaggerCard
from concept_transfer.extraction.settings import (
    EncoderTaggerSettings,
    Ensemble,
    ExtractionStudy,
    SimulatedCorpus,
)
from concept_transfer.extraction.tagger import CARD
from concept_transfer.paths import resolve
from concept_transfer.pretraining.text.expected import (
    WORTH_SAYING,
    learning,
    not_known,
    parameters_in,
    told,
)
from concept_transfer.progress import duration
from concept_transfer.sites.simulated_notes_site import PIECES_A_NOTE

_BYTES_A_PIECE = {"iob": 6.0, "standoff": 4.0}  # of a corpus's files


def expected_times(study: ExtractionStudy, root: Path) -> Iterator[str]:
    """A sentence for each tagger with a network that is still to learn, and learns long, or whose
    shape is on the hub alone; none for other processors than CPUs."""
    for name, tagger in study.taggers.items():
        if study.resources.device != "cpu" or not isinstance(tagger, EncoderTaggerSettings):
            continue
        each = list(_still_to_learn(study, name, root))
        if not each:
            continue
        if tagger.model and is_on_hub(source_of(tagger.model, tagger), root):
            yield not_known(f"taggers.{name}", tagger.model)
        elif parameters := _parameters(name, tagger, root):
            threads = study.resources.threads
            seconds = [learning(parameters, tagger.epochs * one, threads) for one in each]
            if max(seconds) >= WORTH_SAYING:
                whole = f", {duration(sum(seconds))} for all that it learns from,"
                yield told(f"taggers.{name} learns", max(seconds), whole, at_most=True)


def parameters_of_kept(folder: Path) -> float:
    """Of the layers of a tagger in a folder, or of all that it is of; 0 where it has no network, or
    does not say."""
    settings = TaggerCard.read(folder).settings
    if isinstance(settings, Ensemble):
        return sum(parameters_of_kept(folder / member) for member in settings.of)
    return parameters_in(folder) or 0.0 if isinstance(settings, EncoderTaggerSettings) else 0.0


def _still_to_learn(study: ExtractionStudy, tagger: str, root: Path) -> Iterator[float]:
    """Word pieces of an epoch, for each of its jobs that is not done."""
    made = root / "results" / study.extraction / "taggers"
    for corpus, train in product(study.corpora, study.train):
        pieces = _pieces(study, corpus, train, root)
        for replicate in range(study.repeats(tagger)):
            if not (made / corpus / train / tagger / str(replicate) / CARD).is_file():
                yield pieces


def _pieces(study: ExtractionStudy, corpus: str, train: str, root: Path) -> float:
    """Word pieces of an epoch, by the size of files."""
    files = study.corpora[corpus]
    if isinstance(files, SimulatedCorpus):
        return PIECES_A_NOTE * sum(files.parts[part].encounters for part in study.train[train])
    paths = [resolve(f, root) for part in study.train[train] for f in part_files(files, part, root)]
    return sum(path.stat().st_size for path in paths) / _BYTES_A_PIECE[files.format]


def _parameters(name: str, tagger: EncoderTaggerSettings, root: Path) -> float | None:
    """Of the layers, without vectors of words."""
    if tagger.model is None:
        return 12.0 * tagger.layers * tagger.width**2
    return parameters_in(locate(f"taggers.{name}", source_of(tagger.model, tagger), root).path)
