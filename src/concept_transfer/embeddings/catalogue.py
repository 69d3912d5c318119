"""The catalogue of language models: `config/embeddings/<entry>.yaml`, settings that are right.

An entry holds `settings` (a provider's config section) and what a study must cite: `title`,
`licence`, `citation`, `url`, and a `note` on what to know before using the model.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from concept_transfer.errors import choices
from concept_transfer.paths import HOME
from concept_transfer.yaml_files import read_yaml

FOLDER = HOME / "config" / "embeddings"
_KEYS = ("title", "settings", "licence", "citation", "url", "note")


def entries() -> dict[str, Path]:
    """Entry name -> its file; the working directory's `config/embeddings` adds to our own."""
    entries: dict[str, Path] = {}
    for folder in (FOLDER, Path("config") / "embeddings"):
        entries.update({path.stem: path for path in sorted(folder.glob("*.yaml"))})
    return entries


def read(entry: str) -> dict[str, Any]:
    """One entry, all keys. Raises ValueError for an unknown entry or key."""
    path = entries().get(entry)
    if path is None and entry.replace("_", "").replace("-", "").lower() == "medbert":
        raise ValueError(
            f"'{entry}' is two models: MedBERT, which reads text, is the entry medbert_text; "
            "Med-BERT (Rasmy et al. 2021), which reads diagnosis codes, has no public weights"
        )
    if path is None:
        raise ValueError(
            f"config/embeddings has no entry '{entry}'; it has {choices(entries()) or 'none'}"
        )
    content = read_yaml(path)
    if not isinstance(content, dict) or set(content) != set(_KEYS):
        raise ValueError(f"{path} must have exactly the keys {', '.join(_KEYS)}")
    return content


def fill(name: str, given: dict[str, Any]) -> dict[str, Any]:
    """The section of embedding `name`: the entry's settings, overridden by what is given."""
    entry = str(given.get("catalogue", name))
    return {**read(entry)["settings"], **given, "catalogue": entry}
