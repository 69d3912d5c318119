"""What a running job says: its log has all of it, the terminal a line now and then on long work.

The library speaks through the logger `concept_transfer`; outside a job nobody listens.
"""

from __future__ import annotations

import contextlib
import logging
import math
import sys
import time
from collections.abc import Iterator, Sequence

FIRST_LINE = 10.0  # seconds from a job's beginning
NEXT_LINES = 20.0

_log = logging.getLogger(__name__)
_parts: list[str] = []
_due = math.inf


@contextlib.contextmanager
def told(name: str) -> Iterator[None]:
    """While a job runs: its lines to standard error, progress also to the terminal.

    name: how the terminal calls the job. The terminal is the process's own standard error, even
    where `sys.stderr` has been redirected.
    """
    library, log = logging.getLogger("concept_transfer"), logging.StreamHandler()
    library.setLevel(logging.INFO)
    library.addHandler(log)
    try:
        with on_terminal(name):
            yield
    finally:
        library.setLevel(logging.NOTSET)
        library.removeHandler(log)


@contextlib.contextmanager
def on_terminal(name: str) -> Iterator[None]:
    """While something runs that the user called by this name: its progress to the terminal."""
    global _due
    _due = time.monotonic() + FIRST_LINE
    terminal = logging.StreamHandler(sys.__stderr__)
    terminal.setFormatter(logging.Formatter(f"{name}: %(message)s"))
    _log.setLevel(logging.INFO)
    _log.addHandler(terminal)
    try:
        yield
    finally:
        _due = math.inf
        _log.setLevel(logging.NOTSET)
        _log.removeHandler(terminal)


@contextlib.contextmanager
def part(name: str) -> Iterator[None]:
    """Name the part of a job that everything said within belongs to; "" where it has but one."""
    _parts.append(name)
    try:
        yield
    finally:
        _parts.pop()


def within(message: str) -> str:
    """The message after the names of the parts it belongs to: ``target size 50, fold 2: ...``."""
    named = ", ".join(filter(None, _parts))
    return f"{named}: {message}" if named else message


class Progress:
    """Counts what is done, and says so where the job is long.

    unit: what is counted, in the plural. total: how many there are to do, or `at_most` to do.
    The first line comes ten seconds after the job began, further ones after twenty seconds each,
    whatever the number of counts in between.
    """

    def __init__(self, unit: str, total: int, at_most: bool = False) -> None:
        self._unit, self._total, self._at_most = unit, total, at_most
        self._done, self._start = 0, time.monotonic()

    def advance(self, count: int = 1) -> None:
        """Count; it costs one look at the clock."""
        global _due
        self._done += count
        now = time.monotonic()
        if now >= _due:
            _due = now + NEXT_LINES
            _log.info(within(self._line(now - self._start)))

    def _line(self, seconds: float) -> str:
        rate = self._done / max(seconds, 1e-9)
        left = duration((self._total - self._done) / rate)
        speed = f"{rate:,.0f}" if rate >= 10 else f"{rate:.2g}"
        return (
            f"{self._done:,} of {self._total:,} {self._unit}, {speed} {self._unit}/s, {left} left"
            + (" (at most)" if self._at_most else "")
        )


def duration(seconds: float) -> str:
    """Seconds as people say them: ``15 s``, ``4 min``, ``2 h 5 min``."""
    minutes = round(seconds / 60)
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60} min"


def span(numbers: Sequence[float], form: str = ".0f") -> str:
    """One number, or the smallest and the largest: ``12``, ``9 to 14``."""
    ends = dict.fromkeys(f"{end:{form}}" for end in (min(numbers), max(numbers))) if numbers else ()
    return " to ".join(ends) or "none"
