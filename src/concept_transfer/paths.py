"""Where files lie: those that a config names, and those that come with the library."""

from __future__ import annotations

from pathlib import Path

_INSTALLED = Path(__file__).with_name("workbench")

# The folder that holds workflow, config, resources and profiles: the repository, or its copy in
# an installed library.
HOME = _INSTALLED if _INSTALLED.is_dir() else Path(__file__).resolve().parents[2]


def resolve(path: str, root: Path) -> Path:
    """A path of the config, relative to the folder the workflow runs in.

    >>> resolve("data/north.csv", Path("/my/study")).as_posix()
    '/my/study/data/north.csv'
    """
    return root / path
