"""The README is true: its commands parse, its files exist, and its own-data example runs."""

import random
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

REPOSITORY = Path(__file__).resolve().parents[1]
README = (REPOSITORY / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
COMMANDS = [
    line.partition("#")[0].strip()
    for language, block in BLOCKS
    if language == "sh"
    for line in block.splitlines()
]
SNAKEMAKE_COMMANDS = [line for line in COMMANDS if line.startswith("snakemake ")]
QUICK = "training: {epochs: 3, fixed_epochs: 3, max_iterations: 40}\nevaluation: {draws: 100}\n"
INLINE = re.findall(r"`([^`\n]+)`", re.sub(r"^```.*?^```", "", README, flags=re.M | re.S))


def block(language: str) -> str:
    """The only block of a language."""
    (text,) = (text for name, text in BLOCKS if name == language)
    return text


def simulated_rows(example: str, seed: int, encounters: int = 400) -> str:
    """A CSV like the README's example: values drawn from its columns, influenza bringing fever."""
    draw = random.Random(seed)
    header = example.splitlines()[0]
    rows = [header]
    for visit in range(encounters):
        ill = draw.random() < 0.3
        likely = {True: ["yes", "yes", "no", ""], False: ["yes", "no", "no", ""]}[ill]
        values = {
            "visit": f"v{visit}",
            "person": f"p{visit // 2}",
            "influenza": str(int(ill)),
            "age_group": draw.choice(["child", "adult"]),
        }
        rows.append(",".join(values.get(name, draw.choice(likely)) for name in header.split(",")))
    return "\n".join(rows) + "\n"


@pytest.fixture(scope="module")
def project(tmp_path_factory) -> Path:
    """A copy of the workflow with the README's own-data example in it."""
    folder = tmp_path_factory.mktemp("a clone")
    for part in ("workflow", "config", "profiles", "resources"):
        shutil.copytree(REPOSITORY / part, folder / part)
    for name in ("Snakefile", "environment.yml"):
        shutil.copy(REPOSITORY / name, folder)
    example = folder / "my"
    example.mkdir()
    (example / "concepts.tsv").write_text(block("tsv"), encoding="utf-8")
    for seed, site in enumerate(("north", "south")):
        (example / f"{site}.csv").write_text(simulated_rows(block("csv"), seed), encoding="utf-8")
    (folder / "my.yaml").write_text(own_config() + QUICK, encoding="utf-8")
    return folder


def own_config() -> str:
    return next(text for name, text in BLOCKS if name == "yaml" and "adapter: tabular" in text)


def snakemake(project: Path, command: str, *options: str) -> str:
    arguments = [sys.executable, "-m", *shlex.split(command), *options]
    result = subprocess.run(arguments, cwd=project, capture_output=True, text=True, check=False)
    assert result.returncode == 0, f"{command}\n{result.stdout}\n{result.stderr}"
    return result.stdout + result.stderr


def test_make_targets_exist():
    makefile = (REPOSITORY / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^(\w+):", makefile, re.MULTILINE))
    named = set(re.findall(r"\bmake (\w+)", "\n".join(COMMANDS + INLINE)))
    assert {"demo", "test"} <= named <= targets


def test_named_files_exist():
    names = {
        name
        for name in INLINE + re.findall(r"\]\(([^)#:]+)\)", README)
        if re.fullmatch(r"[\w./-]+\.(?:md|yaml|yml|tsv|txt|cff|png|toml)|LICENSE", name)
        and not name.startswith(("my", "results/"))
    }
    assert names
    assert not [name for name in sorted(names) if not (REPOSITORY / name).exists()]


@pytest.mark.parametrize("command", SNAKEMAKE_COMMANDS)
def test_snakemake_commands_can_be_planned(project, command, request):
    if "/path/to/files" in command:
        data = request.getfixturevalue("shared_data")
        command = command.replace("/path/to/files", str(data))
    snakemake(project, command, "--dry-run", "--quiet")


def test_own_data_example_is_short():
    lines = [line for line in own_config().splitlines() if line.strip()]
    assert len(lines) <= 20


@pytest.mark.slow
def test_own_data_example_runs_to_its_report(project):
    own = [command for command in SNAKEMAKE_COMMANDS if "my.yaml" in command]
    assert len(own) == 3
    check, _, _ = [snakemake(project, command) for command in own]
    assert "south records 5 of the 5 concepts" in check
    study = yaml.safe_load(own_config())["study"]
    report = re.search(rf"`(results/{study}/[\w./]+\.html)`", README)
    assert report
    page = (project / report[1]).read_text(encoding="utf-8")
    assert "minilm_shuffled" in page
    assert "north → south" in page
    assert "Nothing to be done" in snakemake(project, own[-1])
