"""Corpora as files: what is read of them, and what is said of those that cannot be."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from tagging_data import TYPES, made_up, write_iob, write_standoff

from concept_transfer.errors import StudyError
from concept_transfer.extraction.corpus import UNKNOWN, Corpus, joined
from concept_transfer.extraction.iob import read_iob
from concept_transfer.extraction.settings import load_extraction
from concept_transfer.extraction.spans import Span
from concept_transfer.extraction.standoff import read_standoff

SECRET = "Zzyzx"


def said(read: object, *arguments: object) -> str:
    """The one paragraph of a refusal, in which no word of the text stands."""
    with pytest.raises(StudyError) as refusal:
        read(*arguments)  # type: ignore[operator]
    message = str(refusal.value)
    assert SECRET not in message
    assert "\n" not in message
    return message


@pytest.mark.parametrize("documents", [True, False])
def test_iob_is_read_as_it_was_written(tmp_path: Path, documents: bool) -> None:
    corpus = made_up(20, 1, 4)
    found = read_iob(write_iob(corpus, tmp_path / "a.tsv", documents), TYPES)
    assert (found.sentences, found.spans) == (corpus.sentences, corpus.spans)
    assert list(found.documents) == (corpus.documents if documents else [UNKNOWN] * 20)
    found.write(tmp_path / "a.parquet")
    assert Corpus.read(tmp_path / "a.parquet") == found


def test_documents_begin_at_their_marks(tmp_path: Path) -> None:
    path = tmp_path / "a.tsv"
    path.write_text(
        "-DOCSTART-\tO\n\na\tO\n\nb\tO\n-DOCSTART-\tO\nc\tB-Drug\r\nd\tI-Drug\n\n\n", "utf-8"
    )
    corpus = read_iob(path, TYPES)
    assert corpus.sentences == [["a"], ["b"], ["c", "d"]]
    assert corpus.documents == [0, 0, 1]
    assert corpus.spans == [[], [], [Span(0, 2, "Drug")]]
    assert joined([corpus, corpus]).documents == [0, 0, 1, 2, 2, 3]


def test_standoff_is_read_as_it_was_written(tmp_path: Path) -> None:
    corpus = made_up(30, 2, 3)
    found = read_standoff(write_standoff(corpus, tmp_path / "a"), TYPES)
    assert [w for s in found.sentences for w in s] == [w for s in corpus.sentences for w in s]
    assert found.facts()["mentions"] == corpus.facts()["mentions"]
    assert set(found.documents) == {0, 1, 2}


def test_no_sentence_ends_within_a_mention(tmp_path: Path) -> None:
    text = "Seen for chest. Pain and fever. Went home."
    (tmp_path / "a.txt").write_text(text, encoding="utf-8")
    (tmp_path / "a.ann").write_text(
        "T1\tSign 9 20\tchest. Pain\nR1\tof Arg1:T1\n#1\tNote T1\tx\nT2\tSign 25 27;28 30\tfever\n",
        encoding="utf-8",
    )
    corpus = read_standoff(tmp_path, TYPES)
    assert [len(words) for words in corpus.sentences] == [8, 3]
    assert corpus.spans == [[Span(2, 5, "Sign"), Span(6, 7, "Sign")], []]


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"", " is empty"),
        (b"\n \n", " is empty"),
        (b"a\tO\n\x00\x01", ", line 2: a binary file"),
        ("a\tO\n".encode("utf-16"), ", line 1: a binary file"),
        (b"a\tO\nb\tO\nZzyzx\xff\tO\n", ", line 3: not UTF-8"),
        (b"a\tO\nZzyzx\n", ", line 2: not a word, a tab and its label"),
        (b"a\tO\td\nb\tO\n", ", line 2: not a word, a tab and its label"),
        (b"a\tO\nZzyzx\tI-Drug\n", ", line 2: an I- label that continues no mention"),
        (b"a\tB-Drug\n\nb\tI-Drug\n", ", line 3: an I- label that continues no mention"),
        (b"a\tB-Drug\nb\tI-Sign\n", ", line 2: an I- label that continues no mention"),
        (b"a\tB-Drug|B-Sign\n", ", line 1: a label of a type that the config does not know"),
        (b"a\tB-Drug\tB-Sign\td\n", ", line 1: not a word, a tab and its label"),
        (b"a\tB-Zzyzx\n", ", line 1: a label of a type that the config does not know"),
        (b"a\tZzyzx\n", ", line 1: its label is none"),
        (b"-DOCSTART-\tO\n", " holds no sentence"),
    ],
)
def test_a_file_that_is_no_iob_is_refused(tmp_path: Path, content: bytes, what: str) -> None:
    path = tmp_path / "a.tsv"
    path.write_bytes(content)
    assert said(read_iob, path, TYPES).startswith(f"{path}{what}")
    assert "is no file" in said(read_iob, tmp_path, TYPES)


@pytest.mark.parametrize(
    ("annotation", "what"),
    [
        (
            "T1\tSign 0 99\tx\n",
            "line 1: the mention of characters 0 to 99 is empty or reaches outside",
        ),
        ("T1\tSign 3 3\tx\n", "line 1: the mention of characters 3 to 3 is empty"),
        ("\nT1\tZzyzx 0 5\tx\n", "line 2: a type that the config does not know"),
        ("T1\tSign 0\n", "line 1: no annotation of a mention"),
        ("Zzyzx\n", "line 1: no annotation of a mention"),
        ("T1\tSign 0 12\n\nT2\tDrug 6 12\n", "lines 1 and 3: mentions that overlap"),
        ("T1\tDrug 6 12\nT2\tSign 0 12\n", "lines 1 and 2: mentions that overlap"),
        ("T1\tSign 0 12\nT2\tDrug 0 12\n", "lines 1 and 2: mentions that overlap"),
        ("\nT1\tSign -1 5\n", "line 2: no annotation of a mention"),
        ("T1\tSign 0 -1\n", "line 1: no annotation of a mention"),
        (
            "T1\tSign 0 5\tZzyzx\nT2\tDrug 3 9\tzx cou\n",
            "lines 1 and 2: mentions that overlap",
        ),
        (
            "T1\tSign 0 2\tZz\nT2\tDrug 2 5\tyzx\n",
            "lines 1 and 2: mentions that overlap, or touch the same word",
        ),
    ],
)
def test_annotation_that_cannot_be_is_refused(tmp_path: Path, annotation: str, what: str) -> None:
    (tmp_path / "a.txt").write_text(f"{SECRET} coughs", encoding="utf-8")
    (tmp_path / "a.ann").write_text(annotation, encoding="utf-8")
    message = said(read_standoff, tmp_path, TYPES)
    assert message.startswith(str(tmp_path / "a.ann"))
    assert what in message


LINES = ["\ufeffSeen today.", f"No {SECRET}.", "", "Fever,", "chest pain °C."]
MARKED = [("Sign", SECRET), ("Sign", "Fever"), ("Drug", "chest pain")]


def placed(
    folder: Path, text: str, ending: str, counted: str, marked: list[tuple[str, str]]
) -> None:
    """A text with these line ends, and its mentions by characters in the text with others."""
    (folder / "a.txt").write_bytes(text.replace("\n", ending).encode())
    seen = text.removeprefix("\ufeff").replace("\n", counted)
    lines = []
    for number, (kind, name) in enumerate(marked, 1):
        start = seen.index(name.replace("\n", counted))
        end = start + len(name.replace("\n", counted))
        lines.append(f"T{number}\t{kind} {start} {end}\t{name.replace(chr(10), ' ')}{ending}")
    (folder / "a.ann").write_bytes("".join(lines).encode())


@pytest.mark.parametrize("ending", ["\n", "\r\n"])
@pytest.mark.parametrize("counted", ["\n", "\r\n"])
def test_line_ends_move_no_mention(tmp_path: Path, ending: str, counted: str) -> None:
    placed(tmp_path, "\n".join(LINES), ending, counted, [*MARKED, ("Drug", "Seen today.\nNo")])
    if ending == "\n" and counted == "\r\n":
        assert "a.ann, line 1: the text beside the mention" in said(read_standoff, tmp_path, TYPES)
        return
    corpus = read_standoff(tmp_path, TYPES)
    found = [
        (kind, " ".join(words[start:end]))
        for words, spans in zip(corpus.sentences, corpus.spans, strict=True)
        for start, end, kind in spans
    ]
    assert found == [("Drug", "Seen today . No"), *MARKED]
    (tmp_path / "b").mkdir()
    placed(tmp_path / "b", "\n".join(LINES), "\n", "\n", [*MARKED, ("Drug", "Seen today.\nNo")])
    assert read_standoff(tmp_path / "b", TYPES) == corpus


def test_mentions_that_count_line_ends_both_ways_are_refused(tmp_path: Path) -> None:
    placed(tmp_path, "\n".join(LINES), "\r\n", "\r\n", MARKED)
    both = (tmp_path / "a.ann").read_bytes()
    placed(tmp_path, "\n".join(LINES), "\r\n", "\n", MARKED[1:2])
    (tmp_path / "a.ann").write_bytes(both + (tmp_path / "a.ann").read_bytes())
    message = said(read_standoff, tmp_path, TYPES)
    assert message.startswith(f"{tmp_path / 'a.ann'}, line 4: the text beside the mention is not")
    assert "Fever" not in message


def test_a_mention_of_another_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text(f"{SECRET} and fever", encoding="utf-8")
    (tmp_path / "a.ann").write_text("T1\tSign 0 5\tZzyzx\nT2\tSign 9 14\tfever\n", "utf-8")
    message = said(read_standoff, tmp_path, TYPES)
    assert message.startswith(f"{tmp_path / 'a.ann'}, line 2: the text beside the mention is not")
    assert "fever" not in message
    (tmp_path / "a.ann").write_text("T1\tSign 0 5\tZzyzx\nT2\tSign 10 15\n", "utf-8")
    assert read_standoff(tmp_path, TYPES).spans == [[Span(0, 1, "Sign"), Span(2, 3, "Sign")]]


def test_a_mention_of_blanks_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text(f"{SECRET}  coughs", encoding="utf-8")
    (tmp_path / "a.ann").write_text("T1\tSign 7 13\tcoughs\nT2\tDrug 5 7\t  \n", "utf-8")
    message = said(read_standoff, tmp_path, TYPES)
    assert message.startswith(f"{tmp_path / 'a.ann'}, line 2: the mention covers blanks alone")


def test_a_text_without_annotation_and_a_folder_without_texts_are_refused(tmp_path: Path) -> None:
    assert "holds no text" in said(read_standoff, tmp_path, TYPES)
    (tmp_path / "a.txt").write_text("fine", encoding="utf-8")
    assert re.search(r"a\.ann does not exist", said(read_standoff, tmp_path, TYPES))
    (tmp_path / "a.ann").touch()
    assert read_standoff(tmp_path, TYPES).spans == [[]]


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (
            {"train": {"all": ["train", "test"]}},
            "train.all names 'test', on which taggers are judged",
        ),
        (
            {"train": {"all": ["other"]}},
            "corpora.c.parts has no 'other'; its parts are test, train",
        ),
        (
            {"taggers": {"e": {"kind": "ensemble", "of": ["d", "h"]}, "d": {"kind": "dictionary"}}},
            "taggers.e.of names 'd', which is no tagger with probabilities",
        ),
        ({"taggers": {"d": {"kind": "oracle"}}}, "taggers.d"),
    ],
)
def test_a_config_that_cannot_be_is_refused(change: dict[str, object], what: str) -> None:
    config: dict[str, object] = {
        "extraction": "x",
        "corpora": {"c": {"types": ["A"], "parts": {"train": "a", "test": "b"}}},
        "taggers": {"d": {"kind": "dictionary"}},
    }
    load_extraction(config)
    with pytest.raises(StudyError, match=re.escape(what)):
        load_extraction({**config, **change})
