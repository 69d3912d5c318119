"""What a job of the workflow needs besides the library: its log, and what its files are made from.

It imports next to nothing, because every job waits for it.
"""

from __future__ import annotations

import contextlib
import gc
import hashlib
import sys
import traceback
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from concept_transfer.errors import StudyError


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

    What the script has imported is exempt from garbage collection, at exit too: that spares a job
    that has imported torch some hundred milliseconds.
    """
    gc.freeze()
    with (
        Path(log).open("w", encoding="utf-8", buffering=1) as file,
        contextlib.redirect_stdout(file),
        contextlib.redirect_stderr(file),
    ):
        try:
            yield
        except StudyError as error:
            print(f"Error: {error}", file=file)
            sys.exit(1)
        except Exception:  # the last resort of a job: whatever went wrong belongs in its log
            traceback.print_exc(file=file)
            sys.exit(1)
