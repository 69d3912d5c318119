"""The command `concept-transfer`.

Each subcommand is a module with `add`, which declares its arguments, and `work`; it imports what it
needs where it runs, so that help comes at once.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from concept_transfer import __version__
from concept_transfer.command import bundle, check, home, init, predict, run
from concept_transfer.errors import StudyError

REFUSED = 1
ABOUT = """Which concept embedding, which tuning strategy and how many labels a clinical prediction
model needs to move between hospitals: from your data to a study's report, and from a model that
came as a bundle to predictions."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a subcommand; exit code 0: good, 1: refused (one paragraph says why), 2: wrong usage."""
    parser = argparse.ArgumentParser(prog="concept-transfer", description=ABOUT, allow_abbrev=False)
    parser.add_argument("--version", action="version", version=__version__)
    subcommands = parser.add_subparsers(title="subcommands", metavar="COMMAND")
    for module in (init, check, run, predict, bundle, home):
        module.add(subcommands)
    chosen, further = parser.parse_known_args(arguments)
    if "work" not in chosen:
        parser.print_help()
        return 0
    if further and not chosen.passes_on:
        parser.error(f"unrecognized arguments: {' '.join(further)}")
    try:
        return int(chosen.work(chosen, further))
    except StudyError as error:
        print(f"Error: {error}", file=sys.stderr)
        return REFUSED
