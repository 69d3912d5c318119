"""`concept-transfer check`: a study's config and data, before any model is trained."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from concept_transfer.command.run import snakemake
from concept_transfer.command.subcommand import declared

HELP = """Check a study. First config, headers and names, which takes seconds; then every row of
every site: encounters, positives, and which concepts each site records."""


def add(subcommands: Any) -> None:
    parser = declared(subcommands, "check", HELP, work)
    parser.add_argument("--config", metavar="FILE", required=True, help="the study")


def work(arguments: argparse.Namespace, further: list[str]) -> int:
    from concept_transfer.deployment import with_files
    from concept_transfer.paths import HOME
    from concept_transfer.study_file import read_study
    from concept_transfer.workflow import check_study

    root = Path.cwd()
    check_study(with_files(read_study(Path(arguments.config)), root, HOME), root)
    return snakemake(arguments.config, ["check", "--cores", "1"])
