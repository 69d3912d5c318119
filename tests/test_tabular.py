"""The tabular adapter: the same table in every format, and an error for every defect."""

import datetime
from pathlib import Path
from typing import Any

import numpy as np
import openpyxl
import pandas as pd
import pytest

from concept_transfer.concepts.vocabulary import Vocabulary
from concept_transfer.errors import StudyError
from concept_transfer.settings.sites import TabularSite, Task
from concept_transfer.sites.adapters import check_site, read_site
from concept_transfer.sites.encounters import Encounters

TOKENS = [
    ("C1", "present"),
    ("C1", "absent"),
    ("C2", "present"),
    ("C2", "absent"),
    ("T", "high"),
    ("T", "low"),
]
VOCABULARY = Vocabulary(
    tuple(c for c, _ in TOKENS),
    tuple(f"name of {c}" for c, _ in TOKENS),
    tuple("temperature" if c == "T" else "finding" for c, _ in TOKENS),
    tuple(s for _, s in TOKENS),
    tuple(f"{c} {s}" for c, s in TOKENS),
)
TASK = Task(label="y")
FRAME = pd.DataFrame(
    {
        "id": ["a", "b", "c", "d"],
        "who": ["p1", "p1", "p2", "p3"],
        "day": ["2020-01-31", "2020-02-01", "", "2021-03-04"],
        "flu": ["I", "R", "M", "R"],
        "T": ["hot", "warm", "hot", ""],
        "C2": ["P", "A", "P", "yes"],
        "C1": ["1", "0", "1", "NA"],
        "note": ["x", "", "y", "z"],
    }
)


def site(file: str, **changes: Any) -> TabularSite:
    values = {
        "adapter": "tabular",
        "path": file,
        "label": {"column": "flu", "positive": ["i"], "negative": ["R"], "drop": ["M"]},
        "encounter": "id",
        "patient": "who",
        "time": "day",
        "concept_spelling": {"T": {"high": ["hot"], "low": ["warm"]}},
    }
    return TabularSite.model_validate(values | changes)


def write(frame: pd.DataFrame, path: Path) -> Path:
    if path.suffix == ".csv":
        frame.to_csv(path, index=False)
    elif path.suffix == ".xlsx":
        frame.to_excel(path, index=False)
    else:
        frame.to_parquet(path)
    return path


def read(config: TabularSite, root: Path, task: Task = TASK) -> tuple[Encounters, dict[str, Any]]:
    check_site(config, VOCABULARY, Task(label="influenza"), root)
    encounters, report = read_site(config, VOCABULARY, task, root)
    encounters.validate("the site")
    return encounters, report


def states(encounters: Encounters) -> list[list[tuple[str, str]]]:
    ends = encounters.offsets
    return [
        [TOKENS[token] for token in encounters.tokens[ends[i] : ends[i + 1]]]
        for i in range(len(encounters))
    ]


@pytest.mark.parametrize("name", ["t.csv", "t.parquet", "t.xlsx"])
def test_a_table_reads_alike_in_every_format(tmp_path: Path, name: str) -> None:
    write(FRAME, tmp_path / name)
    encounters, report = read(site(name), tmp_path)
    assert encounters.table.to_pydict() == {
        "encounter": ["a", "b", "d"],
        "patient": ["p1", "p1", "p3"],
        "cluster": ["p1", "p1", "p3"],
        "time": [datetime.date(2020, 1, 31), datetime.date(2020, 2, 1), datetime.date(2021, 3, 4)],
        "label": [1, 0, 0],
        "partition": [None, None, None],
    }
    assert states(encounters) == [
        [("C1", "present"), ("C2", "present"), ("T", "high")],
        [("C1", "absent"), ("C2", "absent"), ("T", "low")],
        [("C2", "present")],
    ]
    assert report == {
        "rows_read": 4,
        "dropped": {"flu is M": 1},
        "encounters": 3,
        "positives": 1,
        "prevalence": pytest.approx(1 / 3),
        "unmapped": {"note": 3},
        "not_recorded": {"C1": 1, "T": 1},
    }


@pytest.mark.parametrize("name", ["t.parquet", "t.xlsx"])
def test_typed_columns_read_like_text(tmp_path: Path, name: str) -> None:
    typed = FRAME.assign(
        C1=[1.0, 0.0, 1.0, np.nan],
        C2=[True, False, True, True],
        day=pd.to_datetime(FRAME["day"], errors="coerce"),
        who=[1, 1, 2, 3],
    )
    write(FRAME.assign(who=["1", "1", "2", "3"]), tmp_path / "text.csv")
    write(typed, tmp_path / name)
    text, _ = read(site("text.csv"), tmp_path)
    encounters, _ = read(site(name), tmp_path)
    assert encounters.table.equals(text.table)
    assert states(encounters) == states(text)


def test_values_of_a_random_table_arrive(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    count = 2000
    frame = pd.DataFrame(
        {
            "flu": rng.choice(["I", "R"], count),
            "C1": rng.choice([" P", "a", "P ", "A", ""], count),
            "T": rng.choice(["hot", "warm", ""], count),
        }
    )
    write(frame, tmp_path / "t.csv")
    config = site("t.csv", encounter=None, patient=None, time=None)
    encounters, _ = read(config, tmp_path)
    meaning = {"p": "present", "a": "absent", "hot": "high", "warm": "low"}
    expected = [
        [(c, meaning[v.strip().lower()]) for c, v in (("C1", c1), ("T", t)) if v]
        for c1, t in zip(frame["C1"], frame["T"], strict=True)
    ]
    assert states(encounters) == expected
    assert encounters.labels.tolist() == (frame["flu"] == "I").astype(int).tolist()
    ids = [f"t:{row}" for row in range(1, count + 1)]
    assert encounters.table.column("encounter").to_pylist() == ids
    assert encounters.table.column("cluster").to_pylist() == ids


def test_files_of_partitions_are_joined_in_order(tmp_path: Path) -> None:
    for folder, rows in (("train", slice(0, 2)), ("test", slice(2, 4))):
        (tmp_path / folder).mkdir()
        write(FRAME[rows], tmp_path / folder / "t.csv")
    config = site("", path=None, train=["train/t.csv"], test=["test/t.csv"], encounter=None)
    encounters, report = read(config, tmp_path)
    assert encounters.table.column("partition").to_pylist() == ["train", "train", "test"]
    assert encounters.table.column("encounter").to_pylist() == [
        "train/t.csv:1",
        "train/t.csv:2",
        "test/t.csv:2",
    ]
    assert report["rows_read"] == 4


def test_partition_and_cluster_columns(tmp_path: Path) -> None:
    frame = FRAME.assign(part=["Train", "test", "", ""], ward=["w", "w", "v", "v"])
    write(frame, tmp_path / "t.csv")
    encounters, _ = read(site("t.csv", partition="part", cluster="ward"), tmp_path)
    assert encounters.table.column("partition").to_pylist() == ["train", "test", None]
    assert encounters.table.column("cluster").to_pylist() == ["w", "w", "v"]


def test_a_crosswalk_renames_and_joins_columns(tmp_path: Path) -> None:
    frame = FRAME.rename(columns={"C1": "cough_dry", "C2": "cough_wet", "T": "temp"})
    write(frame, tmp_path / "t.csv")
    crosswalk = tmp_path / "walk.tsv"
    crosswalk.write_text("site_code\tconcept\ncough_dry\tC1\ncough_wet\tC1\ntemp\tT\n")
    encounters, report = read(site("t.csv", crosswalk="walk.tsv"), tmp_path)
    assert states(encounters) == [
        [("C1", "present"), ("T", "high")],
        [("C1", "absent"), ("T", "low")],
        [("C1", "present")],
    ]
    assert report["unmapped"] == {"note": 3}
    assert report["not_recorded"] == {"C2": 3, "T": 1}
    crosswalk.write_text("site_code\tconcept\ncough_dry\tC9\n")
    with pytest.raises(StudyError, match=r"walk\.tsv, line 2: .*no concept 'C9'"):
        check_site(
            site("t.csv", crosswalk="walk.tsv"), VOCABULARY, Task(label="influenza"), tmp_path
        )


def test_a_task_leaves_out_and_fills_in(tmp_path: Path) -> None:
    write(FRAME, tmp_path / "t.csv")
    task = Task(label="flu", exclude_categories=["temperature"], not_recorded="absent")
    encounters, _ = read(site("t.csv"), tmp_path, task)
    assert states(encounters)[2] == [("C1", "absent"), ("C2", "present")]


BAD_HEADERS: list[tuple[dict[str, Any], str]] = [
    ({"path": "none.csv"}, r"none\.csv does not exist"),
    ({"path": "t.sav"}, r"t\.sav.*\.csv, \.parquet, \.xlsx"),
    ({"encounter": "ID"}, "no column 'ID', which 'encounter' names; it has id, who, day"),
    (
        {"label": {"column": "y", "positive": ["1"], "negative": ["0"]}},
        r"no column 'y', which 'label\.column' names",
    ),
    (
        {"label": {"column": "flu", "positive": ["I"], "negative": ["i"]}},
        "'i' spells both 'positive' and 'negative'",
    ),
    ({"concept_spelling": {"T": {"hot": ["x"]}}}, "no state 'hot'; its states are high, low"),
    ({"concept_spelling": {"T2": {"high": ["x"]}}}, "no concept 'T2'.*nearest"),
    ({"ignore_columns": ["C1", "C2", "T"]}, "no column is a known finding.*note.*C1, C2, T"),
    ({"crosswalk": "none.tsv"}, r"none\.tsv does not exist"),
]


@pytest.mark.parametrize(("changes", "said"), BAD_HEADERS)
def test_headers_are_checked_without_reading_rows(
    tmp_path: Path, changes: dict[str, Any], said: str
) -> None:
    write(FRAME, tmp_path / "t.csv")
    (tmp_path / "t.sav").touch()
    with pytest.raises(StudyError, match=said):
        check_site(site("t.csv", **changes), VOCABULARY, Task(label="influenza"), tmp_path)


def test_files_with_different_columns_are_refused(tmp_path: Path) -> None:
    write(FRAME, tmp_path / "a.csv")
    write(FRAME.drop(columns="C1"), tmp_path / "b.csv")
    config = site("", path=None, train=["a.csv"], test=["b.csv"])
    with pytest.raises(StudyError, match=r"b\.csv and .*a\.csv differ in the column\(s\) C1"):
        check_site(config, VOCABULARY, Task(label="influenza"), tmp_path)


def test_broken_files_say_so(tmp_path: Path) -> None:
    for name in ("t.parquet", "t.xlsx"):
        (tmp_path / name).write_text("this is text")
        with pytest.raises(StudyError, match=f"{name} cannot be read as"):
            check_site(site(name), VOCABULARY, Task(label="influenza"), tmp_path)
    (tmp_path / "t.csv").write_text("id,id,flu\n")
    with pytest.raises(StudyError, match="id occur more than once"):
        check_site(site("t.csv"), VOCABULARY, Task(label="influenza"), tmp_path)
    write(FRAME, tmp_path / "t.csv")
    with (tmp_path / "t.csv").open("a") as file:
        file.write("secret,p9,2020-01-01,I\n")
    with pytest.raises(StudyError, match=r"t\.csv, line 6: .*8 UTF-8 cells") as error:
        read(site("t.csv"), tmp_path)
    assert "secret" not in str(error.value)
    (tmp_path / "t.csv").write_bytes(b"flu,C1\nI,P\nR,\xff\n")
    config = site("t.csv", encounter=None, patient=None, time=None, concept_spelling={})
    with pytest.raises(StudyError, match=r"t\.csv, line 3: .*2 UTF-8 cells"):
        read(config, tmp_path)


BAD_ROWS = [
    ("C1", "perhaps", r"row 2, column 'C1': .*spellings, which are 'present', 'p', '1'"),
    ("T", "tepid", "row 2, column 'T': .*'hot', 'warm'"),
    ("flu", "influenza", "row 2, column 'flu': .*'i', 'r', 'm'"),
    ("day", "31.1.2020", "row 2, column 'day': .*YYYY-MM-DD"),
    ("who", "", "row 2, column 'who': .*empty, but 'patient'"),
    ("id", "", "row 2, column 'id': .*empty, but 'encounter'"),
]


@pytest.mark.parametrize(("column", "value", "said"), BAD_ROWS)
def test_a_bad_cell_is_named_and_shown_only_if_asked(
    tmp_path: Path, column: str, value: str, said: str
) -> None:
    frame = FRAME.copy()
    frame.loc[1, column] = value
    write(frame, tmp_path / "t.csv")
    with pytest.raises(StudyError, match=rf"t\.csv, {said}") as hidden:
        read(site("t.csv"), tmp_path)
    assert not value or f"'{value}'" not in str(hidden.value)
    with pytest.raises(StudyError, match=f"'{value}'"):
        read(site("t.csv", show_values=True), tmp_path)


def test_repeated_encounter_ids_name_files_and_rows(tmp_path: Path) -> None:
    write(FRAME[:2], tmp_path / "a.csv")
    write(FRAME[2:].assign(id=["x", "a"]), tmp_path / "b.csv")
    config = site("", path=None, train=["a.csv"], test=["b.csv"])
    with pytest.raises(StudyError, match=r"a\.csv, row 1; .*b\.csv, row 2 \(2 row") as error:
        read(config, tmp_path)
    assert "'a'" not in str(error.value)


def test_a_spreadsheet_with_formatting_rows_below_is_read(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.append(["flu", "C1", None])
    sheet.append(["I", 1, None])
    sheet.append(["R", 0.0, None])
    book.save(tmp_path / "t.xlsx")
    config = site("t.xlsx", encounter=None, patient=None, time=None, concept_spelling={})
    encounters, _ = read(config, tmp_path)
    assert states(encounters) == [[("C1", "present")], [("C1", "absent")]]


def test_the_published_simulated_counties(shared_data: Path, repository: Path) -> None:
    """Counts of the raw files, read independently of the adapter."""
    vocabulary = Vocabulary.read(repository / "resources/concepts/influenza.tsv")
    [test] = (shared_data / "county-simulation/target_test").glob("*.csv")
    graded = {
        "C0424781": {"high": ["P"], "low": ["A"], "inconsequential": ["I"]},
        "agegroup": {"child": ["ls5"], "adult": ["ge6ls65"], "elderly": ["ge64"]},
    }
    label = {"column": "diagnosis", "positive": ["I"], "negative": ["R", "P", "M"]}
    config = TabularSite.model_validate(
        {"adapter": "tabular", "test": [str(test)], "label": label, "concept_spelling": graded}
    )
    encounters, report = read_site(config, vocabulary, TASK, repository)
    raw = pd.read_csv(test, dtype=str, keep_default_na=False)
    assert report["positives"] == (raw["diagnosis"] == "I").sum()
    assert report["unmapped"] == {}
    counts = np.bincount(encounters.tokens, minlength=len(vocabulary))
    assert (np.diff(encounters.offsets) == 63).all()
    for concept in raw.columns.drop("diagnosis"):
        spelled = graded.get(concept, {"present": ["P"], "absent": ["A"]})
        for state, [spelling] in spelled.items():
            assert counts[vocabulary.token(concept, state)] == (raw[concept] == spelling).sum()
