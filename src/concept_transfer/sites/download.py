"""Fetching a public file: whole or not at all."""

from __future__ import annotations

import os
import shutil
import tempfile
import urllib.error
import urllib.request
from collections.abc import Sequence
from http.client import HTTPException
from pathlib import Path

from concept_transfer.errors import StudyError

_TIMEOUT_SECONDS = 60


def fetch(urls: Sequence[str], destination: Path) -> None:
    """Write the first of the addresses that the server has to `destination`, atomically.

    An address that the server does not have (404) makes room for the next one. Raises
    StudyError that says what to put where if there is no network, no such file, or the transfer
    ends early; `destination` then does not exist.
    """
    destination.parent.mkdir(parents=True, exist_ok=True)
    for url in urls:
        try:
            _fetch_one(url, destination)
            return
        except urllib.error.HTTPError as error:
            if error.code != 404:
                raise _failure(urls, destination, f"the server answered {error.code}") from None
        except (OSError, HTTPException) as error:
            reason = getattr(error, "reason", error)
            raise _failure(urls, destination, f"the transfer failed ({reason})") from None
    raise _failure(urls, destination, "the server does not have it (404)")


def _fetch_one(url: str, destination: Path) -> None:
    descriptor, name = tempfile.mkstemp(dir=destination.parent, prefix=f".{destination.name}.")
    partial = Path(name)
    try:
        with (
            os.fdopen(descriptor, "wb") as file,
            urllib.request.urlopen(url, timeout=_TIMEOUT_SECONDS) as response,
        ):
            shutil.copyfileobj(response, file)
            expected = response.headers.get("Content-Length")
            received = file.tell()
        if expected is not None and received != int(expected):
            raise OSError(f"{received} of {expected} bytes arrived")
        partial.chmod(0o644)
        partial.replace(destination)
    finally:
        partial.unlink(missing_ok=True)


def _failure(urls: Sequence[str], destination: Path, reason: str) -> StudyError:
    return StudyError(
        f"{destination} is missing and could not be fetched: {reason}. Download "
        f"{' or '.join(urls)} on a machine with network access and put it there"
    )
