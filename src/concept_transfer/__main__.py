"""The program `concept-transfer`, which is also ``python -m concept_transfer``."""

from __future__ import annotations

import sys

from concept_transfer.command import main

if __name__ == "__main__":
    sys.exit(main())
