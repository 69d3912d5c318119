"""Files that hold patients' rows: for the user who made them, and for nobody else."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def private(folder: Path, room: str) -> Iterator[None]:
    """Make a folder, and every file made meanwhile, accessible to their user alone.

    ``room`` is the name of the folder in the results that holds it (`encounters`, `splits`,
    `predictions`): whoever created it first, with whatever rights, it is closed too, and so is
    all between. A folder of another user is left as it is.
    """
    before = os.umask(0o077)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for ours in _up_to(folder, room):
            if ours.stat().st_uid == os.getuid():
                ours.chmod(0o700)
        yield
    finally:
        os.umask(before)


def _up_to(folder: Path, room: str) -> list[Path]:
    folders = [folder, *folder.parents]
    names = [path.name for path in folders]
    return folders[: names.index(room) + 1] if room in names else folders[:1]
