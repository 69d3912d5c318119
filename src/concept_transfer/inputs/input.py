"""What every input of a site has: files beside the cohort's, and functions for them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Input:
    """What was recorded of encounters until their index time, in one form that learners read.

    An input's value has a row an encounter (`len`) in the order of the cohort's table.

    files: names of all that is written to ``encounters/<site>/``; arrays: those of them that a
    learner needs. check: (value, number of encounters, vocabulary, where) raises StudyError;
    write: (folder, value, encounter ids, vocabulary); read: (folder) -> value, memory-mapped.
    """

    files: tuple[str, ...]
    arrays: tuple[str, ...]
    check: Callable[..., None]
    write: Callable[..., None]
    read: Callable[[Path], Any]
