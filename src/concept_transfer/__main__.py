"""The workflow on the command line."""

from __future__ import annotations

import sys

from concept_transfer.paths import HOME


def main() -> None:
    """Run snakemake on the workflow that comes with the library, with the given arguments.

    Without an argument: print the folder that holds workflow, config, resources and profiles.
    """
    if not sys.argv[1:]:
        print(HOME)
        return
    from snakemake.cli import main as snakemake

    snakemake(["--snakefile", str(HOME / "Snakefile"), *sys.argv[1:]])


if __name__ == "__main__":
    main()
