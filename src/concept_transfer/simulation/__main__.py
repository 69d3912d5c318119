"""Write simulated patients as a dataset: ``python -m concept_transfer.simulation --help``."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from concept_transfer.errors import StudyError
from concept_transfer.simulation.dataset import write_dataset
from concept_transfer.simulation.reading import read_world


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m concept_transfer.simulation",
        description="Write simulated patients as a dataset of the Medical Event Data Standard.",
    )
    parser.add_argument("model", type=Path, help="file of the site, as resources/histories/a.yaml")
    parser.add_argument("--out", type=Path, required=True, help="folder of the dataset")
    parser.add_argument("--patients", type=int, default=6000, help="how many (6000)")
    parser.add_argument("--seed", type=int, default=1, help="seed of the simulation (1)")
    given = parser.parse_args(arguments)
    try:
        write_dataset(read_world(given.model), given.patients, given.seed, given.out)
    except StudyError as error:
        print(error, file=sys.stderr)
        return 1
    print(f"{given.patients:,} patients in {given.out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
