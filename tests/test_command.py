"""The command `concept-transfer`: its help, its exit codes, and a study drafted from tables."""

from __future__ import annotations

import random
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from concept_transfer.command import main
from concept_transfer.command import run as run_command
from concept_transfer.concepts.vocabulary import Vocabulary
from concept_transfer.paths import HOME
from concept_transfer.study_file import read_study
from concept_transfer.workflow import check_study

HEAVY = ("numpy", "pyarrow", "torch", "pandas", "snakemake", "pydantic")
COMMANDS = ["init", "check", "run", "predict", "bundle", "home"]


@pytest.mark.parametrize("arguments", [[], ["--help"], *([name, "--help"] for name in COMMANDS)])
def test_help_imports_nothing_heavy(arguments: list[str]) -> None:
    program = (
        "import sys\nfrom concept_transfer.command import main\ntry:\n"
        f"    code = main({arguments})\n"
        "except SystemExit as end:\n    code = end.code\n"
        f"print(code, [name for name in {HEAVY} if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == "0 []"
    assert "usage: concept-transfer" in done.stdout


@pytest.mark.parametrize(
    "arguments", [["nonsense"], ["predict"], ["home", "more"], ["predict", "--bun", "b"]]
)
def test_wrong_usage_is_exit_code_2(arguments: list[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(arguments)


def test_home_is_the_folder_of_the_workflow(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["home"]) == 0
    assert capsys.readouterr().out.strip() == str(HOME)


@pytest.mark.parametrize(
    ("given", "passed"),
    [
        (["--config", "a.yaml"], ["--cores", "all", "--configfile", "a.yaml"]),
        (["-n", "--config", "a.yaml"], ["-n", "--cores", "all", "--configfile", "a.yaml"]),
        (["check", "-c", "2"], ["check", "-c", "2"]),
        (["--cores=3", "-C", "data=/x"], ["--cores=3", "-C", "data=/x"]),
        (["--profile", "slurm"], ["--profile", "slurm"]),
    ],
)
def test_run_passes_on_what_snakemake_understands(
    given: list[str], passed: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[str] = []
    monkeypatch.setattr("snakemake.cli.main", seen.extend)
    assert main(["run", *given]) == 0
    assert seen == ["--snakefile", str(HOME / "Snakefile"), *passed]
    assert run_command.CORES


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "does not exist"),
        ("study: a\nstudy: b\n", "line 1 and in line 2"),
        ("[1, 2]", "no section"),
        ("study: [", "no YAML"),
        ("study: a\n", "no valid study"),
    ],
)
def test_check_refuses_a_bad_config_in_a_paragraph(
    content: str | None, words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "study.yaml"
    if content is not None:
        config.write_text(content)
    assert main(["check", "--config", str(config)]) == 1
    said = capsys.readouterr().err
    assert said.startswith("Error: ")
    assert said.count("\n") == 1
    assert words in said


# init


def extract(path: Path, seed: int, rows: int = 300) -> None:
    """A hospital's table, with a free text, rare values, numbers, and cells in two cases."""
    draw = random.Random(seed)
    lines = ["visit,person,date,died,fever,Pain Score,sex,heart_rate,ward,note,empty,blood"]
    for row in range(rows):
        ward = "secret" if row in (3, 9) else draw.choice(["A1", "B2"])
        cells = [
            f"{path.stem}{row}",
            f"p{row // 2}",
            f"2024-01-{row % 28 + 1:02d}",
            str(int(draw.random() < 0.3)),
            draw.choice(["yes", "No", ""]),
            str(draw.randrange(4)),
            draw.choice("MF"),
            str(draw.randrange(50, 120)),
            ward,
            f"words {row}",
            "",
            draw.choice(["A", "B", "AB", "0"]),
        ]
        lines.append(",".join(cells))
    path.write_text("\n".join(lines) + "\n")


@pytest.fixture
def hospital(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for seed, name in enumerate(("north", "south")):
        extract(tmp_path / f"{name}.csv", seed)
    return tmp_path


INIT = ["init", "north.csv", "south.csv", "--label", "died"]


def test_a_draft_is_a_study_that_passes_its_checks(
    hospital: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(INIT) == 0
    said = capsys.readouterr().out
    study = read_study(hospital / "config/study.yaml")
    check_study(study, hospital)
    site = study.sites["south"]
    assert (site.encounter, site.patient, site.time) == ("visit", "person", "date")
    assert (site.label.positive, site.label.negative) == (["1"], ["0"])
    assert site.ignore_columns == ["note", "empty"]
    assert list(study.bins) == ["heart_rate"]
    random = study.embeddings["random"]
    assert (random.provider, random.like) == ("random", "minilm")
    states = Vocabulary.read(hospital / "config/vocabulary.tsv").concept_states
    assert states == {
        "fever": ("present", "absent"),
        "Pain Score": ("0", "1", "2", "3"),
        "sex": ("F", "M"),
        "ward": ("A1", "B2"),
        "blood": ("0", "A", "AB", "B"),
    }
    assert "column 'ward': 1 value(s) in fewer than 5 rows left out" in said
    assert said.splitlines()[-1] == "next: concept-transfer check --config config/study.yaml"


def test_a_rare_value_is_written_nowhere(
    hospital: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main(INIT)
    files = [file.read_text() for file in (hospital / "config").iterdir()]
    assert not [text for text in (*files, capsys.readouterr().out) if "secret" in text]


def test_a_draft_does_not_tell_where_it_was_made(hospital: Path) -> None:
    main(INIT)
    text = (hospital / "config/study.yaml").read_text()
    assert not [folder for folder in (HOME, hospital) if str(folder) in text]


def test_nothing_is_overwritten(hospital: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (hospital / "config").mkdir()
    (hospital / "config/vocabulary.tsv").write_text("mine")
    assert main(INIT) == 1
    assert "nothing is overwritten" in capsys.readouterr().err
    assert [file.name for file in (hospital / "config").iterdir()] == ["vocabulary.tsv"]
    assert (hospital / "config/vocabulary.tsv").read_text() == "mine"


def test_one_table_gets_a_place_for_the_other(hospital: Path) -> None:
    assert main(["init", "north.csv", "--label", "died", "--study", "first"]) == 0
    assert read_study(hospital / "config/first.yaml").sites["other"].path == "other.csv"


def test_an_outcome_that_words_do_not_tell_is_asked_for(
    hospital: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*INIT[:-1], "sex"]) == 1
    assert "--positive" in capsys.readouterr().err
    assert main([*INIT[:-1], "sex", "--positive", "F"]) == 0
    label = yaml.safe_load((hospital / "config/study.yaml").read_text())["sites"]["north"]["label"]
    assert label == {"column": "sex", "positive": ["F"], "negative": ["M"]}


def test_an_outcome_of_several_values_has_classes(hospital: Path) -> None:
    assert main([*INIT[:-1], "blood"]) == 0
    study = read_study(hospital / "config/study.yaml")
    assert study.task.classes == ["0", "A", "AB", "B"]
    check_study(study, hospital)


def test_a_column_that_is_not_there_is_named(
    hospital: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*INIT[:-1], "dead"]) == 1
    assert "north.csv has no column 'dead'" in capsys.readouterr().err
