"""The tabular adapter: the same table in every format, and an error for every defect."""

import datetime
from pathlib import Path
from typing import Any

import numpy as np
import openpyxl
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from concept_transfer.concepts.vocabulary import Vocabulary
from concept_transfer.errors import StudyError
from concept_transfer.settings.task import Task
from concept_transfer.sites.extract import Extract
from concept_transfer.sites.reading import check_site, read_site
from concept_transfer.sites.tabular_site import TabularSite

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
        "ignore_columns": ["note"],
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


def read(config: TabularSite, root: Path, task: Task = TASK) -> Extract:
    check_site(config, VOCABULARY, Task(label="influenza"), root)
    extract = read_site(config, VOCABULARY, task, root)
    extract.validate("the site", VOCABULARY)
    return extract


def states(extract: Extract) -> list[list[tuple[str, str]]]:
    return [[TOKENS[token] for token in tokens] for tokens in extract.inputs["findings"]]


@pytest.mark.parametrize("name", ["t.csv", "t.parquet", "t.xlsx"])
def test_a_table_reads_alike_in_every_format(tmp_path: Path, name: str) -> None:
    write(FRAME, tmp_path / name)
    extract = read(site(name), tmp_path)
    assert extract.encounters.table.to_pydict() == {
        "encounter": ["a", "b", "d"],
        "patient": ["p1", "p1", "p3"],
        "cluster": ["p1", "p1", "p3"],
        "time": [datetime.date(2020, 1, 31), datetime.date(2020, 2, 1), datetime.date(2021, 3, 4)],
        "label": [1, 0, 0],
        "partition": [None, None, None],
    }
    assert states(extract) == [
        [("C1", "present"), ("C2", "present"), ("T", "high")],
        [("C1", "absent"), ("C2", "absent"), ("T", "low")],
        [("C2", "present")],
    ]
    assert extract.report == {
        "rows_read": 4,
        "dropped": {"flu is M": 1},
        "encounters": 3,
        "positives": 1,
        "prevalence": pytest.approx(1 / 3),
        "unmapped": {},
        "not_recorded": {"C1": 1, "T": 1},
        "classes": {"no y": 2, "y": 1},
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
    text = read(site("text.csv"), tmp_path)
    extract = read(site(name), tmp_path)
    assert extract.encounters.table.equals(text.encounters.table)
    assert states(extract) == states(text)


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
    extract = read(config, tmp_path)
    meaning = {"p": "present", "a": "absent", "hot": "high", "warm": "low"}
    expected = [
        [(c, meaning[v.strip().lower()]) for c, v in (("C1", c1), ("T", t)) if v]
        for c1, t in zip(frame["C1"], frame["T"], strict=True)
    ]
    assert states(extract) == expected
    assert extract.encounters.labels.tolist() == (frame["flu"] == "I").astype(int).tolist()
    ids = [f"t:{row}" for row in range(1, count + 1)]
    assert extract.encounters.table.column("encounter").to_pylist() == ids
    assert extract.encounters.table.column("cluster").to_pylist() == ids


def test_files_of_partitions_are_joined_in_order(tmp_path: Path) -> None:
    for folder, rows in (("train", slice(0, 2)), ("test", slice(2, 4))):
        (tmp_path / folder).mkdir()
        write(FRAME[rows], tmp_path / folder / "t.csv")
    config = site("", path=None, train=["train/t.csv"], test=["test/t.csv"], encounter=None)
    config = config.model_copy(update={"ignore_columns": ["id", "note"]})
    extract = read(config, tmp_path)
    assert extract.encounters.table.column("partition").to_pylist() == ["train", "train", "test"]
    assert extract.encounters.table.column("encounter").to_pylist() == [
        "train/t.csv:1",
        "train/t.csv:2",
        "test/t.csv:2",
    ]
    assert extract.report["rows_read"] == 4


def test_partition_and_cluster_columns(tmp_path: Path) -> None:
    frame = FRAME.assign(part=["Train", "test", "", ""], ward=["w", "w", "v", "v"])
    write(frame, tmp_path / "t.csv")
    extract = read(site("t.csv", partition="part", cluster="ward"), tmp_path)
    assert extract.encounters.table.column("partition").to_pylist() == ["train", "test", None]
    assert extract.encounters.table.column("cluster").to_pylist() == ["w", "w", "v"]


def test_a_crosswalk_renames_and_joins_columns(tmp_path: Path) -> None:
    frame = FRAME.rename(columns={"C1": "cough_dry", "C2": "cough_wet", "T": "temp"})
    write(frame, tmp_path / "t.csv")
    crosswalk = tmp_path / "walk.tsv"
    crosswalk.write_text("site_code\tconcept\ncough_dry\tC1\ncough_wet\tC1\ntemp\tT\n")
    extract = read(site("t.csv", crosswalk="walk.tsv", ignore_columns=[]), tmp_path)
    assert states(extract) == [
        [("C1", "present"), ("T", "high")],
        [("C1", "absent"), ("T", "low")],
        [("C1", "present")],
    ]
    assert extract.report["unmapped"] == {"note": 2}
    assert extract.report["not_recorded"] == {"C2": 3, "T": 1}
    assert extract.report["mapping"] == {
        "codes": {"mapped": 3, "set_aside": 0, "unmapped": 1},
        "values": {"mapped": 7, "set_aside": 0, "unmapped": 2},
        "mapped_codes": {"cough_dry": 2, "cough_wet": 3, "temp": 2},
        "encounters": 3,
        "encounters_mapped": 3,
    }
    crosswalk.write_text("site_code\tconcept\ncough_dry\tC9\n")
    with pytest.raises(StudyError, match=r"walk\.tsv, line 2: .*no concept 'C9'"):
        check_site(
            site("t.csv", crosswalk="walk.tsv"), VOCABULARY, Task(label="influenza"), tmp_path
        )


def test_a_column_of_one_state_and_a_column_without_a_concept(tmp_path: Path) -> None:
    frame = pd.DataFrame(
        {
            "flu": ["I", "R", "R", "R"],
            "febrile": ["yes", "no", "", "P"],
            "temp": ["warm", "", "", "hot"],
            "cough_a": ["A", "P", "", ""],
            "room": ["3", "4", "", "5"],
            "other": ["", "", "x", ""],
        }
    )
    write(frame, tmp_path / "t.csv")
    header = "site_code\tconcept\tstate\trelation\n"
    (tmp_path / "walk.tsv").write_text(
        header + "febrile\tT\thigh\tbroader\ntemp\tT\t\t\ncough*\tC1\t\t\nroom\t\t\tnone\n"
    )
    plain: dict[str, Any] = {"encounter": None, "patient": None, "time": None, "ignore_columns": []}
    extract = read(site("t.csv", crosswalk="walk.tsv", **plain), tmp_path)
    assert states(extract) == [
        [("C1", "absent"), ("T", "high")],
        [("C1", "present")],
        [],
        [("T", "high")],
    ]
    assert extract.report["unmapped"] == {"other": 1}
    assert extract.report["mapping"] == {
        "codes": {"mapped": 3, "set_aside": 1, "unmapped": 1},
        "values": {"mapped": 6, "set_aside": 3, "unmapped": 1},
        "mapped_codes": {"cough_a": 2, "febrile": 2, "temp": 2},
        "encounters": 4,
        "encounters_mapped": 3,
    }
    plain |= {"spelling": {"not recorded": [""], "absent": ["no"]}}
    with pytest.raises(StudyError, match=r"walk\.tsv, line 2: state 'high' .* 'present', which"):
        read(site("t.csv", crosswalk="walk.tsv", **plain), tmp_path)


def test_a_task_leaves_out_and_fills_in(tmp_path: Path) -> None:
    write(FRAME, tmp_path / "t.csv")
    task = Task(label="flu", exclude_categories=["temperature"], not_recorded="absent")
    extract = read(site("t.csv"), tmp_path, task)
    assert states(extract)[2] == [("C1", "absent"), ("C2", "present")]


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
    ({"patient": "Who"}, r"no column 'Who', which 'patient' names; .*did you mean 'who'\?"),
    ({"ignore_columns": []}, r"t\.csv: no concept .* column\(s\) 'note';.*\[.note.\]"),
]


@pytest.mark.parametrize(("changes", "said"), BAD_HEADERS)
def test_headers_are_checked_without_reading_rows(
    tmp_path: Path, changes: dict[str, Any], said: str
) -> None:
    write(FRAME, tmp_path / "t.csv")
    (tmp_path / "t.sav").touch()
    with pytest.raises(StudyError, match=said):
        check_site(site("t.csv", **changes), VOCABULARY, Task(label="influenza"), tmp_path)


@pytest.mark.parametrize("name", ["C_1", "c1", "name of C1", "Name of c1"])
@pytest.mark.parametrize("suffix", ["csv", "parquet", "xlsx"])
def test_a_misspelt_column_is_refused_with_the_concept_it_is_like(
    tmp_path: Path, name: str, suffix: str
) -> None:
    write(FRAME.rename(columns={"C1": name}), tmp_path / f"t.{suffix}")
    said = rf"t\.{suffix}: .* '{name}' \(did you mean 'C1'\?\); .* under ignore_columns$"
    with pytest.raises(StudyError, match=said):
        check_site(site(f"t.{suffix}"), VOCABULARY, TASK, tmp_path)
    ignored = site(f"t.{suffix}", ignore_columns=["note", name])
    assert read(ignored, tmp_path).report["not_recorded"]["C1"] == 3


def test_columns_that_differ_in_case_do_not_pass_for_each_other(tmp_path: Path) -> None:
    write(FRAME.assign(c1=FRAME["C1"]), tmp_path / "t.csv")
    with pytest.raises(StudyError, match=r"'c1' \(did you mean 'C1'\?\)"):
        check_site(site("t.csv"), VOCABULARY, TASK, tmp_path)


def test_what_programs_add_to_a_table_is_no_column(tmp_path: Path) -> None:
    """An index of pandas, a comma at the end of every line, numbers as names in a spreadsheet."""
    expected = read(site(write(FRAME, tmp_path / "t.csv").name), tmp_path)
    FRAME.set_index(np.array([3, 1, 2, 5])).to_parquet(tmp_path / "index.parquet")
    FRAME.to_csv(tmp_path / "index.csv")
    lines = (tmp_path / "t.csv").read_text().splitlines()
    (tmp_path / "comma.csv").write_text("".join(f"{line},\n" for line in lines))
    write(FRAME.rename(columns={"note": 7, "C1": " C1 "}), tmp_path / "names.xlsx")
    for name in ("index.parquet", "index.csv", "comma.csv", "names.xlsx"):
        extract = read(site(name, ignore_columns=["note", "7"]), tmp_path)
        assert extract.encounters.table.equals(expected.encounters.table)
        assert states(extract) == states(expected)


HEADLESS = [
    "a,p1,2020-01-31,I,hot,P,1,x\nb,p2,2020-02-01,R,warm,A,0,y\n",
    "1,0,1\n0,1,0\n",
    "secret,3.5,17\nsecret,2.5,18\n",
]


@pytest.mark.parametrize("text", HEADLESS)
def test_a_file_without_a_header_is_recognised(tmp_path: Path, text: str) -> None:
    (tmp_path / "t.csv").write_text(text)
    with pytest.raises(StudyError, match=r"first line looks like a row of data .*'flu'") as error:
        check_site(site("t.csv"), VOCABULARY, TASK, tmp_path)
    assert "secret" not in str(error.value)
    (tmp_path / "t.csv").write_text("age,sex,ward\n" + text)
    with pytest.raises(StudyError, match=r"no column 'flu'.*it has age, sex, ward"):
        check_site(site("t.csv"), VOCABULARY, TASK, tmp_path)


TYPES = [
    ("C1", pa.array([datetime.date(2020, 1, 31)] * 4), "'C1' holds dates or times .*date32"),
    ("C2", pa.array([0] * 4, pa.timestamp("us")), "'C2' holds dates or times .*timestamp"),
    ("C1", pa.array([["1"], ["0"], [], None]), "'C1' holds values of the type list"),
    ("C1", pa.array([{"a": 1}] * 4), "'C1' holds values of the type struct"),
    ("C1", pa.array([b"1", b"0", b"1", b"P"]), "'C1' holds values of the type binary"),
    ("id", pa.array([["1"], ["0"], [], None]), "'id' holds values of the type list"),
    ("who", pa.array([1, None, 2, None]), r"'who' is empty in 2 row\(s\), but 'patient'"),
    ("id", pa.array(["a", "b", None, "d"]), r"'id' is empty in 1 row\(s\), but 'encounter'"),
    ("ward", pa.nulls(4, pa.string()), r"'ward' is empty in 4 row\(s\), but 'cluster'"),
]


@pytest.mark.parametrize(("column", "cells", "said"), TYPES)
def test_parquet_columns_are_checked_without_reading_rows(
    tmp_path: Path, column: str, cells: pa.Array, said: str
) -> None:
    table = pa.Table.from_pandas(FRAME.assign(ward="w"), preserve_index=False)
    changed = table.set_column(table.column_names.index(column), column, cells)
    pq.write_table(changed, tmp_path / "t.parquet", row_group_size=2)
    with pytest.raises(StudyError, match=rf"t\.parquet, column {said}"):
        check_site(site("t.parquet", cluster="ward"), VOCABULARY, TASK, tmp_path)


def test_types_that_databases_export_read_like_text(tmp_path: Path) -> None:
    write(FRAME.assign(C1=["1", "0", "1", ""]), tmp_path / "t.csv")
    text = read(site("t.csv"), tmp_path)
    table = pa.Table.from_pandas(FRAME, preserve_index=False)
    days = [datetime.datetime.fromisoformat(day) if day else None for day in FRAME["day"]]
    for kind in (pa.decimal128(5, 2), pa.int8(), pa.float32()):
        cells = pa.array([1, 0, 1, None], pa.int8()).cast(pa.float32()).cast(kind)
        for time in (pa.timestamp("ns"), pa.timestamp("s"), pa.date32(), pa.date64()):
            typed = table.set_column(6, "C1", cells).set_column(2, "day", pa.array(days).cast(time))
            pq.write_table(typed, tmp_path / "t.parquet")
            extract = read(site("t.parquet"), tmp_path)
            assert extract.encounters.table.equals(text.encounters.table)
            assert states(extract) == states(text)


def test_a_site_without_any_finding_is_refused(tmp_path: Path) -> None:
    empty = FRAME.assign(C1="", C2="NA", T="")
    write(empty, tmp_path / "t.csv")
    for not_recorded in ("omit", "absent"):
        task = Task(label="flu", not_recorded=not_recorded)
        with pytest.raises(StudyError, match="no encounter of this site records a finding"):
            read(site("t.csv"), tmp_path, task)
    write(empty.assign(C1=FRAME["C1"]), tmp_path / "t.csv")
    read(site("t.csv"), tmp_path)


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
    extract = read(config, tmp_path)
    assert states(extract) == [[("C1", "present")], [("C1", "absent")]]


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
    extract = read_site(config, vocabulary, TASK, repository)
    raw = pd.read_csv(test, dtype=str, keep_default_na=False)
    assert extract.report["positives"] == (raw["diagnosis"] == "I").sum()
    assert extract.report["unmapped"] == {}
    counts = np.bincount(extract.inputs["findings"].values, minlength=len(vocabulary))
    assert (extract.inputs["findings"].lengths == 63).all()
    for concept in raw.columns.drop("diagnosis"):
        spelled = graded.get(concept, {"present": ["P"], "absent": ["A"]})
        for state, [spelling] in spelled.items():
            assert counts[vocabulary.token(concept, state)] == (raw[concept] == spelling).sum()
