"""What a job of the workflow needs besides the library: its log, and what its files are made from.

It imports next to nothing, because every job waits for it.
"""

from __future__ import annotations

import atexit
import contextlib
import errno
import gc
import hashlib
import os
import re
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
def job(log: str, texts: bool = False) -> Iterator[None]:
    """Send a job's output to its log; a StudyError ends the job as one paragraph there.

    A job reads nothing from the terminal, whoever asks, and writes a line about its progress there
    if it takes long. A full disk or too little memory is a paragraph too, any other exception a
    traceback; in a job that reads patients' texts (`texts`) without what it says, which may quote
    one. What cannot be written to the log goes to standard error.

    What the script has imported is exempt from garbage collection, and so is all there is at exit:
    that spares a job that has imported torch some hundred milliseconds.
    """
    gc.freeze()
    atexit.register(gc.freeze)
    with Path(os.devnull).open() as nothing:
        os.dup2(nothing.fileno(), 0)
    said = ""
    try:
        with (
            Path(log).open("w", encoding="utf-8", buffering=1) as file,
            contextlib.redirect_stdout(file),
            contextlib.redirect_stderr(file),
            told(" ".join(Path(log).with_suffix("").parts[3:])),  # results/<study>/logs/<job>.log
        ):
            try:
                yield
            except Exception as error:  # the last resort of a job: all that goes wrong is said
                said = _explained(error, texts)
                print(said, file=file)
                sys.exit(1)
    except OSError as error:
        print(said or f"Error: the log {log} cannot be written: {error.strerror}", file=sys.stderr)
        sys.exit(1)


def _explained(error: Exception, texts: bool) -> str:
    if isinstance(error, StudyError):
        return f"Error: {error}"
    if _is_full_disk(error):
        return (
            f"Error: no space is left on a disk, or in a quota, that the job writes to ({error}); "
            "free some and run again, what is finished stays"
        )
    if isinstance(error, MemoryError):
        return f"Error: the job needs more memory than there is ({error or 'no amount known'})"
    if texts:
        return _traceback_without_words(error)
    return traceback.format_exc().rstrip()


def _traceback_without_words(error: BaseException) -> str:
    """The frames and the type of an exception, and before it of those that it came of."""
    before = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    kind = type(error)
    return (
        (f"{_traceback_without_words(before)}\n\nThen:\n\n" if before else "")
        + "Traceback (most recent call last):\n"
        + "".join(traceback.format_tb(error.__traceback__))
        + f"{kind.__module__}.{kind.__qualname__} (what it says is left out: it may quote a text)"
    )


def _is_full_disk(error: Exception) -> bool:
    """Whether the system said so, or a library that repeats it in words only."""
    return (
        getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT)
        or os.strerror(errno.ENOSPC) in str(error)  # safetensors
        or bool(re.fullmatch(r"\d+ requested and \d+ written", str(error)))  # numpy
    )
