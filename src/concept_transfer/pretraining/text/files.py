"""An adapted language model as files: a folder that transformers loads, and its card."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from concept_transfer.embeddings.saving import PARTS
from concept_transfer.errors import StudyError
from concept_transfer.settings.text_encoders import TextEncoder

CARD, LOG, MODEL = "encoder.json", "history.tsv", "model"
TAKEN = (CARD, *(f"{MODEL}/{part}" for part in PARTS))  # by those who use it
FILES = (*TAKEN, LOG)


@dataclass(frozen=True)
class LanguageModelCard:
    """settings of an adapted language model, and facts about its adaptation: numbers and words for
    the report, nothing of a document."""

    settings: TextEncoder
    facts: Mapping[str, Any]

    def write(self, folder: Path) -> None:
        card = {"kind": "text", "settings": self.settings.model_dump(mode="json")}
        text = json.dumps(card | {"facts": dict(self.facts)}, indent=2)
        (folder / CARD).write_text(f"{text}\n", encoding="utf-8")

    @classmethod
    def read(cls, folder: Path) -> LanguageModelCard:
        """Raises StudyError that names the file: absent, or damaged."""
        try:
            card = json.loads((folder / CARD).read_text(encoding="utf-8"))
            return cls(TextEncoder.model_validate(card["settings"]), card["facts"])
        except FileNotFoundError:
            raise StudyError(
                f"{folder / CARD} does not exist; a language model of the study is this card and "
                f"the folder {MODEL} beside it"
            ) from None
        except (ValidationError, ValueError, KeyError, TypeError) as error:
            raise StudyError(
                f"the language model in {folder} is damaged ({error}); delete it and run again"
            ) from None
