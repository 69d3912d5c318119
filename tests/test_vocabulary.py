"""Vocabularies: what is read is what was written, errors name file and line, shipped ones hold."""

import csv
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from concept_transfer.concepts.vocabulary import COLUMNS, Vocabulary
from concept_transfer.errors import StudyError

GOOD = [
    ["C1", "fever", "finding", "present", "fever"],
    ["C1", "fever", "finding", "absent", "no fever"],
    ["T", "temperature", "temperature", "high", "40 °C or above"],
]


def table(path: Path, rows: list[list[str]], header: tuple[str, ...] = COLUMNS) -> Path:
    lines = ["# a comment", "\t".join(header), *("\t".join(row) for row in rows)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def test_token_ids_are_row_numbers(tmp_path: Path) -> None:
    vocabulary = Vocabulary.read(table(tmp_path / "v.tsv", GOOD))
    assert len(vocabulary) == 3
    assert vocabulary.token("C1", "absent") == 1
    assert vocabulary.index == {("C1", "present"): 0, ("C1", "absent"): 1, ("T", "high"): 2}
    assert vocabulary.concept_states == {"C1": ("present", "absent"), "T": ("high",)}
    assert vocabulary.texts == ("fever", "no fever", "40 °C or above")


word = st.text(st.characters(codec="utf-8", exclude_categories=("C", "Z")), min_size=1).filter(
    lambda text: not text.startswith("#")
)


@given(st.lists(st.tuples(word, word, word, word), min_size=1, unique_by=lambda row: row[0]))
def test_what_is_written_is_read(tmp_path_factory: pytest.TempPathFactory, rows: list) -> None:
    columns = zip(*((c, n, k, s, f"{n} {s}") for c, n, k, s in rows), strict=True)
    vocabulary = Vocabulary(*(tuple(column) for column in columns))
    path = tmp_path_factory.mktemp("vocabulary") / "v.tsv"
    vocabulary.write(path)
    again = Vocabulary.read(path)
    assert again == vocabulary
    assert again.digest == vocabulary.digest


@pytest.mark.parametrize("column", range(5))
def test_digest_covers_every_column(tmp_path: Path, column: int) -> None:
    changed = [row.copy() for row in GOOD]
    changed[2][column] += " x"
    first = Vocabulary.read(table(tmp_path / "a.tsv", GOOD))
    assert first.digest != Vocabulary.read(table(tmp_path / "b.tsv", changed)).digest
    assert first.digest != Vocabulary.read(table(tmp_path / "c.tsv", GOOD[::-1])).digest


@pytest.mark.parametrize(("column", "same"), [(0, 0), (1, 0), (2, 1), (3, 0), (4, 1)])
def test_identity_covers_what_a_token_is_and_not_its_words(
    tmp_path: Path, column: int, same: bool
) -> None:
    changed = [row.copy() for row in GOOD]
    changed[2][column] += " x"
    first = Vocabulary.read(table(tmp_path / "a.tsv", GOOD))
    other = Vocabulary.read(table(tmp_path / "b.tsv", changed))
    assert (first.identity == other.identity) is bool(same)


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([*GOOD, GOOD[0]], ["line 6", "(C1, present)", "line 3"]),
        ([*GOOD[:2], ["T", "temperature", "temperature", "high", ""]], ["line 5", "'text'"]),
        ([GOOD[0], ["C1", "fever", "sign", "absent", "no"]], ["line 4", "category", "'finding'"]),
        ([GOOD[0], ["C1", "heat", "finding", "absent", "no"]], ["line 4", "name", "'fever'"]),
        ([GOOD[0], ["C2", "cough"]], ["line 4", "2 column(s)"]),
        ([], ["no token"]),
    ],
)
def test_errors_name_file_and_line(tmp_path: Path, rows: list, said: list[str]) -> None:
    path = table(tmp_path / "v.tsv", rows)
    with pytest.raises(StudyError) as error:
        Vocabulary.read(path)
    for part in [str(path), *said]:
        assert part in str(error.value)


def test_missing_column_and_missing_file(tmp_path: Path) -> None:
    path = table(tmp_path / "v.tsv", [], header=("concept", "name", "state", "text"))
    with pytest.raises(StudyError, match=r"lacks the column.*category.*tabs"):
        Vocabulary.read(path)
    with pytest.raises(StudyError, match=r"absent\.tsv does not exist"):
        Vocabulary.read(tmp_path / "absent.tsv")


def test_a_table_saved_by_a_spreadsheet_is_read(tmp_path: Path) -> None:
    path = tmp_path / "v.tsv"
    row = 'C1\t"fever, or ""heat"""\tfinding\tpresent\tfever\r\n'
    path.write_bytes(("\ufeff" + "\t".join(COLUMNS) + "\r\n" + row).encode())
    assert Vocabulary.read(path).names == ('fever, or "heat"',)


@pytest.mark.parametrize("text", ['"cold" feeling', '"cold', 'a 2" cut', '5" to 7"', '"a" and "b"'])
def test_a_quotation_mark_is_part_of_the_text(tmp_path: Path, text: str) -> None:
    rows = [["C1", "fever", "finding", "present", text], *GOOD[1:]]
    vocabulary = Vocabulary.read(table(tmp_path / "plain.tsv", rows))
    assert vocabulary.texts == (text, "no fever", "40 °C or above")
    vocabulary.write(tmp_path / "quoted.tsv")
    assert Vocabulary.read(tmp_path / "quoted.tsv") == vocabulary


def test_quoted_cells_are_read_as_the_csv_module_writes_them(tmp_path: Path) -> None:
    texts = ['"fever"', "hot\tskin", '"', 'a "b"\t"c"', "x" * 200_000]
    path = tmp_path / "v.tsv"
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, dialect="excel-tab")
        writer.writerow(COLUMNS)
        writer.writerows(["C1", "fever", "finding", str(i), text] for i, text in enumerate(texts))
    assert Vocabulary.read(path).texts == tuple(texts)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b'C1\tfever\tfinding\tpresent\t"hot\nskin"\n', ["line 3", "line break"]),
        ("C1\tFieber\tfinding\tpresent\tüber 38\n".encode("latin-1"), ["UTF-8", "line 2"]),
    ],
    ids=["line break", "Latin-1"],
)
def test_a_table_of_another_form_is_refused_by_line(
    tmp_path: Path, content: bytes, said: list[str]
) -> None:
    path = tmp_path / "v.tsv"
    path.write_bytes("\t".join(COLUMNS).encode() + b"\n" + content)
    with pytest.raises(StudyError) as error:
        Vocabulary.read(path)
    assert all(part in str(error.value) for part in [str(path), *said])


def test_a_folder_is_no_vocabulary(tmp_path: Path) -> None:
    with pytest.raises(StudyError, match=r"cannot be read \(Is a directory\).*TSV"):
        Vocabulary.read(tmp_path)


def test_a_column_that_is_there_twice_is_refused(tmp_path: Path) -> None:
    path = table(tmp_path / "v.tsv", [[*row, row[-1]] for row in GOOD], header=(*COLUMNS, "text"))
    with pytest.raises(StudyError, match=r"column\(s\) text more than once"):
        Vocabulary.read(path)


def test_unknown_tokens_get_the_nearest_known(repository: Path) -> None:
    vocabulary = Vocabulary.read(repository / "resources/concepts/influenza.tsv")
    with pytest.raises(StudyError, match=r"C0010200.*nearest are.*C0010520 \(cyanosis\)"):
        vocabulary.token("C0010200", "present")
    with pytest.raises(StudyError, match=r"nearest are.*C0010520"):
        vocabulary.token("Cyanosys", "present")
    with pytest.raises(StudyError, match="no state 'maybe'; its states are present, absent"):
        vocabulary.token("C0010520", "maybe")


def test_influenza_vocabulary_has_the_published_concepts(
    repository: Path, shared_data: Path
) -> None:
    vocabulary = Vocabulary.read(repository / "resources/concepts/influenza.tsv")
    lines = (shared_data / "gao2024-embeddings/concept_pair.txt").read_text("utf-8-sig")
    published = {line.split(":")[0].split("_")[0] for line in lines.splitlines() if line.strip()}
    assert set(vocabulary.concept_states) == published | {"season"}
    sample = next((shared_data / "county-simulation/target_test").glob("*.csv"))
    columns = set(sample.open().readline().strip().split(","))
    assert columns - published == {"diagnosis"}


def test_influenza_states_and_texts(repository: Path) -> None:
    vocabulary = Vocabulary.read(repository / "resources/concepts/influenza.tsv")
    graded = {
        "C0424781": ("high", "low", "inconsequential", "no information"),
        "agegroup": ("child", "adult", "elderly"),
        "season": ("winter", "spring", "summer", "autumn"),
    }
    for concept, states in vocabulary.concept_states.items():
        assert states == graded.get(concept, ("present", "absent"))
    assert len(set(vocabulary.texts)) == len(vocabulary)
    assert not [text for text in vocabulary.texts if "  " in text or text.startswith("not ")]
    category = dict(zip(vocabulary.concepts, vocabulary.categories, strict=True))
    assert category["C2939017"] == "lab result"
    assert category["C2939015"] == "lab order"
    assert category["C0521839"] == "impression"


def test_nhamcs_vocabulary_has_every_coded_reason(repository: Path, shared_data: Path) -> None:
    vocabulary = Vocabulary.read(repository / "resources/concepts/nhamcs-reasons.tsv")
    lines = (shared_data / "nhamcs/rfv_labels.tsv").read_text("utf-8").splitlines()[1:]
    codes = {f"RFV{line[:5]}" for line in lines}
    assert {c for c in vocabulary.concepts if c.startswith("RFV")} == codes
    assert len(set(vocabulary.texts)) == len(vocabulary)
    near = {
        c
        for c, k in zip(vocabulary.concepts, vocabulary.categories, strict=True)
        if k == "near label"
    }
    assert near == {"RFV14501", "FLUTEST"}
