"""What a job of the workflow needs besides the library: its log, and what its files are made from.

It imports next to nothing, because every job waits for it.
"""

from __future__ import annotations

import contextlib
import gc
import hashlib
import os
import sys
import traceback
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from concept_transfer.errors import StudyError
from concept_transfer.progress import told


def made_from(parameters: Sequence[object], files: Iterable[str]) -> str:
    """SHA-256 of a job's parameters and of the contents of its input files."""
    digest = hashlib.sha256(repr(tuple(parameters)).encode())
    for path in files:
        with Path(path).open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()


@contextlib.contextmanager
def job(log: str) -> Iterator[None]:
    """Send a job's output to its log; a StudyError ends the job as one paragraph there.

    A job reads nothing from the terminal, whoever asks, and writes a line about its progress there
    if it takes long.
    What the script has imported is exempt from garbage collection, at exit too: that spares a job
    that has imported torch some hundred milliseconds.
    """
    gc.freeze()
    with Path(os.devnull).open() as nothing:
        os.dup2(nothing.fileno(), 0)
    with (
        Path(log).open("w", encoding="utf-8", buffering=1) as file,
        contextlib.redirect_stdout(file),
        contextlib.redirect_stderr(file),
        told(" ".join(Path(log).with_suffix("").parts[3:])),  # results/<study>/logs/<job>.log
    ):
        try:
            yield
        except StudyError as error:
            print(f"Error: {error}", file=file)
            sys.exit(1)
        except Exception:  # the last resort of a job: whatever went wrong belongs in its log
            traceback.print_exc(file=file)
            sys.exit(1)
