"""Findings in long tables: the same encounters as a wide one, an error for every defect."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from concept_transfer.concepts.vocabulary import Vocabulary
from concept_transfer.deployment import with_files
from concept_transfer.errors import StudyError
from concept_transfer.settings.task import Task
from concept_transfer.sites import files
from concept_transfer.sites.coverage import coverage_of, coverage_text
from concept_transfer.sites.extract import Extract
from concept_transfer.sites.reading import check_site, read_site
from concept_transfer.sites.tabular_numbers import read_numbers
from concept_transfer.sites.tabular_site import TabularSite
from concept_transfer.study import load_study
from concept_transfer.workflow import site_inputs

TOKENS = [  # the states of T are apart, and not in the order of their concept
    ("C1", "present", ""),
    ("T", "high", ""),
    ("C1", "absent", ""),
    ("C2", "present", ""),
    ("T", "low", ""),
    ("age", "below 45", "-inf"),
    ("age", "45 or more", "45"),
]
VOCABULARY = Vocabulary(
    tuple(c for c, _, _ in TOKENS),
    tuple(f"name of {c}" for c, _, _ in TOKENS),
    tuple("grade" if c == "T" else "finding" for c, _, _ in TOKENS),
    tuple(s for _, s, _ in TOKENS),
    tuple(f"{c} {s}" for c, s, _ in TOKENS),
    tuple(lower for _, _, lower in TOKENS),
)
TASK = Task(label="y")
ENCOUNTERS = pd.DataFrame({"id": ["a", "b", "c"], "flu": ["I", "R", "R"]})
ROWS = [
    ("c", "T", "warm"),
    ("a", "C1", "P"),
    ("b", "C1", "A"),
    ("a", "C1", "A"),
    ("a", "C1", "P"),
    ("b", "C2", "A"),
    ("c", "age", "61.5"),
    ("b", "fever", "P"),
]


def site(**changes: Any) -> TabularSite:
    long = {"files": ["long.csv"], "concept": "code", "state": "told"} | changes.pop("long", {})
    values = {
        "adapter": "tabular",
        "path": "encounters.csv",
        "label": {"column": "flu", "positive": ["I"], "negative": ["R"], "drop": ["M"]},
        "encounter": "id",
        "concept_spelling": {"T": {"high": ["hot"], "low": ["warm"]}},
        "long": long,
    }
    return TabularSite.model_validate(values | changes)


def table(rows: list[tuple[str, str, str]]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["id", "code", "told"])


def write(folder: Path, rows: pd.DataFrame, encounters: pd.DataFrame = ENCOUNTERS) -> Path:
    encounters.to_csv(folder / "encounters.csv", index=False)
    rows.to_csv(folder / "long.csv", index=False)
    return folder


def read(config: TabularSite, root: Path, task: Task = TASK) -> Extract:
    check_site(config, VOCABULARY, task, root)
    extract = read_site(config, VOCABULARY, task, root)
    extract.validate("the site", VOCABULARY)
    return extract


def states(extract: Extract) -> list[list[tuple[str, str]]]:
    return [[TOKENS[token][:2] for token in tokens] for tokens in extract.inputs["findings"]]


EXPECTED = [
    [("C1", "present")],  # once absent, twice present: what the vocabulary lists first
    [("C1", "absent")],  # C2 has no state absent
    [("T", "low"), ("age", "45 or more")],
]


def test_rows_become_findings(tmp_path: Path) -> None:
    extract = read(site(), write(tmp_path, table([*ROWS, ("z", "C1", "?"), ("z", "fever", "P")])))
    assert states(extract) == EXPECTED
    assert extract.report["unmapped"] == {"fever": 1}  # encounters
    assert extract.report["not_recorded"] == {"C1": 1, "T": 2, "C2": 3, "age": 2}
    assert extract.report["findings"] == {"rows_read": 10, "elsewhere": 2}
    told = coverage_text({"north": coverage_of(extract, VOCABULARY, TASK)}, VOCABULARY, 5)
    assert "encounters that the site does not have, not used: 2 of 10 rows." in told


@pytest.mark.parametrize("suffix", ["csv", "parquet", "xlsx"])
def test_long_tables_read_alike_in_every_format_and_order(tmp_path: Path, suffix: str) -> None:
    write(tmp_path, table([]))
    shuffled = table(ROWS).sample(frac=1, random_state=1)
    for name, part in (("one", shuffled[:3]), ("two", shuffled[3:])):
        file = tmp_path / f"{name}.{suffix}"
        if suffix == "csv":
            part.to_csv(file, index=False)
        elif suffix == "xlsx":
            part.to_excel(file, index=False)
        else:
            part.to_parquet(file)
    extract = read(site(long={"files": [f"one.{suffix}", f"two.{suffix}"]}), tmp_path)
    assert states(extract) == EXPECTED


def test_typed_columns_and_numbers_of_their_own_column(tmp_path: Path) -> None:
    """Ids and codes are integers here and decimals there, numbers lie beside the states."""
    encounters = pd.DataFrame({"id": [7, 8, 9], "flu": ["I", "R", "R"], "C2": ["P", "", "P"]})
    write(tmp_path, table([]), encounters)
    rows = {
        "who": [7.0, 8.0, 9.0, 9.0],
        "code": [10, 10, 20, 30],
        "told": pd.Series(["hot", None, None, None], dtype=object),
        "number": [np.nan, np.nan, 44.9, 1.0],
    }
    pd.DataFrame(rows).to_parquet(tmp_path / "long.parquet")
    (tmp_path / "walk.tsv").write_text("site_code\tconcept\n10\tT\n20\tage\nC2\tC2\n")
    own = {"files": ["long.parquet"], "encounter": "who", "value": "number"}
    extract = read(site(crosswalk="walk.tsv", long=own), tmp_path)
    c2 = ("C2", "present")
    assert states(extract) == [[("T", "high"), c2], [], [c2, ("age", "below 45")]]
    assert extract.report["unmapped"] == {"30": 1}


def test_without_a_column_of_states_every_row_is_present(tmp_path: Path) -> None:
    rows = table([("a", "C1", ""), ("c", "C2", "")])
    extract = read(site(long={"state": None}), write(tmp_path, rows))
    assert states(extract) == [[("C1", "present")], [], [("C2", "present")]]
    write(tmp_path, table([("a", "C1", ""), ("c", "T", "warm")]))
    said = r"long\.csv, row 2, column 'code': concept T has the states high, low.*'long\.state'"
    with pytest.raises(StudyError, match=said):
        read(site(long={"state": None}), tmp_path)
    write(tmp_path, table([("c", "age", "61")]))
    with pytest.raises(StudyError, match=r"row 1.*age has the states.*'long\.value'"):
        read(site(long={"state": None}), tmp_path)


def test_a_code_of_two_concepts_and_two_codes_of_one(tmp_path: Path) -> None:
    (tmp_path / "walk.tsv").write_text("site_code\tconcept\nx\tC1\nx\tC2\ny\tC1\n")
    rows = table([("a", "x", "P"), ("b", "y", "A"), ("b", "x", "P"), ("c", "y", "A")])
    extract = read(site(crosswalk="walk.tsv"), write(tmp_path, rows))
    both = [("C1", "present"), ("C2", "present")]
    assert states(extract) == [both, both, [("C1", "absent")]]


def test_a_crosswalk_says_states_prefixes_and_what_has_no_concept(tmp_path: Path) -> None:
    walk = "site_code\tconcept\tstate\trelation\nhot*\tT\thigh\t\nhotel\t\t\tnone\nx\tC1\t\t\n"
    (tmp_path / "walk.tsv").write_text(walk)
    told = [("a", "hot1", "P"), ("a", "hotel", "P"), ("b", "hot2", "A"), ("b", "x", "A")]
    write(tmp_path, table([*told, ("b", "hotel", "P"), ("c", "y", "P"), ("c", "y", "P")]))
    extract = read(site(crosswalk="walk.tsv"), tmp_path)
    assert states(extract) == [[("T", "high")], [("C1", "absent")], []]
    assert extract.report["unmapped"] == {"y": 1}
    assert extract.report["mapping"] == {
        "codes": {"mapped": 2, "set_aside": 1, "unmapped": 1},
        "values": {"mapped": 2, "set_aside": 2, "unmapped": 1},
        "mapped_codes": {"hot1": 1, "x": 1},  # hot2 is not present
        "encounters": 3,
        "encounters_mapped": 2,
    }
    present = read(site(crosswalk="walk.tsv", long={"state": None}), tmp_path)
    assert states(present)[:2] == [[("T", "high")], [("C1", "present"), ("T", "high")]]


def test_a_code_that_is_a_column_too_counts_once(tmp_path: Path) -> None:
    encounters = ENCOUNTERS.assign(C2=["P", "", "P"])
    rows = table([("a", "C2", "P"), ("b", "C2", "P"), ("b", "fever", "P"), ("c", "fever", "")])
    report = read(site(), write(tmp_path, rows, encounters)).report
    assert report["unmapped"] == {"fever": 1}
    assert report["mapping"] == {
        "codes": {"mapped": 1, "set_aside": 0, "unmapped": 1},
        "values": {"mapped": 3, "set_aside": 0, "unmapped": 1},
        "mapped_codes": {"C2": 3},
        "encounters": 3,
        "encounters_mapped": 3,
    }


SPELLED = {"C1": ["P", "A", "M", ""], "C2": ["P", "A"], "T": ["hot", "warm", ""]}
CELLS = st.fixed_dictionaries(
    {
        "flu": st.sampled_from("IRM"),
        **{concept: st.sampled_from(cells) for concept, cells in SPELLED.items()},
        "age": st.sampled_from(["", "44", "45", "1e2", "M"]),
        "ward": st.sampled_from(["", "7"]),
        "bed": st.sampled_from(["", "M", "9"]),
    }
)
WALK = "site_code\tconcept\trelation\nC1\tC1\t\nC2\tC2\t\nT*\tT\t\nage\tage\t\nward\t\tnone\n"


@settings(max_examples=60, deadline=None)
@given(
    st.lists(CELLS, min_size=2, max_size=12),
    st.sampled_from(["omit", "absent"]),
    st.sampled_from([[], ["grade"]]),
    st.sets(st.sampled_from(["C1", "C2", "T", "ward", "bed"])),
    st.integers(1, 5),
    st.randoms(use_true_random=False),
)
def test_wide_and_long_give_the_same(
    cells: list[dict[str, str]],
    not_recorded: str,
    excluded: list[str],
    kept_wide: set[str],
    batch: int,
    random: Any,
) -> None:
    """Whichever columns move to the long table or are in both, in whatever order, repeated, batch
    by batch; also what becomes of their codes."""
    wide = pd.DataFrame([{**row, "id": f"e{i}"} for i, row in enumerate(cells)])
    wide.loc[:1, "flu"], wide.loc[0, "C1"] = ["I", "R"], "P"
    columns = [*SPELLED, "age", "ward", "bed"]
    moved = [name for name in columns if name not in kept_wide]
    cells_of = wide.melt("id", columns, "code", "told").itertuples(index=False)
    every = [tuple(row) for row in cells_of]
    rows = [row for row in every if row[1] in moved] + random.choices(every, k=5)
    random.shuffle(rows)
    task = Task(label="y", not_recorded=not_recorded, exclude_categories=excluded)
    with tempfile.TemporaryDirectory() as name, pytest.MonkeyPatch.context() as patch:
        patch.setattr(files, "_ROWS_A_BATCH", batch)
        folder = write(Path(name), table(rows), wide.drop(columns=moved))
        wide.to_csv(folder / "wide.csv", index=False)
        (folder / "walk.tsv").write_text(WALK)
        own = site(crosswalk="walk.tsv")
        one = own.model_copy(update={"path": "wide.csv", "long": None})
        flat, deep = (read(config, folder, task) for config in (one, own))
        ages = [read_numbers(config, "age", VOCABULARY, folder) for config in (one, own)]
    assert deep.inputs["findings"].equals(flat.inputs["findings"])
    assert deep.encounters.table.equals(flat.encounters.table)
    assert {**deep.report, "findings": None} == {**flat.report, "findings": None}
    np.testing.assert_array_equal(*ages)


def test_findings_of_dropped_encounters_are_left_out_unread(tmp_path: Path) -> None:
    rows = table([*ROWS, ("d", "T", "cool")])
    encounters = pd.concat([ENCOUNTERS, pd.DataFrame({"id": ["d"], "flu": ["M"]})])
    extract = read(site(), write(tmp_path, rows, encounters))
    assert states(extract) == EXPECTED
    assert extract.report["findings"] == {"rows_read": 9, "elsewhere": 0}


BAD: list[tuple[dict[str, Any], list[tuple[str, str, str]], str]] = [
    ({"files": ["none.csv"]}, ROWS, r"none\.csv does not exist"),
    ({"concept": "Code"}, ROWS, r"long\.csv has no column 'Code', which 'long\.concept'.*'code'"),
    ({"value": "number"}, ROWS, r"no column 'number', which 'long\.value' names; it has id, code"),
    ({"encounter": "who"}, ROWS, r"no column 'who', which 'long\.encounter' names"),
    ({}, [*ROWS, ("", "C1", "P")], r"long\.csv, row 9, column 'id': .*'long\.encounter' needs one"),
    ({}, [*ROWS, ("a", "", "P")], r"long\.csv, row 9, column 'code': .*'long\.concept' needs one"),
    (
        {},
        [*ROWS, ("a", "T", "cool"), ("b", "T", "cold")],
        r"row 9, column 'told': the value is none of .*'hot', 'warm'.* 2 row\(s\)",
    ),
    ({}, [*ROWS, ("a", "age", "old")], r"row 9, column 'told': the value is no number and none of"),
    ({}, [("A", "C1", "P"), ("B", "C1", "P")], r"not one of 2 rows.*column 'id' with those in"),
]


@pytest.mark.parametrize(("long", "rows", "said"), BAD)
def test_what_is_wrong_is_named_and_hidden(
    tmp_path: Path, long: dict[str, Any], rows: list[tuple[str, str, str]], said: str
) -> None:
    write(tmp_path, table(rows))
    with pytest.raises(StudyError, match=said) as error:
        read(site(long=long), tmp_path)
    assert "cool" not in str(error.value)


def test_rows_are_counted_through_batches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "_ROWS_A_BATCH", 3)
    rows = pa.Table.from_pandas(table([*ROWS, ("a", "T", "cool")]))
    pq.write_table(rows, write(tmp_path, table([])) / "long.parquet")
    with pytest.raises(StudyError, match=r"long\.parquet, row 9, .*'cool'"):
        read(site(long={"files": ["long.parquet"]}, show_values=True), tmp_path)


def test_findings_are_joined_by_an_id(tmp_path: Path) -> None:
    with pytest.raises(ValidationError, match="'long' needs 'encounter'"):
        site(encounter=None)


def test_long_files_are_located_and_watched(tmp_path: Path) -> None:
    config = {
        "study": "s",
        "vocabulary": "v.tsv",
        "task": {"label": "y"},
        "sites": {name: site().model_dump(mode="json") for name in ("north", "south")},
        "embeddings": {"one_hot": {"provider": "one_hot"}},
        "split": {"by": "folds"},
    }
    study = with_files(load_study(config), tmp_path, tmp_path / "home", prefixed=True)
    found = study.sites["north"]
    assert found.long.files == [str(tmp_path / "long.csv")]
    assert site_inputs(found, tmp_path) == [
        str(tmp_path / f"{n}.csv") for n in ("encounters", "long")
    ]
