"""The input `text`: on disk, of findings written out, and what breaks its form."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from concept_transfer.concepts.vocabulary import Vocabulary
from concept_transfer.errors import StudyError
from concept_transfer.inputs.registry import INPUTS
from concept_transfer.inputs.rows import CompressedRows
from concept_transfer.inputs.text import FILES, TEXT, Texts
from concept_transfer.sites.documents import write_texts, written_out
from concept_transfer.sites.site import read_inputs

REPOSITORY = Path(__file__).resolve().parents[1]
documents = st.lists(
    st.tuples(st.text(st.characters(codec="utf-8"), max_size=9), st.sampled_from([None, "ä", "b"])),
    max_size=6,
)


def same(one: Texts, other: Texts) -> None:
    assert list(one) == list(other)
    assert one.names == other.names
    np.testing.assert_array_equal(one.categories, other.categories)


@given(documents)
def test_documents_are_read_as_they_were_written(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, str | None]]
) -> None:
    folder = tmp_path_factory.mktemp("site")
    texts = Texts.of([text for text, _ in rows], [kind for _, kind in rows])
    TEXT.check(texts, len(rows), None, "site")
    TEXT.write(folder, texts, None, None)
    assert {file.name for file in folder.iterdir()} == set(FILES) == set(INPUTS["text"].arrays)
    found = read_inputs(folder, len(rows), ["text"])["text"]
    same(found, texts)
    assert isinstance(found.data, np.memmap)
    assert [found[row] for row in range(len(found))] == [text for text, _ in rows]
    kinds = [found.names[k] if k >= 0 else None for k in found.categories]
    assert kinds == [kind for _, kind in rows]


@given(documents, st.data())
def test_rows_are_chosen_with_all_that_is_theirs(
    rows: list[tuple[str, str | None]], data: st.DataObject
) -> None:
    places = data.draw(st.lists(st.integers(0, len(rows) - 1), max_size=8)) if rows else []
    texts = Texts.of([text for text, _ in rows], [kind for _, kind in rows])
    chosen = texts.select(np.array(places, np.int64))
    TEXT.check(chosen, len(places), None, "site")
    assert list(chosen) == [rows[place][0] for place in places]
    assert chosen.categories.tolist() == texts.categories[places].tolist()


def small() -> Texts:
    return Texts.of(["a fever", "", "39 °C"], ["note", None, "vital"])


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"offsets": np.array([0, 7, 7, 12])}, "offsets do not divide 13 bytes of documents"),
        ({"offsets": np.array([0, 7, 11, 13])}, r"encounter 3 \(from 1\) begins within a char"),
        ({"offsets": np.array([0, 9, 7, 13])}, "offsets do not divide"),
        ({"data": np.full(13, 0xFF, np.uint8)}, r"encounter 1 \(from 1\) is not in UTF-8"),
        ({"data": np.array([*b"a fever39 C\xb0C"], np.uint8)}, "encounter 3 .* is not in UTF-8"),
        ({"data": np.zeros(13, np.int8)}, r"data of documents are int8 \[13\]; expected uint8"),
        ({"categories": np.array([0, 2, 1], np.int16)}, "category 2 .* is outside 2 names"),
        ({"categories": np.array([0], np.int16)}, "3 documents and 1 categories"),
    ],
)
def test_what_breaks_the_form_is_said_without_a_word_of_it(
    changes: dict[str, Any], said: str
) -> None:
    TEXT.check(small(), 3, None, "north")
    with pytest.raises(StudyError, match=f"north: .*{said}") as refusal:
        TEXT.check(replace(small(), **changes), 3, None, "north")
    assert not re.search("fever|39", str(refusal.value))
    with pytest.raises(StudyError, match=r"3 documents and 3 categories .* each of 4 encounters"):
        TEXT.check(small(), 4, None, "north")


def test_files_that_do_not_belong_together_are_refused(tmp_path: Path) -> None:
    TEXT.write(tmp_path, small(), None, None)
    np.save(tmp_path / "text_data.npy", np.zeros(3, np.uint8))
    with pytest.raises(StudyError, match=r"text_data\.npy \(3\).* delete its text_\* files"):
        TEXT.read(tmp_path)
    (tmp_path / "text_data.npy").unlink()
    with pytest.raises(StudyError, match=r"no complete documents .*text_data\.npy"):
        TEXT.read(tmp_path)


def test_findings_are_written_out_in_the_order_of_the_vocabulary() -> None:
    vocabulary = Vocabulary.read(REPOSITORY / "resources" / "concepts" / "influenza.tsv")
    findings = CompressedRows(np.array([0, 3, 3, 4]), np.array([0, 2, 5, 1], np.int32))
    texts = [vocabulary.texts[token] for token in (0, 2, 5, 1)]
    expected = [". ".join(texts[:3]), "", texts[3]]
    assert list(written_out(findings, vocabulary)) == expected


def test_a_report_counts_documents_and_shows_no_word_of_them(tmp_path: Path) -> None:
    folder = tmp_path / "encounters" / "north"
    report = write_texts(Texts.of(["one two  three", " \n", "four"], ["b", "b", None]), 3, folder)
    assert report == {
        "documents": 3,
        "empty": 1,
        "words": {"fewest": 1, "median": 2, "most": 3},
        "categories": {"b": 2},
    }
    assert json.loads((folder / "text_report.json").read_text()) == report
    assert {oct(path.stat().st_mode & 0o777) for path in folder.iterdir()} == {"0o600"}
    with pytest.raises(StudyError, match="site north: there are 3 documents"):
        write_texts(small(), 2, folder)
