"""The workflow used from another folder: as it is, as a module, and with the repository alone."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import Any

import pytest
import yaml
from hospital import fitted, table
from in_process import planned
from workflow_runs import REPOSITORY, tiny_study

from concept_transfer.deployment import located, with_files
from concept_transfer.study import load_study

WORKBENCH = ("Snakefile", "environment.yml", "workflow", "config", "resources", "profiles")

MODULE = """
module transfer:
    snakefile: "{snakefile}"
    config: config["transfer"]
{prefix}

use rule * from transfer as transfer_*


rule everything:
    default_target: True
    input:
        rules.transfer_check.input,
"""


def deployed_study() -> dict[str, Any]:
    """The tiny study with the networks that come with the workflow and a vocabulary of its own."""
    study = tiny_study()
    for name, site in study["sites"].items():
        site["network"] = f"resources/networks/{name}.yaml"
    return {**study, "vocabulary": "mine/concepts.tsv"}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project that uses the workflow as a module and has its own vocabulary."""
    (tmp_path / "mine").mkdir()
    shutil.copy(REPOSITORY / "resources/concepts/influenza.tsv", tmp_path / "mine/concepts.tsv")
    config = yaml.safe_dump({"transfer": deployed_study()}, sort_keys=False)
    (tmp_path / "config.yaml").write_text(config, encoding="utf-8")
    return tmp_path


def write_snakefile(project: Path, prefix: str = "") -> None:
    text = MODULE.format(snakefile=REPOSITORY / "workflow" / "Snakefile", prefix=prefix)
    (project / "Snakefile").write_text(text, encoding="utf-8")


def snakemake(folder: Path, *arguments: str) -> str:
    """The output of snakemake where the library is not installed, only its dependencies are.

    A folder on PYTHONPATH is searched, but its .pth files, and so an editable install, are not.
    """
    packages = Path(sysconfig.get_path("purelib"))
    # A library that is installed whole (not `make test`'s way) would be used instead of the one
    # beside the rules, and the test would pass whatever the deployment does.
    if (packages / "concept_transfer").is_dir():
        pytest.skip("the library is installed, and not from this repository")
    done = subprocess.run(
        [sys._base_executable, "-m", "snakemake", "--nocolor", *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(packages)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


def test_a_module_with_a_prefix_runs_from_another_folder(project: Path) -> None:
    write_snakefile(project, '    prefix: "transfer"')
    snakemake(project, "--cores", "2", "--scheduler", "greedy", "--configfile", "config.yaml")
    assert (project / "transfer/results/tiny/check.tsv").is_file()
    assert not (project / "results").exists()
    planned = snakemake(project, "transfer_all", "--dry-run", "--configfile", "config.yaml")
    lines = re.findall(r"^    (?:input|output|log|benchmark): (.*)$", planned, re.MULTILINE)
    files = {file for line in lines for file in line.split(", ")}
    users = {str(project / "mine/concepts.tsv"), *map(str, (REPOSITORY / "resources").rglob("*"))}
    assert "transfer/results/tiny/report.html" in files
    assert all(file.startswith("transfer/results/tiny/") for file in files - users)


def test_a_module_without_prefix_plans_as_the_workflow_does(project: Path) -> None:
    write_snakefile(project)
    plan = snakemake(project, "transfer_all", "--dry-run", "--configfile", "config.yaml")
    counts = dict(re.findall(r"^transfer_(\w+) +(\d+)$", plan, re.MULTILINE))
    assert {rule: int(n) for rule, n in counts.items() if rule != "all"} == plan_here(project)


def plan_here(project: Path) -> dict[str, int]:
    with planned(project, deployed_study()) as jobs:
        rules = [job.rule.name for job in jobs]
    return {rule: rules.count(rule) for rule in dict.fromkeys(rules)}


def test_the_embedded_study_is_planned_from_any_folder(tmp_path: Path) -> None:
    plan = snakemake(tmp_path, "--dry-run", "--snakefile", str(REPOSITORY / "Snakefile"))
    assert "results/demo/report.html" in plan
    assert str(REPOSITORY / "resources/concepts/influenza.tsv") in plan


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with what the wheel holds, which is what pip installs."""
    copy, wheels, folder = (tmp_path_factory.mktemp(name) for name in ("copy", "wheels", "site"))
    for name in ("pyproject.toml", "setup.py", "README.md", "LICENSE", *WORKBENCH, "src"):
        source = REPOSITORY / name
        if source.is_dir():
            left_out = shutil.ignore_patterns("__pycache__", "*.egg-info", "data")
            shutil.copytree(source, copy / name, symlinks=True, ignore=left_out)
        else:
            shutil.copy(source, copy)
    build = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation"]
    build += ["--wheel-dir", str(wheels), str(copy)]
    done = subprocess.run(build, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (wheel,) = wheels.glob("*.whl")
    shutil.unpack_archive(wheel, folder, "zip")
    return folder


def concept_transfer(library: Path, folder: Path, *arguments: str) -> str:
    """The output of the command of an installed library, which sees nothing of the repository."""
    path = os.pathsep.join([str(library), sysconfig.get_path("purelib")])
    done = subprocess.run(
        [sys._base_executable, "-m", "concept_transfer", *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": path},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


def test_an_installed_library_says_where_its_workflow_is(installed: Path, tmp_path: Path) -> None:
    home = Path(concept_transfer(installed, tmp_path, "home").strip())
    assert home.is_relative_to(installed)
    assert sorted(path.name for path in home.iterdir()) == sorted(WORKBENCH)
    assert not list(home.rglob("scripts/concept_transfer"))
    for name in ("config", "resources", "profiles"):
        here = {f.relative_to(REPOSITORY) for f in (REPOSITORY / name).rglob("*") if f.is_file()}
        there = {file.relative_to(home) for file in (home / name).rglob("*") if file.is_file()}
        assert there == {file for file in here if file.parts[:2] != ("resources", "data")}


def test_an_installed_library_runs_the_embedded_study(installed: Path, tmp_path: Path) -> None:
    plan = concept_transfer(installed, tmp_path, "run", "--dry-run")
    assert "results/demo/report.html" in plan
    assert str(REPOSITORY) not in plan
    check = concept_transfer(installed, tmp_path, "run", "--cores", "2", "check")
    assert "north records 60 of the 61 concepts" in check
    assert (tmp_path / "results/demo/check.tsv").is_file()


def test_an_installed_library_has_the_catalogue_of_models(installed: Path, tmp_path: Path) -> None:
    study = deployed_study() | {"vocabulary": "resources/concepts/influenza.tsv"}
    study["embeddings"] = {"minilm": {"catalogue": "minilm"}, "one_hot": {"provider": "one_hot"}}
    (tmp_path / "my.yaml").write_text(yaml.safe_dump(study), encoding="utf-8")
    plan = concept_transfer(installed, tmp_path, "run", "--dry-run", "--config", "my.yaml")
    assert "results/tiny/embeddings/minilm.safetensors" in plan


def test_an_installed_library_predicts(installed: Path, tmp_path: Path) -> None:
    fitted(tmp_path, "logistic")
    table().to_csv(tmp_path / "new.csv", index=False)
    files = ["--encounters", "new.csv", "--out", "out.csv"]
    said = concept_transfer(installed, tmp_path, "predict", "--bundle", "bundle", *files)
    assert "240 encounters predicted by 3 models" in said
    assert "logistic regression" in concept_transfer(
        installed, tmp_path, "bundle", "inspect", "bundle"
    )
    assert len((tmp_path / "out.csv").read_text().splitlines()) == 241


def test_every_job_has_the_conda_environment(tmp_path: Path) -> None:
    with planned(tmp_path, tiny_study()) as jobs:
        files = {Path(job.conda_env_spec.file.get_path_or_uri(secret_free=True)) for job in jobs}
    assert {file.resolve() for file in files} == {REPOSITORY / "environment.yml"}


# Paths of a config


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    """A working folder with `mine` and `both`, a workflow's folder with `brought` and `both`."""
    root, home = tmp_path / "root", tmp_path / "home"
    for folder, names in ((root, ("mine", "both")), (home, ("brought", "both"))):
        folder.mkdir()
        for name in names:
            (folder / name).touch()
    return root, home


@pytest.mark.parametrize(
    ("path", "plain", "prefixed"),
    [
        ("mine", "mine", "{root}/mine"),
        ("both", "both", "{root}/both"),
        ("brought", "{home}/brought", "{home}/brought"),
        ("nowhere", "nowhere", "{root}/nowhere"),
        ("/some/where", "/some/where", "/some/where"),
    ],
)
def test_where_a_path_of_the_config_lies(
    folders: tuple[Path, Path], path: str, plain: str, prefixed: str
) -> None:
    root, home = folders
    assert located(path, root, home) == plain.format(root=root, home=home)
    assert located(path, root, home, True) == prefixed.format(root=root, home=home)


def test_every_path_of_a_study_is_located(tmp_path: Path) -> None:
    label = {"column": "train", "positive": ["a"], "negative": ["b"]}
    config = {
        **tiny_study(),
        "vocabulary": "v.tsv",
        "sites": {
            "whole": {"adapter": "tabular", "path": "w.csv", "crosswalk": "c.tsv", "label": label},
            "parts": {"adapter": "tabular", "train": ["t.csv"], "test": ["e.csv"], "label": label},
            "drawn": {"adapter": "simulated", "network": "n.yaml"},
            "visits": {
                "adapter": "nhamcs",
                "path": "f",
                "years": [2018],
                "region": "South",
                "layout": "l.tsv",
            },
        },
        "embeddings": {
            "published": {"provider": "precomputed", "path": "p.h5", "crosswalk": "k.tsv"},
            "model": {
                "provider": "transformers",
                "model": "org/name",
                "wording": {"synonyms": "s.tsv", "definitions": "d.tsv"},
            },
        },
    }
    study = with_files(load_study(config), tmp_path, REPOSITORY, prefixed=True)
    names = re.findall(rf'"{tmp_path}/([^"]*)"', study.model_dump_json())
    of_sites = ["w.csv", "c.tsv", "t.csv", "e.csv", "n.yaml", "f", "l.tsv"]
    assert sorted(names) == sorted(["v.tsv", *of_sites, "p.h5", "k.tsv", "s.tsv", "d.tsv"])
    assert with_files(load_study(config), tmp_path, REPOSITORY) == load_study(config)
