"""`concept-transfer home`: where the workflow lies."""

from __future__ import annotations

import argparse
from typing import Any

from concept_transfer.command.subcommand import declared

HELP = "Print the folder that holds workflow, config, resources and profiles."


def add(subcommands: Any) -> None:
    declared(subcommands, "home", HELP, work)


def work(arguments: argparse.Namespace, further: list[str]) -> int:
    from concept_transfer.paths import HOME

    print(HOME)
    return 0
