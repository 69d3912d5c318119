"""Crosswalks: what is read, which row speaks for a code, and what is refused, line by line."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from concept_transfer.concepts.crosswalk import RELATIONS, Crosswalk
from concept_transfer.concepts.vocabulary import Vocabulary
from concept_transfer.errors import StudyError

VOCABULARY = Vocabulary(
    ("C1", "C1", "C2", "T", "T"),
    ("cough", "cough", "fever", "temperature", "temperature"),
    ("finding",) * 5,
    ("present", "absent", "present", "high", "low"),
    ("cough", "no cough", "fever", "high", "low"),
)
HEADER = "site_code\tconcept\tstate\trelation\tnote\n"
CODES = st.text("AB1", min_size=1, max_size=4)
ROWS = st.dictionaries(
    st.builds(lambda code, prefix: code + "*" * prefix, CODES, st.booleans()),
    st.one_of(
        st.none(),
        st.dictionaries(
            st.sampled_from(["C1", "C2"]), st.sampled_from(["", "present"]), min_size=1
        ),
    ),
    max_size=12,
)


def write(folder: Path, text: str, header: str = HEADER) -> Path:
    path = folder / "walk.tsv"
    path.write_text(header + text, encoding="utf-8")
    return path


def read(folder: Path, text: str, header: str = HEADER) -> Crosswalk:
    return Crosswalk.read(write(folder, text, header), VOCABULARY)


@given(rows=ROWS, codes=st.lists(CODES, max_size=20))
def test_the_most_specific_row_speaks_for_a_code(
    tmp_path_factory: pytest.TempPathFactory, rows: dict[str, dict[str, str] | None], codes: list
) -> None:
    lines = []
    for code, concepts in rows.items():
        if concepts is None:
            lines.append(f"{code}\t\t\tnone\tlooked at\n")
        lines += [f"{code}\t{c}\t{state}\t\t\n" for c, state in (concepts or {}).items()]
    crosswalk = read(tmp_path_factory.mktemp("walk"), "".join(lines))

    def plain(code: str) -> tuple[bool, list[int]]:
        speaking = [key for key in rows if key == code]
        if not speaking:
            fits = [k for k in rows if k.endswith("*") and code.startswith(k[:-1])]
            speaking = sorted(fits, key=len)[-1:]
        concepts = [c for key in speaking for c in rows[key] or {}]
        return bool(speaking), [VOCABULARY.index[c, "present"] for c in concepts]

    expected = [(i, token) for i, code in enumerate(codes) for token in plain(code)[1]]
    positions, tokens = crosswalk.tokens(codes)
    assert list(zip(positions.tolist(), tokens.tolist(), strict=True)) == expected
    assert positions.dtype == tokens.dtype == np.int64
    assert crosswalk.known(codes).tolist() == [plain(code)[0] for code in codes]


def test_states_relations_and_comments(tmp_path: Path) -> None:
    crosswalk = read(
        tmp_path,
        "# reviewed\nfebrile\tT\thigh\tbroader\tdegrees unknown\nno cough\tC1\tabsent\t\t\n"
        '"febrile"\tC2\t\trelated\t"says ""hot"""\nfall\t\t\tnone\tan injury\n',
    )
    assert [link.relation for link in crosswalk.links] == ["broader", "exact", "related", "none"]
    assert crosswalk.links[2].note == 'says "hot"'
    positions, tokens = crosswalk.tokens(["fall", "febrile", "no cough", "else"])
    assert positions.tolist() == [1, 1, 2]
    assert tokens.tolist() == [3, 2, 1]
    assert crosswalk.known(["fall", "else"]).tolist() == [True, False]


def test_empty_cells_at_the_end_of_a_row_may_be_missing(tmp_path: Path) -> None:
    crosswalk = read(tmp_path, "a\tC1\nhot\tT\thigh\tbroader\nward\t\t\tnone\n")
    rows = [(link.code, link.concept, link.state, link.relation) for link in crosswalk.links]
    assert rows == [
        ("a", "C1", "", "exact"),
        ("hot", "T", "high", "broader"),
        ("ward", "", "", "none"),
    ]
    assert {link.note for link in crosswalk.links} == {""}
    for text in ("a\n", "a C1\n", "a\tC1\t\t\t\tx\n"):
        with pytest.raises(StudyError, match=r"line 2 has [126] column\(s\), the header has 5"):
            read(tmp_path, text)
    with pytest.raises(StudyError, match="line 2 has 2"):
        read(tmp_path, "yes\ta\n", "reviewer\tsite_code\tconcept\n")


def test_the_documented_example_is_a_crosswalk(tmp_path: Path) -> None:
    root = Path(__file__).resolve().parents[1]
    _, example, *_ = (root / "docs/crosswalks.md").read_text(encoding="utf-8").split("```")
    vocabulary = Vocabulary.read(root / "resources/concepts/influenza.tsv")
    crosswalk = Crosswalk.read(write(tmp_path, example.lstrip("\n"), ""), vocabulary)
    assert [link.relation for link in crosswalk.links] == [
        "exact",
        "broader",
        "exact",
        "exact",
        "none",
    ]


def test_optional_columns_and_further_ones(tmp_path: Path) -> None:
    crosswalk = read(tmp_path, "yes\ta\tC1\n", "reviewer\tsite_code\tconcept\n")
    assert crosswalk.tokens(["a"])[1].tolist() == [0]
    assert crosswalk.tokens([])[0].shape == (0,)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a\tC1\t\t\t\nb\tCough\t\t\t\n", r"walk\.tsv, line 3: the vocabulary has no concept 'Cou"),
        ("b\tcought\t\t\t\n", r"line 2: .*'cought'; the nearest are C1 \(cough\)"),
        ("b\tC1\tperhaps\t\t\n", r"line 2: concept C1 \(cough\) has no state 'perhaps'; its sta"),
        ("# c\n\nb\tC1\t\tequal\t\n", r"line 4: column 'relation' is 'equal'; .* exact, broader"),
        ("b\tC1\t\tproposed\t\n", r"line 2: the mapping of 'b' is proposed and not reviewed"),
        ("\tC1\t\t\t\n", r"line 2: column 'site_code' is ''"),
        ("*\tC1\t\t\t\n", r"line 2: column 'site_code' is '\*'"),
        ("b\t\t\t\t\n", r"line 2: column 'concept' is '' and 'relation' is 'exact'"),
        ("b\tC1\t\tnone\t\n", r"line 2: column 'concept' is 'C1' and 'relation' is 'none'"),
        ("b\t\tpresent\tnone\t\n", r"line 2: column 'state' is 'present', but there is no conc"),
        (
            "b\tC1\t\t\t\nb\tC1\tabsent\t\t\n",
            r"line 3: code 'b' has the concept C1 twice, with the states 'present' and 'absent', "
            r"first in crosswalk .*line 2",
        ),
        ("b\tC1\t\t\t\nb\t\t\tnone\t\n", r"line 3: code 'b' has a concept and the relation 'none'"),
        ("b\n", r"line 2 has 1 column\(s\), the header has 5"),
    ],
)
def test_what_is_wrong_is_named_with_its_line(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(StudyError, match=said):
        read(tmp_path, text)


def test_a_file_that_is_no_crosswalk(tmp_path: Path) -> None:
    with pytest.raises(StudyError, match=r"crosswalk .*none\.tsv does not exist"):
        Crosswalk.read(tmp_path / "none.tsv", VOCABULARY)
    with pytest.raises(StudyError, match=r"lacks the column\(s\) concept"):
        read(tmp_path, "", "site_code\n")
    with pytest.raises(StudyError, match=r"column\(s\) state more than once"):
        read(tmp_path, "", "site_code\tconcept\tstate\tstate\n")


def test_a_concept_of_grades_needs_its_state_where_tokens_are_asked_for(tmp_path: Path) -> None:
    crosswalk = read(tmp_path, "temp\tT\t\t\t\nhot\tT\thigh\t\t\n")
    assert crosswalk.tokens(["hot"])[1].tolist() == [3]
    assert crosswalk.matches(["temp", "hot"])[1].tolist() == [0, 1]
    with pytest.raises(StudyError, match=r"line 2: concept T .*no state 'present'"):
        crosswalk.tokens(["temp"])


def test_relations_are_those_of_skos() -> None:
    assert RELATIONS == ("exact", "broader", "narrower", "related", "none")
