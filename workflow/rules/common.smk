import json
import os
import re
from pathlib import Path

from snakemake.exceptions import WorkflowError
from snakemake.logging import logger
from snakemake.settings.types import ExecMode

from concept_transfer.errors import StudyError
from concept_transfer.grid import BASELINES, NO_EMBEDDING, TUNED, Grid, split_pair
from concept_transfer.settings.embeddings import parents_of
from concept_transfer.settings.files import check_files
from concept_transfer.study import load_study
from concept_transfer.workflow import (
    check_study,
    code_digest,
    embedding_inputs,
    nhamcs_downloads,
    site_inputs,
)

ROOT = Path.cwd()

# The main process looks at files, headers and names once; jobs started by it need not.
planning = workflow.exec_mode == ExecMode.DEFAULT

try:
    if planning:
        check_files(map(Path, workflow.configfiles))
    study = load_study(config, " + ".join(map(str, workflow.configfiles)))
    if planning:
        check_study(study, ROOT)
except StudyError as error:
    raise WorkflowError(str(error)) from None

if planning and study.parked_sites():
    parked = ", ".join(f"sites.{name}" for name in study.parked_sites())
    logger.warning(f"No pair of 'pairs' names {parked}: this study does without.")

# Sums of floats depend on the number of threads, so no library may choose it by itself.
for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = str(study.resources.threads)

grid = Grid(study)
RESULTS = f"results/{study.study}"


def alternatives(names):
    """A wildcard constraint that matches just these names."""
    return "|".join(map(re.escape, names)) or "(?!)"


def kinds(*wanted):
    """Names of the study's strategies of the given kinds."""
    return [name for name, s in study.strategies.items() if s.kind in wanted]


def stable(value):
    """A parameter that changes only when its content does."""
    return json.dumps(value, sort_keys=True)


def fixed(value):
    """A stable parameter whose braces Snakemake does not take for wildcards."""
    return lambda wildcards: stable(value)


wildcard_constraints:
    site=alternatives(grid.sites),
    source=alternatives(grid.sources),
    target=alternatives(grid.targets),
    embedding=alternatives([*study.embeddings, NO_EMBEDDING]),
    classifier=alternatives(study.classifiers),
    strategy=alternatives(study.strategies),
    block=r"\d+",
