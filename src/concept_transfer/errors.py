"""The one exception whose message is written for the person who runs a study."""

import contextlib
from collections.abc import Iterable, Iterator


class StudyError(Exception):
    """Something in the user's config, data or files is wrong.

    The message is one paragraph that names the file, key or cell, the offending value and
    what is accepted. Workflow scripts print it without a traceback.
    """


def choices(names: Iterable[object]) -> str:
    """The accepted names, sorted and comma-separated, for use in an error message.

    >>> choices({"tabular", "nhamcs"})
    'nhamcs, tabular'
    """
    return ", ".join(sorted(str(name) for name in names))


@contextlib.contextmanager
def named(part: str) -> Iterator[None]:
    """Prefix a StudyError with the part of the config it is about, unless it says so itself."""
    try:
        yield
    except StudyError as error:
        message = str(error)
        raise StudyError(message if message.startswith(part) else f"{part}: {message}") from None
