"""What may be wrong with a MEDS dataset, its labels and a task: said before hours are spent."""

from __future__ import annotations

import importlib.util
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from hypothesis import HealthCheck, settings
from hypothesis import given as generated
from hypothesis import strategies as st
from pydantic import ValidationError
from synthea_meds import write_labels, write_meds
from test_meds import COHORT, TASK, WORDS, an_event, at, dataset, events, findings, read, site

from concept_transfer.errors import StudyError
from concept_transfer.settings.task import Task
from concept_transfer.sites.reading import check_site

__all__ = ["dataset"]
PART = "data/part1/0.parquet"  # holds subjects 1, 3 and 5


def changed(folder: Path, change: Callable[[pa.Table], pa.Table], part: str = PART) -> None:
    table = pq.read_table(folder / part, partitioning=None)
    pq.write_table(change(table), folder / part)


def with_column(name: str, values: Callable[[pa.ChunkedArray], Any]) -> Callable[..., pa.Table]:
    def change(table: pa.Table) -> pa.Table:
        place = table.schema.get_field_index(name)
        return table.set_column(place, name, values(table[name]))

    return change


def nulls_at(rows: set[int]) -> Callable[[pa.ChunkedArray], pa.Array]:
    return lambda column: pa.array(
        [None if i in rows else value for i, value in enumerate(column.to_pylist())], column.type
    )


def refused(folder: Path, says: str, task: Task = TASK, **changes: Any) -> None:
    """The check alone, which reads no row, refuses."""
    with pytest.raises(StudyError, match=says):
        check_site(site(folder, **changes), WORDS, task, folder.parent)


def test_a_folder_without_data(tmp_path: Path) -> None:
    refused(tmp_path, r"is no MEDS dataset: .*in the folder 'data'; 'path' names the folder above")


def test_columns_that_lack_or_have_another_type(dataset: Path) -> None:
    original = pq.read_table(dataset / PART)
    name = r"part1/0\.parquet"
    for change, says in (
        (lambda t: t.drop_columns(["code"]), rf"{name} lacks the column\(s\) code; it has subject"),
        (
            with_column("subject_id", lambda c: c.cast(pa.string())),
            r"'subject_id' is string",
        ),
        (
            with_column("time", lambda c: c.cast(pa.int64())),
            r"'time' is int64, and should",
        ),
        (
            with_column("time", lambda c: c.cast(pa.timestamp("us", "Europe/Berlin"))),
            rf"{name}: column 'time' has the time zone Europe/Berlin; .*none is ever shifted "
            r"silently; .*convert_time_zone",
        ),
        (with_column("numeric_value", lambda c: c.cast(pa.string())), r"'numeric_value' is string"),
        (with_column("unit", lambda c: pa.nulls(len(c), pa.int8())), r"'unit' is int8.*string"),
    ):
        pq.write_table(original, dataset / PART)
        changed(dataset, change)
        refused(dataset, says)
    (dataset / PART).write_bytes((dataset / PART).read_bytes()[:200])
    refused(dataset, rf"{name} cannot be read as a Parquet file; .*copied incompletely")


def test_a_file_damaged_inside(dataset: Path) -> None:
    whole = (dataset / PART).read_bytes()
    (dataset / PART).write_bytes(whole[:60] + b"\xff" * 200 + whole[260:])
    check_site(site(dataset), WORDS, TASK, dataset.parent)
    with pytest.raises(StudyError, match=rf"{dataset.name} cannot be read \(.*copy the dataset ag"):
        read(site(dataset))


def test_a_few_corrupt_rows_are_set_aside_and_many_refused(dataset: Path) -> None:
    changed(dataset, with_column("code", nulls_at({3})))
    rows = (
        pq.read_table(dataset / PART).num_rows
        + pq.read_table(dataset / PART.replace("1", "0", 1)).num_rows
    )
    message = rf"1 of {rows} rows .*1 without a code \(the first: {PART}, row 4\)"
    with pytest.raises(StudyError, match=message):
        read(site(dataset, max_corrupt=0.02))
    extract = read(site(dataset, max_corrupt=0.05))
    assert extract.set_aside.to_pylist() == [{"file": PART, "row": 4, "reason": "without a code"}]
    assert extract.report["quarantined"] == {"without a code": 1}


def test_events_that_equal_another_are_counted(dataset: Path) -> None:
    once = read(site(dataset))
    assert once.report["copies"] == 0
    assert once.report["divided_subjects"] == 0
    assert once.report["warnings"] == []
    changed(dataset, lambda table: pa.concat_tables([table, table.slice(0, 3)]))
    twice = read(site(dataset))
    assert findings(twice) == findings(once)
    assert twice.report["copies"] == 3
    assert any("3 events equal another" in each for each in twice.report["warnings"])
    assert "divided_subjects" in twice.report
    assert twice.report["divided_subjects"] == 0


def test_subjects_in_several_files_are_told(dataset: Path) -> None:
    moved = pq.read_table(dataset / PART, partitioning=None)
    pq.write_table(moved, dataset / "data/part1/copy.parquet")
    extract = read(site(dataset))
    assert extract.report["divided_subjects"] == len(set(moved["subject_id"].to_pylist()))
    assert extract.report["copies"] == len(moved)
    told = extract.report["warnings"][1]
    assert "data/part1/0.parquet and data/part1/copy.parquet among them" in told


def test_columns_without_any_value(dataset: Path) -> None:
    whole = read(site(dataset))
    for part in (PART, PART.replace("1", "0", 1)):
        changed(dataset, with_column("unit", lambda c: pa.nulls(len(c))), part)
        changed(dataset, lambda t: t.drop_columns(["numeric_value"]), part)
    (dataset / "metadata/codes.parquet").unlink()
    extract = read(site(dataset, units={}))
    assert extract.encounters.table.equals(whole.encounters.table)
    assert findings(extract)[1] == {"female", "young"}


def test_a_birth_after_events(tmp_path: Path) -> None:
    folder = write_meds(
        tmp_path / "site", [*events(), an_event(6, 50, "DX//R05"), an_event(6, 60, "MEDS_BIRTH")]
    )
    extract = read(site(folder, max_corrupt=0.1))
    assert extract.set_aside["reason"].to_pylist() == ["before the birth of the patient"]
    with pytest.raises(
        StudyError, match=r"1 before the birth of the patient \(the first: data/part0"
    ):
        read(site(folder))


def test_codes_that_match_nothing(dataset: Path) -> None:
    with pytest.raises(StudyError, match=r"index: no event .* 'VISITS//\*' \(nearest are VIS"):
        read(site(dataset, cohort=COHORT | {"index": ["VISITS//*"]}))
    with pytest.raises(StudyError, match=r"cohort.outcome: .*'DX//J1' \(nearest are .*DX//J10"):
        read(site(dataset, cohort=COHORT | {"outcome": ["DX//J1"]}))
    with pytest.raises(StudyError, match=r"units: 'LAB//puls' is neither .*nearest are LAB//pulse"):
        read(site(dataset, units={"LAB//puls": {"/min": 1}}))


def test_units_that_are_mixed(dataset: Path) -> None:
    for units in ({}, {"LAB//pulse": {"/min": 1}}):
        with pytest.raises(
            StudyError, match=r"concept LAB//pulse .*1 of code LAB//pulse in /s.*No unit is"
        ):
            read(site(dataset, units=units))
    monitor = [an_event(3, 99, "LAB//monitor", 2.0, "/s")]
    parents = {"LAB//monitor": ["LAB//pulse"]}
    other = write_meds(dataset.parent / "other", events() + monitor, parents=parents)
    of_concept = {"LAB//pulse": {"/min": 1, "/s": 60}}
    two_codes = [e for e in events() if e[2] != "LAB//pulse" or e[4] == "/min"] + monitor
    mixed = write_meds(dataset.parent / "mixed", two_codes, parents=parents)
    with pytest.raises(StudyError, match=r"of code LAB//pulse in /min.*of code LAB//monitor in /s"):
        read(site(mixed, units={}))
    assert {"slow"} <= findings(read(site(other, units=of_concept)))[1]
    assert {"fast"} <= findings(read(site(other, units=of_concept)))[2]
    of_code = of_concept | {"LAB//monitor": {"/s": 1}}
    assert {"slow"} <= findings(read(site(other, units=of_code)))[2]
    without = site(dataset, units={}, unit_column=None)
    assert "slow" in findings(read(without))[1]


def test_an_empty_cohort(dataset: Path, tmp_path: Path) -> None:
    with pytest.raises(StudyError, match=r"cohort is empty: 4 observed for too short"):
        read(site(dataset, cohort=COHORT | {"min_history_days": 5000}))
    labels = write_labels(tmp_path / "l.parquet", [(9, at(1), True)])
    with pytest.raises(StudyError, match=r"cohort is empty: 1 labels of patients without events"):
        read(site(dataset, labels=str(labels)))


def test_labels_that_cannot_be_used(dataset: Path, tmp_path: Path) -> None:
    rows = [(1, at(100), True), (2, at(100), False)]
    path = tmp_path / "labels.parquet"
    refused(dataset, r"none.parquet does not exist", labels=str(tmp_path / "none.parquet"))
    write_labels(path, [(*row[:2], 1.5) for row in rows], "float_value")
    refused(dataset, r"no label that can be a class.*float_value is a number", labels=str(path))
    write_labels(path, rows)
    zoned = pq.read_table(path)
    place = zoned.schema.get_field_index("prediction_time")
    times = zoned["prediction_time"].cast(pa.timestamp("us", "UTC"))
    pq.write_table(zoned.set_column(place, "prediction_time", times), path)
    refused(dataset, r"column 'prediction_time' has the time zone UTC; .*convert", labels=str(path))

    for given, kind, says in (
        (
            [*rows, (1, at(100), False)],
            "boolean_value",
            r"row 1 has the subject and the",
        ),
        (
            [(1, at(1), 0), (2, at(2), 2)],
            "integer_value",
            r"row 2 is none of the 2 .*no flu",
        ),
        ([(1, at(1), "yes")], "categorical_value", r"row 1 is none of the 2 classes"),
    ):
        write_labels(path, given, kind)
        with pytest.raises(StudyError, match=says):
            read(site(dataset, labels=str(path)))
    write_labels(path, rows)
    with pytest.raises(StudyError, match=r"row 1 is none of the 3 classes .*is for two"):
        read(site(dataset, labels=str(path)), Task(label="flu", classes=["a", "b", "c"]))


def test_subjects_in_two_splits(dataset: Path) -> None:
    changed(dataset, lambda t: pa.concat_tables([t, t]), "metadata/subject_splits.parquet")
    with pytest.raises(StudyError, match=r"subject_splits.parquet has subjects in several rows"):
        read(site(dataset))


def test_a_task_that_aces_cannot_run(
    dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = tmp_path / "task.yaml"
    task.write_text("windows: [")
    refused(dataset, r"task.yaml cannot be read as YAML", aces=str(task))
    task.write_text("a: 1")
    refused(dataset, r"no task config of ACES: .*'windows'", aces=str(task))
    window = {"start": None, "end": "trigger", "start_inclusive": True, "end_inclusive": True}
    task.write_text(yaml.safe_dump({"windows": {"a": window}}))
    refused(dataset, r"does not say the prediction time: .*'index_timestamp'", aces=str(task))
    whole = {"a": window | {"index_timestamp": "end"}, "b": window | {"label": "flu"}}
    task.write_text(yaml.safe_dump({"windows": whole, "trigger": "x", "predicates": {}}))
    with pytest.raises(StudyError, match=r"aces: .*task.yaml cannot be applied to .*0.parquet: "):
        read(site(dataset, aces=str(task)))
    other = dataset / PART.replace("1", "0", 1)
    pq.write_table(pa.concat_tables(map(pq.read_table, (other, dataset / PART))), other)
    with pytest.raises(StudyError, match=r"aces: some subjects have events in several files"):
        read(site(dataset, aces=str(task)))
    found = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == "aces" else found(name)
    )
    refused(dataset, r"not installed; pip install 'concept-transfer\[meds\]'", aces=str(task))


def test_a_section_has_one_cohort() -> None:
    for changes in ({"cohort": None}, {"labels": "x"}, {"window": {"look_back_days": 3}}):
        with pytest.raises(ValidationError, match=r"give one of labels|window goes with labels"):
            site(Path("x"), **{"cohort": COHORT} | changes)


def test_more_classes_than_a_cohort_by_codes_has(dataset: Path) -> None:
    task = Task(label="flu", classes=["a", "b", "c"])
    refused(dataset, r"a cohort by codes or by ACES has two classes", task)
    refused(dataset, r"age: the concept DX//R05 has no bins", age="DX//R05")


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@generated(
    st.lists(
        st.tuples(
            st.integers(1, 4),
            st.sampled_from([100, 100.001, 101, 130, 500]),
            st.sampled_from(["DX//R05", "DX//R50", "LAB//pulse"]),
        ),
        max_size=30,
    )
)
def test_what_happens_from_the_index_on_is_no_finding(
    tmp_path_factory: pytest.TempPathFactory, later: list[tuple[int, float, str]]
) -> None:
    folder = tmp_path_factory.mktemp("later") / "site"
    before = read(site(write_meds(folder, events())))
    shutil.rmtree(folder)
    more = [an_event(subject, day, code, 300.0, "/min") for subject, day, code in later]
    after = read(site(write_meds(folder, events() + more)))
    assert after.inputs["findings"].equals(before.inputs["findings"])
    assert after.encounters.table.equals(before.encounters.table)
