"""A tagger that has learned, as a folder: the files of its kind, and a card that tells them.

The card has the SHA-256 of every file, so the card's own is that of the whole tagger. The folder
of an ensemble has those of its members, by their names.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from concept_transfer.embeddings.cache import file_digest
from concept_transfer.embeddings.saving import PARTS
from concept_transfer.errors import StudyError
from concept_transfer.extraction.settings import AnyTagger, Ensemble
from concept_transfer.extraction.tagger import CARD, READ, LearnedTagger, Tagger
from concept_transfer.registry import imported

FILES = {
    "dictionary": ("names.json",),
    "hashed_crf": ("weights.safetensors", "names.json"),
    "encoder": ("head.safetensors", *PARTS),
}
_FORMAT = 1
_REMEDY = "copy the whole folder again, or let the study that made it run again"


@dataclass(frozen=True)
class TaggerCard:
    """settings: of the tagger, as its study had them; types: of the mentions that it finds; files:
    their SHA-256 by their paths in the folder."""

    settings: Any
    types: tuple[str, ...]
    files: Mapping[str, str]

    def write(self, folder: Path) -> None:
        card = {
            "format": _FORMAT,
            "settings": self.settings.model_dump(mode="json"),
            "types": list(self.types),
            "files": dict(self.files),
        }
        (folder / CARD).write_text(json.dumps(card, indent=1) + "\n", encoding="utf-8")

    @classmethod
    def read(cls, folder: Path) -> TaggerCard:
        """Raises StudyError that names the file: absent, changed by hand, or of another format."""
        path = folder / CARD
        try:
            card = json.loads(path.read_text(encoding="utf-8"))
            if card["format"] != _FORMAT:
                raise StudyError(
                    f"{path} has format {card['format']}, and this version reads {_FORMAT}; let "
                    "the study that made the tagger run again with this version"
                )
            settings: Any = TypeAdapter(AnyTagger).validate_python(card["settings"])
            return cls(settings, tuple(card["types"]), dict(card["files"]))
        except (FileNotFoundError, NotADirectoryError):
            raise StudyError(
                f"{path} does not exist; a tagger is a folder that a study of taggers writes: "
                "results/<extraction>/taggers/<corpus>/<train>/<tagger>/<replicate>"
            ) from None
        except (ValidationError, ValueError, KeyError, TypeError):
            raise StudyError(f"{path} is no card of a tagger, or was changed; {_REMEDY}") from None


def kept_files(name: str, taggers: Mapping[str, Any]) -> list[str]:
    """The files of the folder of a study's tagger, the card first."""
    settings = taggers[name]
    if not isinstance(settings, Ensemble):
        return [CARD, *FILES[settings.kind]]
    members = {member: kept_files(member, taggers) for member in settings.of}
    return [CARD, *(f"{member}/{file}" for member, files in members.items() for file in files)]


def keep(tagger: LearnedTagger, settings: Any, types: Sequence[str], folder: Path) -> None:
    """Write a tagger and its card to a folder."""
    tagger.write(folder)
    _write_card(settings, types, FILES[settings.kind], folder)


def keep_together(
    members: Mapping[str, Path], settings: Ensemble, types: Sequence[str], folder: Path
) -> None:
    """Write an ensemble of taggers, given the folders of these, and its card to a folder."""
    for name, member in members.items():
        (folder / name).mkdir(exist_ok=True)
        for file in (CARD, *TaggerCard.read(member).files):
            shutil.copyfile(member / file, folder / name / file)
    _write_card(settings, types, [f"{name}/{CARD}" for name in members], folder)


def _write_card(settings: Any, types: Sequence[str], files: Sequence[str], folder: Path) -> None:
    digests = {file: file_digest(folder / file) for file in files}
    TaggerCard(settings, tuple(types), digests).write(folder)


def check_kept(folder: Path) -> TaggerCard:
    """The card of a tagger whose files are, byte by byte, those that were written.

    Raises StudyError that names the first file that is absent or was changed.
    """
    card = TaggerCard.read(folder)
    for file, digest in card.files.items():
        path = folder / file
        if not path.is_file():
            raise StudyError(f"the tagger in {folder} is incomplete: {path} is missing; {_REMEDY}")
        if file_digest(path) != digest:
            raise StudyError(f"{path} is not as the tagger's {CARD} says it was written; {_REMEDY}")
    if isinstance(card.settings, Ensemble):
        for member in card.settings.of:
            check_kept(folder / member)
    return card


def kept_tagger(folder: Path) -> Tagger:
    """The tagger of a folder, once it is checked (StudyError)."""
    card = check_kept(folder)
    tagger: Tagger = imported(READ[card.settings.kind])(folder, card.types, card.settings)
    return tagger


def fingerprint(folder: Path) -> str:
    """One number for the whole tagger: the SHA-256 of its card."""
    return file_digest(folder / CARD)
