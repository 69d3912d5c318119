import json
import os
import re

from snakemake.exceptions import WorkflowError
from snakemake.settings.types import ExecMode

from concept_transfer.deployment import with_files
from concept_transfer.errors import StudyError
from concept_transfer.grid import BASELINES, NO_EMBEDDING, TUNED, Grid, split_pair
from concept_transfer.settings.embeddings import parents_of
from concept_transfer.study import load_study
from concept_transfer.workflow import (
    check_study,
    check_writable,
    code_digest,
    embedding_inputs,
    nhamcs_downloads,
    site_inputs,
)

try:
    study = load_study(config, " + ".join(map(str, workflow.configfiles)))
    study = with_files(study, ROOT, HOME, is_prefixed())
    # The main process looks at headers and names once; jobs started by it need not.
    if workflow.exec_mode == ExecMode.DEFAULT:
        check_study(study, ROOT)
        check_writable(Path(workflow.modifier.modify_path(f"results/{study.study}/logs")))
except StudyError as error:
    raise WorkflowError(str(error)) from None

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
