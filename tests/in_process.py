"""Plans and runs the real workflow inside the test's own process, without a job's start-up.

Snakemake parses the Snakefile and makes the plan; the scripts of its jobs run one after another
where the test runs, with the `snakemake` object that a job of their rule gets.
"""

from __future__ import annotations

import contextlib
import gc
import os
import runpy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from snakemake.api import SnakemakeApi
from snakemake.jobs import Job
from snakemake.script import Snakemake
from snakemake.settings.types import (
    ConfigSettings,
    DAGSettings,
    ExecutionSettings,
    OutputSettings,
    Quietness,
    ResourceSettings,
    SchedulingSettings,
)

REPOSITORY = Path(__file__).resolve().parents[1]


@contextlib.contextmanager
def planned(folder: Path, config: dict[str, Any], *targets: str) -> Iterator[list[Job]]:
    """The jobs of a study, each after those that it needs, in its folder as working folder.

    targets: rules or files (none: the report).
    """
    path = folder / "study.yaml"
    path.write_text(yaml.safe_dump(config, sort_keys=False), encoding="utf-8")
    here, variables = Path.cwd(), dict(os.environ)
    try:
        quiet = OutputSettings(quiet={Quietness.ALL})
        with SnakemakeApi(quiet) as api:
            workflow = api.workflow(
                resource_settings=ResourceSettings(cores=1),
                config_settings=ConfigSettings(configfiles=[path]),
                snakefile=REPOSITORY / "Snakefile",
                workdir=folder,
            )
            workflow.dag(DAGSettings(targets=set(targets))).execute_workflow(
                executor="dryrun",
                execution_settings=ExecutionSettings(lock=False),
                scheduling_settings=SchedulingSettings(scheduler="greedy"),
            )
            dag = workflow._workflow.dag
            yield [job for level in dag.toposorted() for job in level if job.rule.script]
    finally:
        os.chdir(here)
        os.environ.clear()
        os.environ.update(variables)


def run_study(folder: Path, config: dict[str, Any], *targets: str) -> Path:
    """Run a study to its end, or to its targets; its folder of results."""
    with planned(folder, config, *targets) as jobs:
        for job in jobs:
            run_job(job)
    return folder / "results" / (config.get("extraction") or config["study"])


def run_job(job: Job) -> None:
    """Run a job's script here; what its log says is the message of its failure."""
    for file in (*job.output, *job.log):
        Path(file).parent.mkdir(parents=True, exist_ok=True)
    script = Path(job.rule.basedir.get_path_or_uri(secret_free=True)) / job.rule.script
    snakemake = Snakemake(
        job.input,
        job.output,
        job.params,
        job.wildcards,
        job.threads,
        job.resources,
        job.log,
        {},
        job.rule.name,
        None,
        str(script.parent),
    )
    try:
        runpy.run_path(str(script), init_globals={"snakemake": snakemake})
    except SystemExit:
        log = Path(job.log[0]).read_text(encoding="utf-8")
        raise AssertionError(f"rule {job.rule.name}\n{log}") from None
    finally:
        gc.unfreeze()  # a job's process ends, this one goes on
