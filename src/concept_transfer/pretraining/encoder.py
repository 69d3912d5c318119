"""A pre-trained encoder as files: its weights, its settings and the codes that it knows."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from concept_transfer.errors import StudyError
from concept_transfer.pretraining.vocabulary import CodeVocabulary
from concept_transfer.settings.encoders import CodeEncoder

WEIGHTS, CARD = "weights.safetensors", "encoder.json"
LOG = "history.tsv"  # of its pre-training, a row an epoch
FILES = (WEIGHTS, CARD, LOG)


@dataclass(frozen=True)
class EncoderFiles:
    """settings, vocabulary and weights of an encoder (by the names of the model's parameters), and
    facts about its pre-training: numbers and words for the report."""

    settings: CodeEncoder
    vocabulary: CodeVocabulary
    weights: dict[str, NDArray[np.float32]]
    facts: dict[str, Any]

    names: ClassVar[tuple[str, ...]] = (WEIGHTS, CARD)  # without the log, as bundles hold them

    def write(self, folder: Path) -> None:
        """Write `names` into a folder that exists."""
        save_file(self.weights, folder / WEIGHTS)
        card = {
            "settings": self.settings.model_dump(mode="json"),
            "vocabulary": asdict(self.vocabulary),
            "facts": self.facts,
        }
        (folder / CARD).write_text(json.dumps(card, indent=2) + "\n", encoding="utf-8")

    @classmethod
    def read(cls, folder: Path) -> EncoderFiles:
        """What `write` wrote.

        Raises StudyError that names the file: absent, or damaged.
        """
        try:
            card = json.loads((folder / CARD).read_text(encoding="utf-8"))
            known = CodeVocabulary(
                **card["vocabulary"] | {"names": (*card["vocabulary"]["names"],)}
            )
            settings = CodeEncoder.model_validate(card["settings"])
            return cls(settings, known, load_file(folder / WEIGHTS), card["facts"])
        except FileNotFoundError as error:
            raise StudyError(
                f"{error.filename or folder} does not exist; an encoder is the pair "
                f"{WEIGHTS} and {CARD}"
            ) from None
        except (SafetensorError, ValidationError, ValueError, KeyError, TypeError) as error:
            raise StudyError(
                f"the encoder in {folder} is damaged ({error}); delete it and run again"
            ) from None
