"""From documents to an adapted language model, from start to end."""

from __future__ import annotations

from pathlib import Path

from concept_transfer.pretraining.text.base import load_base
from concept_transfer.pretraining.text.files import LOG, MODEL, LanguageModelCard
from concept_transfer.settings.text_encoders import TextEncoder


def write_language_model(
    folder: Path, where: str, settings: TextEncoder, seed: tuple[int, int], root: Path
) -> None:
    """Write the `FILES` of a language model.

    where: the key of the config; seed: that of the study and the number of the copy, from which all
    that chance decides follows; root: the folder that relative paths of the config start from.

    Raises StudyError for a base that is not there or cannot be loaded.
    """
    base = load_base(where, settings, seed, root)
    base.save(folder / MODEL)
    (folder / LOG).write_text("step\n", encoding="utf-8")
    LanguageModelCard(settings, base.facts()).write(folder)
