"""The one exception whose message is written for the person who runs a study."""

from collections.abc import Iterable


class StudyError(Exception):
    """Something in the user's config, data or files is wrong.

    The message is one paragraph that names the file, key or cell, the offending value and
    what is accepted. Workflow scripts print it without a traceback.
    """


def choices(names: Iterable[object]) -> str:
    """The accepted names, sorted and comma-separated, for use in an error message."""
    return ", ".join(sorted(str(name) for name in names))
