"""Canonical encounters: tokens against a plain reference, the contract on disk, its errors."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from concept_transfer.cohorts.encounters import Encounters, encounter_table
from concept_transfer.cohorts.splits import split_table
from concept_transfer.concepts.vocabulary import Vocabulary
from concept_transfer.errors import StudyError
from concept_transfer.events.quarantine import SCHEMA
from concept_transfer.inputs.rows import CompressedRows
from concept_transfer.settings.task import Task
from concept_transfer.sites.extract import Extract
from concept_transfer.sites.report import ingest_report
from concept_transfer.sites.site import Site
from concept_transfer.sites.tokens import allowed_tokens, token_rows

TOKENS = [
    ("C1", "finding", "present"),
    ("T", "temperature", "high"),
    ("C1", "finding", "absent"),
    ("C2", "lab result", "present"),
    ("C2", "lab result", "absent"),
    ("T", "temperature", "low"),
    ("C3", "finding", "absent"),
    ("C3", "finding", "present"),
]
VOCABULARY = Vocabulary(
    tuple(c for c, _, _ in TOKENS),
    tuple(f"name of {c}" for c, _, _ in TOKENS),
    tuple(k for _, k, _ in TOKENS),
    tuple(s for _, _, s in TOKENS),
    tuple(f"{c} {s}" for c, _, s in TOKENS),
)


def plain_rows(pairs: list[tuple[int, int]], count: int, task: Task) -> list[list[int]]:
    """What token_rows must give, one encounter after the other."""
    rows = []
    for encounter in range(count):
        held = {
            token
            for e, token in pairs
            if e == encounter
            and TOKENS[token][1] not in task.exclude_categories
            and TOKENS[token][0] not in task.exclude_concepts
        }
        if task.not_recorded == "absent":
            for concept, category, state in TOKENS:
                if (
                    state == "absent"
                    and category not in task.exclude_categories
                    and concept not in task.exclude_concepts
                    and not any(TOKENS[token][0] == concept for token in held)
                ):
                    held.add(VOCABULARY.token(concept, "absent"))
        rows.append(sorted(held))
    return rows


tasks = st.builds(
    Task,
    label=st.just("y"),
    exclude_categories=st.lists(st.sampled_from(["finding", "lab result", "temperature"])),
    exclude_concepts=st.lists(st.sampled_from(["C1", "C3", "T"])),
    not_recorded=st.sampled_from(["omit", "absent"]),
)


@given(
    st.lists(st.tuples(st.integers(0, 4), st.integers(0, len(TOKENS) - 1))),
    st.integers(5, 7),
    tasks,
)
def test_token_rows_equal_the_plain_reference(
    pairs: list[tuple[int, int]], count: int, task: Task
) -> None:
    encounter = np.array([e for e, _ in pairs], dtype=np.int64)
    token = np.array([t for _, t in pairs], dtype=np.int64)
    rows = token_rows(encounter, token, count, VOCABULARY, task)
    rows.check("site", count)
    assert [tokens.tolist() for tokens in rows] == plain_rows(pairs, count, task)


def test_a_task_names_what_the_vocabulary_has() -> None:
    with pytest.raises(StudyError, match=r"'lab'.*finding, lab result, temperature"):
        allowed_tokens(VOCABULARY, Task(label="y", exclude_categories=["lab"]))
    with pytest.raises(StudyError, match=r"exclude_concepts.*'C11'.*nearest are C1"):
        allowed_tokens(VOCABULARY, Task(label="y", exclude_concepts=["C11"]))


def extract(findings: CompressedRows | None = None, **changes: list) -> Extract:
    columns = {
        "encounter": ["a", "b", "c"],
        "patient": ["p", None, None],
        "cluster": ["p", "q", "q"],
        "time": [None, None, None],
        "label": [0, 1, 0],
        "partition": ["train", "test", None],
    } | changes
    rows = rows_of([0, 2, 2, 3], [0, 3, 7]) if findings is None else findings
    return Extract(Encounters(encounter_table(**columns)), {"findings": rows}, {"rows_read": 3})


def rows_of(offsets: list[int], tokens: list[int]) -> CompressedRows:
    return CompressedRows(np.array(offsets, np.int64), np.array(tokens, np.int32))


def test_what_is_written_is_read(tmp_path: Path) -> None:
    written = extract()
    written.write(tmp_path / "north", VOCABULARY)
    again = Extract.read(tmp_path / "north", VOCABULARY)
    assert again.encounters.table.equals(written.encounters.table)
    assert again.inputs["findings"].equals(written.inputs["findings"])
    assert again.report == {"rows_read": 3}
    findings = pq.read_table(tmp_path / "north" / "findings.parquet").to_pylist()
    assert [tuple(row.values()) for row in findings] == [
        ("a", "C1", "present"),
        ("a", "C2", "present"),
        ("c", "C3", "present"),
    ]


def test_rows_set_aside_are_written_counted_and_private(tmp_path: Path) -> None:
    rows = [("a.parquet", 3, "without a code"), ("a.parquet", 9, "without a code")]
    aside = pa.table(dict(zip(SCHEMA.names, zip(*rows, strict=True), strict=True)), schema=SCHEMA)
    folder = tmp_path / "encounters" / "north"
    whole = extract()
    report = ingest_report(whole.encounters, 5, {}, {}, {}, set_aside=aside)
    assert report["quarantined"] == {"without a code": 2}
    assert "quarantined" not in ingest_report(whole.encounters, 5, {}, {}, {})
    replace(whole, set_aside=aside).write(folder, VOCABULARY)
    file = folder / "quarantine.parquet"
    assert pq.read_table(file).equals(aside)
    assert file.stat().st_mode & 0o077 == 0
    replace(whole, set_aside=SCHEMA.empty_table()).write(folder, VOCABULARY)
    assert not file.exists()


def a_split(folder: Path, labels: list[int]) -> Path:
    ids = [str(i) for i in range(len(labels))]
    fold = np.zeros(len(ids), np.int16)
    path = folder / "splits" / "north.parquet"
    split_table(ids, ids, np.array(labels, np.int8), fold, fold > 0).write(path)
    return path


def test_arrays_are_memory_mapped_and_need_no_heavy_import(tmp_path: Path) -> None:
    extract().write(tmp_path / "north", VOCABULARY)
    split = a_split(tmp_path, [0, 1, 0])
    site = Site.read(tmp_path / "north", split)
    findings = site.inputs["findings"]
    assert all(isinstance(a, np.memmap) for a in (findings.offsets, findings.values, site.labels))
    assert site.labels.tolist() == [0, 1, 0]
    code = (
        "import sys\n"
        "from pathlib import Path\n"
        "from concept_transfer.concepts.vocabulary import Vocabulary\n"
        "from concept_transfer.sites.site import Site\n"
        f"Site.read(Path({str(tmp_path / 'north')!r}), Path({str(split)!r}))\n"
        "print({'pandas', 'sklearn', 'torch', 'transformers', 'scipy'} & set(sys.modules))"
    )
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert loaded.stdout.strip() == "set()", loaded.stdout + loaded.stderr


def test_an_incomplete_folder_says_so(tmp_path: Path) -> None:
    folder = tmp_path / "north"
    extract().write(folder, VOCABULARY)
    np.save(folder / "labels.npy", np.zeros(5, np.int8))
    with pytest.raises(StudyError, match="do not belong together"):
        Site.read(folder, a_split(tmp_path, [0] * 5))
    with pytest.raises(StudyError, match=r"has 4 rows, but .* holds 5 encounters"):
        Site.read(folder, a_split(tmp_path, [0] * 4))
    np.save(folder / "tokens.npy", np.zeros(2, np.int32))
    with pytest.raises(StudyError, match=r"offsets\.npy .* tokens\.npy .*do not belong together"):
        Site.read(folder, a_split(tmp_path, [0] * 5))
    (folder / "tokens.npy").unlink()
    with pytest.raises(StudyError, match="no complete folder"):
        Site.read(folder, a_split(tmp_path, [0] * 5))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"label": [0, 0, 0]}, r"site north: the label takes the value\(s\) \[0\]"),
        ({"label": [1, 1, 1]}, r"site north: the label takes the value\(s\) \[1\]"),
        ({"encounter": ["a", "b", "a"]}, "rows 1, 3"),
        ({"partition": ["train", "tset", None]}, "tset.*train, validation, test"),
        ({"cluster": ["p", None, "q"]}, "'cluster' is empty in 1 row.*row 2"),
    ],
)
def test_tables_against_the_contract(tmp_path: Path, changes: dict, said: str) -> None:
    with pytest.raises(StudyError, match=said):
        extract(**changes).write(tmp_path / "north", VOCABULARY)
    assert not (tmp_path / "north").exists()


@pytest.mark.parametrize(
    ("offsets", "tokens", "said"),
    [
        ([0, 2, 2, 3], [3, 0, 7], "ascending"),
        ([0, 2, 2, 3], [0, 0, 7], "without repetition"),
        ([0, 2, 2, 3], [-1, 0, 7], "not negative"),
        ([0, 2, 1, 3], [0, 3, 7], "offsets do not divide"),
        ([0, 2, 2], [0, 3], "offsets do not divide"),
        ([0, 2, 2, 3], [0, 3, 8], "outside the vocabulary"),
    ],
)
def test_arrays_against_the_contract(
    tmp_path: Path, offsets: list[int], tokens: list[int], said: str
) -> None:
    broken = extract(rows_of(offsets, tokens))
    with pytest.raises(StudyError, match=said):
        broken.write(tmp_path / "north", VOCABULARY)


def test_encounters_of_any_arrangement_pass(tmp_path: Path) -> None:
    extract(rows_of([0, 0, 3, 3], [1, 2, 5])).write(tmp_path / "north", VOCABULARY)
    extract(rows_of([0] * 4, [])).write(tmp_path / "empty", VOCABULARY)
    assert pq.read_table(tmp_path / "empty" / "findings.parquet").num_rows == 0
    empty = Extract.read(tmp_path / "empty", VOCABULARY)
    assert empty.encounters.table.column("label").type == pa.int8()
