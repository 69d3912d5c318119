"""`concept-transfer run`: snakemake on the workflow that comes with the library."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any

from concept_transfer.command.subcommand import declared

HELP = """Run a study to its report, or what of it is not there yet. All options and targets of
snakemake are accepted (--dry-run shows the plan, --profile names a cluster); what this command
calls --config is snakemake's --configfile, and snakemake's own --config is -C."""

CORES = ("--cores", "-c", "--jobs", "-j", "--profile")


def add(subcommands: Any) -> None:
    parser = declared(subcommands, "run", HELP, work, passes_on=True)
    parser.add_argument("--config", metavar="FILE", help="the study (else the embedded one)")


def work(arguments: argparse.Namespace, further: list[str]) -> int:
    given = any(option.startswith(CORES) for option in further)
    return snakemake(arguments.config, [*further, *([] if given else ["--cores", "all"])])


def snakemake(config: str | None, arguments: Sequence[str]) -> int:
    """The exit code of snakemake on a study."""
    from snakemake.cli import main

    from concept_transfer.paths import HOME

    study = ["--configfile", config] if config else []
    try:
        main(["--snakefile", str(HOME / "Snakefile"), *arguments, *study])
    except SystemExit as end:
        return int(end.code or 0)
    return 0
