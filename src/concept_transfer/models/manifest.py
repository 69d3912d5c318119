"""The manifest of a bundle: its files by their SHA-256, so that no change goes unseen."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from concept_transfer.errors import StudyError

MANIFEST = "manifest.json"


def write_manifest(folder: Path) -> None:
    """Write the SHA-256 of every file of the folder."""
    files = {path.name: sha256(path) for path in _others(folder)}
    (folder / MANIFEST).write_text(_text(files), encoding="utf-8")


def check_manifest(folder: Path) -> None:
    """Refuse a folder whose files are not, byte by byte, those of its manifest.

    Raises StudyError that names every file which was altered, is missing, or was added.
    """
    path = folder / MANIFEST
    try:
        text = path.read_text(encoding="utf-8")
        files = json.loads(text)
        intact = isinstance(files, dict) and text == _text(files)
    except FileNotFoundError:
        raise StudyError(
            f"{folder} is no complete model bundle: it has no {MANIFEST}, which lists its files; "
            "ask its sender for the whole folder, or let the study that writes it run again"
        ) from None
    except (OSError, ValueError):
        intact = False
    if not intact:
        raise StudyError(f"{path} was changed after it was written; {_REMEDY}")
    there = {file.name: file for file in _others(folder)}
    wrong = {
        "is missing": files.keys() - there.keys(),
        "was added": there.keys() - files.keys(),
        "was altered": {
            name
            for name in files.keys() & there.keys()
            if not there[name].is_file() or sha256(there[name]) != files[name]
        },
    }
    found = [f"{name} {what}" for what, names in wrong.items() for name in sorted(names)]
    if found:
        raise StudyError(
            f"{folder} is not the bundle that was written: {', '.join(found)}. Its "
            f"{MANIFEST} tells; {_REMEDY}"
        )


_REMEDY = "copy the bundle again from its sender, and put no file of your own into it"


def sha256(path: Path) -> str:
    """Of a file's content, in hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def fingerprint(folder: Path) -> str:
    """One number for the whole bundle: the SHA-256 of its manifest."""
    return sha256(folder / MANIFEST)


def _others(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.name != MANIFEST)


def _text(files: dict[str, str]) -> str:
    return json.dumps(files, indent=1, sort_keys=True) + "\n"
