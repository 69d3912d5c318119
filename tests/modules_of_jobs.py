"""Has every job of a run write down the modules that it loaded."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from in_process import planned

from concept_transfer import closure

NOT_OF_SIMULATED_SITES = (
    "adapt",
    "ask_about_codes",
    "collect_codes",
    "document_space",
    "download",
    "embed_codes",
    "encode_documents",
    "encode_histories",
    "encode_texts",
    "export_models",
    "extraction_accuracy",
    "extraction_cost",
    "interconnect",
    "list_codes",
    "measure_taggers",
    "pretrain",
    "propose_crosswalk",
    "quantile_edges",
    "read_corpus",
    "receive_source",
    "report_taggers",
    "review_mentions",
    "tag",
    "tag_together",
    "write_vocabulary",
)

# Python runs it when it starts. What a registry loads is listed apart: a job loads the records of
# all names for the sections of its config, and runs those that its rule names.
NOTE = """
import atexit, importlib.metadata, json, os, sys

records = set()
load = importlib.metadata.EntryPoint.load

def noted(entry):
    before = set(sys.modules)
    record = load(entry)
    records.update(set(sys.modules) - before)
    return record

importlib.metadata.EntryPoint.load = noted

@atexit.register
def note():
    job = getattr(sys.modules["__main__"], "snakemake", None)
    folder = os.environ.get("MODULES_OF_JOBS")
    if job is None or folder is None:
        return
    loaded = sorted(set(sys.modules) - records)
    given = job.params.get("code", [])
    codes = [given] if isinstance(given, str) else list(given)
    for work in json.loads(job.params.get("classifiers", "{}")).values():
        codes += [work["code"], *(each["code"] for each in work.get("strategies", {}).values())]
    with open(os.path.join(folder, str(os.getpid())), "w") as file:
        json.dump({"rule": job.rule, "codes": codes, "modules": loaded}, file)
"""


@contextmanager
def noting(folder: Path) -> Iterator[None]:
    """Jobs started meanwhile write what they loaded into the folder."""
    (folder / "sitecustomize").mkdir()
    (folder / "sitecustomize" / "sitecustomize.py").write_text(NOTE)
    path = [str(folder / "sitecustomize"), os.environ.get("PYTHONPATH", "")]
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("PYTHONPATH", os.pathsep.join(path))
        environment.setenv("MODULES_OF_JOBS", str(folder))
        yield


def notes(folder: Path) -> list[dict[str, Any]]:
    """rule, codes (the digests that the job was given) and modules of every job."""
    return [json.loads(file.read_text()) for file in folder.glob("[0-9]*")]


def of_house(modules: list[str]) -> set[str]:
    """Modules of the library; its `__init__` is no part of what they are made from."""
    return {module for module in modules if module.startswith(f"{closure.HOUSE}.")}


def planned_closures(
    folder: Path, config: dict[str, Any]
) -> tuple[dict[str, str], dict[str, set[str]]]:
    """Rule -> script, and digest -> modules, of a study's jobs."""
    closures: dict[str, set[str]] = {}
    digest = closure.digest

    def noted(script: Path, *modules: str) -> str:
        code = digest(script, *modules)
        closures[code] = set(closure.closure(script, *modules))
        return code

    with pytest.MonkeyPatch.context() as planning:
        planning.setattr(closure, "digest", noted)
        with planned(folder, config) as jobs:
            scripts = {job.rule.name: Path(job.rule.script).stem for job in jobs}
            assert all(job.params.get("code") or job.params.get("classifiers") for job in jobs)
    return scripts, closures
