"""`concept-transfer bundle inspect`: what a bundle's card says."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from concept_transfer.command.subcommand import declared

HELP = "What is in a bundle: fitted models of a study, which a hospital can apply or tune."
INSPECT = "Say in words what a bundle holds. The whole folder is checked first."


def add(subcommands: Any) -> None:
    parser = declared(subcommands, "bundle", HELP, work=lambda arguments, further: 2)
    inner = parser.add_subparsers(title="subcommands", metavar="COMMAND", required=True)
    inspect = declared(inner, "inspect", INSPECT, work)
    inspect.add_argument("bundle", metavar="FOLDER", help="the bundle")
    inspect.add_argument("--json", action="store_true", help="print the card itself")


def work(arguments: argparse.Namespace, further: list[str]) -> int:
    import json
    from dataclasses import asdict

    from concept_transfer.models.bundle import read_bundle
    from concept_transfer.serving.card import card_text

    bundle = read_bundle(Path(arguments.bundle))
    if arguments.json:
        print(json.dumps(asdict(bundle.card), indent=1))
    else:
        print(card_text(bundle))
    return 0
