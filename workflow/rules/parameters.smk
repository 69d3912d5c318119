# What the rules of every kind of study share: their parameters, and constraints of wildcards.
import json
import os
import re
import sys
from pathlib import Path

from snakemake.exceptions import WorkflowError
from snakemake.logging import logger
from snakemake.settings.types import ExecMode

from concept_transfer import closure
from concept_transfer.errors import StudyError
from concept_transfer.settings.files import check_files
from concept_transfer.workflow import check_writable

# The main process looks at files, headers and names once; jobs started by it need not.
planning = workflow.exec_mode == ExecMode.DEFAULT


def fix_threads(threads):
    """Sums of floats depend on the number of threads, so no library may choose it by itself."""
    for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[variable] = str(threads)


def alternatives(names):
    """A wildcard constraint that matches just these names."""
    return "|".join(map(re.escape, names)) or "(?!)"


def stable(value):
    """A parameter that changes only when its content does."""
    return json.dumps(value, sort_keys=True)


def fixed(value):
    """A stable parameter whose braces Snakemake does not take for wildcards."""
    return lambda wildcards: stable(value)


def code_of(script, *modules):
    """A parameter that changes with the code that a script's jobs use, see `closure.digest`."""
    return closure.digest(HOME / "workflow" / "scripts" / f"{script}.py", *modules)
