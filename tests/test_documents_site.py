"""The adapter `documents`: every kind of table, and every defect said without a word."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pydantic import ValidationError

from concept_transfer.concepts.vocabulary import Vocabulary
from concept_transfer.errors import StudyError
from concept_transfer.settings.task import Task
from concept_transfer.sites.documents_reader import read_texts
from concept_transfer.sites.documents_site import DocumentsSite
from concept_transfer.sites.extract import Extract
from concept_transfer.sites.reading import check_site, read_site

REPOSITORY = Path(__file__).resolve().parents[1]
VOCABULARY = Vocabulary.read(REPOSITORY / "resources" / "concepts" / "documents.tsv")
TASK = Task(label="kind", classes=["a", "b", "c"])
CLASSES = {"a": ["1"], "b": ["2"], "c": ["3"]}
SECRET = "Secretword"
COLUMNS = ["id", "who", "day", "ward", "words", "label"]
ROWS = [
    ["x1", "p1", "2020-01-31", "icu", f"One, {SECRET}\ntwo °C", "1"],
    ["x2", "p1", "", "icu", 'tab\there and "quotes"', "2.0"],
    ["x3", "p2", "2021-03-04T09:00", "er", "many " * 120, "3"],
    ["x4", "p3", "2021-03-05", "", "again", "1"],
    ["x5", "p4", "2021-03-06", "er", "again", "2"],
    ["x6", "p5", "2021-03-06", "er", "same", "2"],
    ["x7", "p6", "2021-03-06", "er", "same", "2"],
]


def written(path: Path, rows: Sequence[Sequence[str]] = ROWS) -> Path:
    if path.suffix == ".parquet":
        pd.DataFrame(rows, columns=COLUMNS).to_parquet(path)
        return path
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, delimiter="\t" if path.suffix == ".tsv" else ",")
        writer.writerows([COLUMNS, *rows])
    return path


def site(path: Path | str, **changes: Any) -> DocumentsSite:
    values = {
        "adapter": "documents",
        "path": str(path),
        "text": "words",
        "label": {"column": "label", "classes": CLASSES},
        "encounter": "id",
        "patient": "who",
        "time": "day",
        "category": "ward",
        **changes,
    }
    return DocumentsSite.model_validate({k: v for k, v in values.items() if v is not None})


def read(section: DocumentsSite, root: Path) -> tuple[Extract, list[str]]:
    check_site(section, VOCABULARY, TASK, root)
    extract = read_site(section, VOCABULARY, TASK, root)
    extract.validate("site", VOCABULARY)
    return extract, list(read_texts(section, extract.encounters, TASK, root))


@pytest.mark.parametrize("ending", ["csv", "tsv", "parquet"])
def test_a_table_reads_alike_in_every_format(tmp_path: Path, ending: str) -> None:
    extract, texts = read(site(written(tmp_path / f"t.{ending}").name), tmp_path)
    assert texts == [ROWS[0][4], ROWS[1][4], ROWS[2][4].strip(), "same"]
    table = extract.encounters.table.to_pydict()
    assert table["encounter"] == ["x1", "x2", "x3", "x6"]
    assert table["patient"] == table["cluster"] == ["p1", "p1", "p2", "p5"]
    assert [day and day.isoformat() for day in table["time"]] == [
        "2020-01-31",
        None,
        "2021-03-04",
        "2021-03-06",
    ]
    assert table["label"] == [0, 1, 2, 1]
    assert extract.report["dropped"] == {
        "the text stands in several rows, with several labels": 2,
        "the text stands in an earlier row": 1,
    }
    states = [VOCABULARY.states[token] for token in extract.inputs["findings"].values]
    assert states == ["below 50", "below 50", "100 to 149", "below 50"]
    kinds = read_texts(site(f"t.{ending}"), extract.encounters, TASK, tmp_path)
    assert [kinds.names[k] if k >= 0 else "" for k in kinds.categories] == [
        "icu",
        "icu",
        "er",
        "er",
    ]


@pytest.mark.parametrize(
    ("copies", "ids", "told"),
    [
        ("first", ["x4", "x6"], 0),
        ("keep", ["x4", "x5", "x6", "x7"], 2),
    ],
)
def test_copies_are_kept_as_the_config_says(
    tmp_path: Path, copies: str, ids: list[str], told: int
) -> None:
    extract, _ = read(site(written(tmp_path / "t.csv").name, copies=copies), tmp_path)
    assert extract.encounters.table["encounter"].to_pylist()[3:] == ids
    assert extract.report["copies"] == told
    if told:
        assert (
            "2 document(s) have the text of an earlier one, of them 1"
            in (extract.report["warnings"][0])
        )


def test_rows_without_ids_are_of_somebody_of_their_own(tmp_path: Path) -> None:
    path = written(tmp_path / "t.csv")
    plain = site(path.name, encounter=None, patient=None, time=None, category=None)
    table = read(plain, tmp_path)[0].encounters.table.to_pydict()
    assert table["encounter"] == table["patient"] == table["cluster"]
    assert table["encounter"] == ["t.csv:2", "t.csv:4", "t.csv:5", "t.csv:8"]  # a line end inside


def test_conditions_divide_a_table_among_sites(tmp_path: Path) -> None:
    rows = [
        [f"i{n}", f"p{n // 3}", "", "er" if n % 2 else "icu", f"w{n} " * (n + 1), str(n % 3 + 1)]
        for n in range(120)
    ]
    written(tmp_path / "t.csv", rows)

    def ids(**conditions: Any) -> set[str]:
        section = site("t.csv", rows=conditions)
        return set(read(section, tmp_path)[0].encounters.table["encounter"].to_pylist())

    assert ids(most_words=40) == {f"i{n}" for n in range(40)}
    assert ids(fewest_words=41, columns={"ward": ["ER"]}) == {f"i{n}" for n in range(41, 120, 2)}
    parts = [ids(part={"number": k, "of": 2, "seed": 5}) for k in (1, 2)]
    assert parts[0].isdisjoint(parts[1])
    assert len(parts[0] | parts[1]) == 120
    assert 30 < len(parts[0]) < 90
    for part in parts:  # patients stay together
        assert all({f"i{3 * (int(i[1:]) // 3) + k}" for k in range(3)} <= part for i in part)
    assert parts[0] != ids(part={"number": 1, "of": 2, "seed": 6})


def test_a_long_document_is_cut_and_counted(tmp_path: Path) -> None:
    long = [["y", "p9", "", "er", " ".join(f"word{n}" for n in range(100_000)), "2"]]
    written(tmp_path / "t.csv", [*ROWS, *long])
    extract, texts = read(site("t.csv"), tmp_path)
    assert len(texts[-1].split()) == 20_000
    assert texts[-1].endswith(" word19999")
    assert extract.report["truncated"] == 1
    assert extract.report["warnings"] == [
        "1 document(s) have more than 20,000 words; the rest is cut off"
    ]
    states = [VOCABULARY.states[token] for token in extract.inputs["findings"].values]
    assert states[-1] == "1000 or more"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ((1, 4, "  "), r"t\.csv, line 4: the document is empty; 1 row\(s\) are"),
        ((1, 4, f"{SECRET} \x07"), r"t\.csv, line 4: the document holds control characters"),
        (
            (2, 5, SECRET),
            r"t\.csv, line 5, column 'label': the value is none of .*'1', '2', '3'; 1",
        ),
        ((2, 2, SECRET), r"t\.csv, line 5, column 'day': the value is no date"),
        ((2, 0, "x1"), r"t\.csv, line 2, column 'id': 2 row\(s\) share"),
    ],
)
def test_what_a_row_has_wrong_is_said_by_line(
    tmp_path: Path, change: tuple[int, int, str], said: str
) -> None:
    rows = [list(row) for row in ROWS]
    rows[change[0]][change[1]] = change[2]
    written(tmp_path / "t.csv", rows)
    with pytest.raises(StudyError, match=said) as refusal:
        read(site("t.csv"), tmp_path)
    assert SECRET.casefold() not in str(refusal.value).casefold()
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (b"x8,p9,,er,\0,1", r"line 2: a byte 0.* binary"),
        ("x8,p9,,er,Grö,1".encode("cp1252"), r"line 2: not text in UTF-8 \(byte 0xF6\); say"),
        (
            "x8,p9,,er,Grö,1\nx9,p9,,er,Größe,1\nx,p9,,er,".encode("cp1252") + "Ö,1".encode(),
            r"line 2: .* 2 lines are not; while others are: the file mixes encodings",
        ),
        (b"x8,p9,,er,1", r"line 2: a row of 5 cells; the header names 6 columns"),
        (b'x8,p9,,er,"a,1\n', r"line 2: a quotation mark"),
    ],
)
def test_what_is_no_table_of_text_is_said_by_line(tmp_path: Path, line: bytes, said: str) -> None:
    (tmp_path / "t.csv").write_bytes(",".join(COLUMNS).encode() + b"\n" + line + b"\n")
    with pytest.raises(StudyError, match=said) as refusal:
        read(site("t.csv"), tmp_path)
    assert "Gr" not in str(refusal.value)


def test_a_file_that_windows_wrote_is_read_as_such(tmp_path: Path) -> None:
    text = ",".join(COLUMNS) + "\nx,p,,er,39 °C – hot,1\ny,q,,er,Größe,2\n"
    (tmp_path / "t.csv").write_bytes(text.encode("cp1252"))
    assert read(site("t.csv", encoding="cp1252"), tmp_path)[1] == ["39 °C – hot", "Größe"]
    (tmp_path / "t.csv").write_text("\ufeff" + text, encoding="utf-8")
    assert read(site("t.csv"), tmp_path)[1] == ["39 °C – hot", "Größe"]


def test_headers_are_checked_before_any_row(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_bytes(",".join(COLUMNS).encode() + b"\n\xff\0")
    check_site(site("t.csv"), VOCABULARY, TASK, tmp_path)
    with pytest.raises(StudyError, match=r"no column 'wards', which 'category' names.* ward"):
        check_site(site("t.csv", category="wards"), VOCABULARY, TASK, tmp_path)
    with pytest.raises(StudyError, match=r"t\.xlsx: tables of documents end in \.csv, \.tsv"):
        check_site(site("t.xlsx"), VOCABULARY, TASK, tmp_path)
    with pytest.raises(StudyError, match=r"label\.classes has a, b, c, but the classes"):
        check_site(site("t.csv"), VOCABULARY, Task(label="kind"), tmp_path)
    other = Vocabulary.read(REPOSITORY / "resources" / "concepts" / "influenza.tsv")
    with pytest.raises(StudyError, match="no bins of the concept WORDS"):
        check_site(site("t.csv"), other, TASK, tmp_path)


def refused(section: DocumentsSite, root: Path, said: str) -> None:
    """In one paragraph that has no word of a document, and before any row is read or then."""
    with pytest.raises(StudyError, match=said) as refusal:
        read(section, root)
    assert SECRET.casefold() not in str(refusal.value).casefold()
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    "text",
    [
        SECRET,
        f"{SECRET} has a fever. She coughs.",
        f"The daughter of {SECRET} called about her fever in the night",
    ],
)
def test_a_table_without_a_header_shows_no_cell(tmp_path: Path, text: str) -> None:
    lines = f'x1,p1,2020-01-31,icu,"{text}",1\nx2,p2,2020-01-31,icu,again,2\n'
    (tmp_path / "t.csv").write_text(lines, encoding="utf-8")
    said = r"t\.csv has no column 'words', which 'text' names; its first line has 6 cell\(s\), and"
    refused(site("t.csv"), tmp_path, said)
    (tmp_path / "t.csv").write_text(f"label,{text} came. Well,2020-01-31\n", encoding="utf-8")
    refused(site("t.csv"), tmp_path, r"its first line has 3 cell\(s\)")


def test_a_first_line_may_be_long(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text(f"x1,{SECRET * 20_000},1\n", encoding="utf-8")
    limit = csv.field_size_limit(2**17)
    try:
        refused(site("t.csv"), tmp_path, r"its first line has 3 cell\(s\)")
    finally:
        csv.field_size_limit(limit)


@pytest.mark.parametrize(
    ("column", "said"),
    [
        (pa.array([SECRET.encode()] * 7, pa.binary()), "values of the type binary;"),
        (pa.array([SECRET.encode()] * 7, pa.large_binary()), "values of the type large_binary"),
        (
            pa.array([SECRET.encode()] * 7, pa.binary(10)),
            r"values of the type fixed_size_binary\[10\]",
        ),
        (pa.array([[SECRET]] * 7), "values of the type list<"),
        (pa.array([SECRET.encode()] * 7).dictionary_encode(), "values of the type dictionary"),
    ],
)
def test_columns_of_no_text_are_refused(tmp_path: Path, column: pa.Array, said: str) -> None:
    path = written(tmp_path / "t.parquet")
    table = pq.read_table(path)
    pq.write_table(table.set_column(4, "words", column), path)
    refused(site("t.parquet"), tmp_path, rf"t\.parquet, column 'words' holds {said}")
    with pytest.raises(StudyError, match=f"column 'words' holds {said}"):
        read_site(site("t.parquet"), VOCABULARY, TASK, tmp_path)


@pytest.mark.parametrize("kind", [pa.string(), pa.large_string()])
@pytest.mark.parametrize("coded", [False, True])
def test_parquet_that_is_no_utf8_is_said_by_row(
    tmp_path: Path, kind: pa.DataType, coded: bool
) -> None:
    bytes_of = [b"fine", None, f"{SECRET} für".encode("cp1252"), b"a", b"b", b"\xff", b"c"]
    offsets = np.cumsum([0, *(len(each or b"") for each in bytes_of)])
    width = np.int32 if kind == pa.string() else np.int64
    buffers = [
        None,
        pa.py_buffer(offsets.astype(width)),
        pa.py_buffer(b"".join(filter(None, bytes_of))),
    ]
    column = pa.Array.from_buffers(kind, 7, buffers)
    path = written(tmp_path / "t.parquet")
    table = pq.read_table(path)
    new = column.dictionary_encode() if coded else column
    pq.write_table(table.set_column(4, "words", new), path)
    refused(site("t.parquet"), tmp_path, r"t\.parquet, row 3, column 'words': .*; 2 row\(s\) are")


def test_parquet_that_is_cut_off_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path / "t.parquet")
    data = path.read_bytes()
    path.write_bytes(data[:4] + bytes(200) + data[204:])
    refused(site("t.parquet"), tmp_path, r"t\.parquet cannot be read as Parquet \(")


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (
            ["x,p,,er,Größe,1", f"y,q,,er,{SECRET} für,2"],
            r"line 2: text in UTF-8.* 2 lines are; leave",
        ),
        (
            ["x,p,,er,plain,1", f"y,q,,er,{SECRET} für,2"],
            r"line 3: text in UTF-8.*letters; leave out",
        ),
        (
            ["x,p,,er,\udcfcber,1", f"y,q,,er,{SECRET} °C,2"],
            "line 3: .*others are not: the file mixes",
        ),
        (
            ["x,p,,er,a,1", f"y,q,,er,{SECRET} \udc81,2"],
            r"line 3: not text in CP1252 \(byte 0x81\); con",
        ),
    ],
)
def test_utf8_is_not_read_as_what_windows_wrote(
    tmp_path: Path, lines: list[str], said: str
) -> None:
    text = "\n".join([",".join(COLUMNS), *lines])
    (tmp_path / "t.csv").write_bytes(text.encode("utf-8", "surrogateescape"))
    refused(site("t.csv", encoding="cp1252"), tmp_path, said)


def test_conditions_that_leave_no_document_are_refused(tmp_path: Path) -> None:
    written(tmp_path / "t.csv")
    said = r"^rows: none of the 4 document\(s\) of .*t\.csv meets these conditions"
    refused(site("t.csv", rows={"fewest_words": 500}), tmp_path, said)
    refused(site("t.csv", rows={"columns": {"ward": ["nowhere"]}}), tmp_path, said)


def test_a_category_that_is_the_label_is_refused() -> None:
    with pytest.raises(ValidationError, match="would learn its label"):
        site("t.csv", category="label")


@pytest.mark.parametrize("key", ["encounter", "patient", "cluster", "time", "category"])
def test_no_other_key_names_the_column_of_the_text(key: str) -> None:
    with pytest.raises(ValidationError, match=f"{key} names 'words', the column of the text"):
        site("t.csv", **{key: "words"})
    with pytest.raises(
        ValidationError, match=r"label\.column names 'words', the column of the text"
    ):
        site("t.csv", label={"column": "words", "classes": CLASSES})


def test_documents_that_changed_meanwhile_are_refused(tmp_path: Path) -> None:
    extract, _ = read(site(written(tmp_path / "t.csv").name), tmp_path)
    written(tmp_path / "t.csv", ROWS[1:])
    with pytest.raises(StudyError, match="other documents than when encounters were read"):
        read_texts(site("t.csv"), extract.encounters, TASK, tmp_path)


def test_the_vocabulary_is_the_length_in_words() -> None:
    bins = VOCABULARY.bins["WORDS"]
    assert np.array_equal(bins.edges, [50, 100, 150, 200, 250, 300, 400, 600, 1000])
