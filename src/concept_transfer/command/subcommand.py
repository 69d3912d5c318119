"""How a subcommand is declared."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any

Parser = argparse.ArgumentParser
Work = Callable[[argparse.Namespace, list[str]], int]


def declared(subcommands: Any, name: str, help: str, work: Work, passes_on: bool = False) -> Parser:
    """A subcommand's parser. work: gets the arguments, and those that nobody declared where the
    subcommand `passes_on` these."""
    parser: Parser = subcommands.add_parser(
        name,
        help=help[0].lower() + help[1:].partition(".")[0],
        description=help,
        allow_abbrev=False,
    )
    parser.set_defaults(work=work, passes_on=passes_on)
    return parser
