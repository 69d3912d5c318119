"""Which concept a mention means: by name, spelling, letters or meaning."""

from __future__ import annotations

import re
import string
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from concept_transfer.concepts.vocabulary import Vocabulary
from concept_transfer.errors import StudyError
from concept_transfer.extraction.dictionary import compared
from concept_transfer.extraction.names import Names, names_of
from concept_transfer.extraction.normalise import Match, Normaliser
from concept_transfer.extraction.spelling import Spelling

ROWS = (
    ("C1", "dyspnea", "finding", "present", "dyspnea, shortness of breath"),
    ("C1", "dyspnea", "finding", "absent", "no dyspnea, breathing is easy"),
    ("C2", "poor feeding", "finding", "present", "poor feeding"),
    ("C2", "poor feeding", "finding", "absent", "feeding well"),
    ("C3", "temperature", "temperature", "high", "high fever (40 °C or above) at home"),
    ("C3", "temperature", "temperature", "no information", "body temperature unknown"),
    ("C4", "cough", "finding", "present", "dry, hacking cough"),
)
VOCABULARY = Vocabulary(*zip(*ROWS, strict=True))


def synonyms(tmp_path: Path, *rows: str) -> Path:
    path = tmp_path / "synonyms.tsv"
    path.write_text("\n".join(["concept\tsynonym\tstate", *rows]) + "\n", encoding="utf-8")
    return path


def name(text: str) -> tuple[str, ...]:
    return tuple(map(compared, text.split()))


def test_names_are_the_vocabularys_words_their_parts_and_synonyms(tmp_path: Path) -> None:
    names = names_of(VOCABULARY, synonyms(tmp_path, "C1\tSOB", "C3\tburning up\thigh"))
    assert {names.texts[key]: token for key, token in names.tokens.items()} == {
        "SOB": ("C1", "present"),
        "burning up": ("C3", "high"),
        "dyspnea": ("C1", "present"),
        "dyspnea, shortness of breath": ("C1", "present"),
        "shortness of breath": ("C1", "present"),
        "poor feeding": ("C2", "present"),
        "feeding well": ("C2", "absent"),
        "high fever (40 °C or above) at home": ("C3", "high"),
        "high fever": ("C3", "high"),
        "40 °C or above": ("C3", "high"),
        "cough": ("C4", "present"),
        "dry, hacking cough": ("C4", "present"),
        "hacking cough": ("C4", "present"),
    }
    assert name("SOB") in names.tokens
    assert name("sob") not in names.tokens


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        (["C9\tsob"], "the vocabulary has no concept 'C9'"),
        (["C1\tsob\thigh"], "has no state 'high'"),
        (["C1\tsob", "C2\tsob"], "'sob', which stands for another concept or state above"),
        (["C1\t"], "which has no word"),
    ],
)
def test_wrong_synonyms_are_named(tmp_path: Path, rows: list[str], told: str) -> None:
    path = synonyms(tmp_path, *rows)
    with pytest.raises(StudyError, match=re.escape(f"{path}, line {len(rows) + 1}")) as error:
        names_of(VOCABULARY, path)
    assert told in str(error.value)


def test_a_synonym_goes_before_the_vocabularys_words(tmp_path: Path) -> None:
    names = names_of(VOCABULARY, synonyms(tmp_path, "C2\tcough"))
    assert names.tokens[name("cough")] == ("C2", "present")


def test_names_of_several_concepts_are_known_unless_a_synonym_settles_them(tmp_path: Path) -> None:
    rows = [*ROWS, ("C5", "croup", "finding", "present", "hoarse voice, hacking cough")]
    rows += [("C6", "cough", "finding", "present", "a cough")]
    vocabulary = Vocabulary(*zip(*rows, strict=True))
    names = names_of(vocabulary)
    shared = {name("cough"): ["C4", "C6"], name("hacking cough"): ["C4", "C5"]}
    assert names.shared == shared
    assert names.tokens[name("cough")] == ("C4", "present")
    del shared[name("cough")]
    assert names_of(vocabulary, synonyms(tmp_path, "C6\tcough")).shared == shared
    assert not names_of(VOCABULARY).shared


def plain_distance(a: str, b: str) -> int:
    """Optimal string alignment, by its definition."""
    table = np.zeros((len(a) + 1, len(b) + 1), int)
    table[:, 0], table[0] = range(len(a) + 1), range(len(b) + 1)
    for i in range(1, len(a) + 1):
        for j in range(1, len(b) + 1):
            same = a[i - 1] == b[j - 1]
            table[i, j] = min(
                table[i - 1, j] + 1, table[i, j - 1] + 1, table[i - 1, j - 1] + (not same)
            )
            if i > 1 and j > 1 and a[i - 1] == b[j - 2] and a[i - 2] == b[j - 1]:
                table[i, j] = min(table[i, j], table[i - 2, j - 2] + 1)
    return int(table[-1, -1])


KNOWN = ("wheezing", "wheezes", "headache", "vomiting", "rigors")


@given(
    st.sampled_from(KNOWN),
    st.integers(0, 8),
    st.sampled_from(["lost", "added", "other", "swapped", "none"]),
    st.sampled_from(string.ascii_lowercase),
)
def test_a_word_is_corrected_where_one_known_word_is_a_slip_away(
    word: str, place: int, slip: str, letter: str
) -> None:
    place = min(place, len(word) - 2)
    wrong = {
        "lost": word[:place] + word[place + 1 :],
        "added": word[:place] + letter + word[place:],
        "other": word[:place] + letter + word[place + 1 :],
        "swapped": word[:place] + word[place + 1] + word[place] + word[place + 2 :],
        "none": word,
    }[slip]
    near = [known for known in KNOWN if plain_distance(wrong, known) == 1]
    near = [known for known in near if known[0] == wrong[0]]
    found = Spelling(KNOWN).corrected(wrong)
    if wrong in KNOWN or len(wrong) < 5 or not near:
        assert found == wrong
    elif len(near) == 1 and place > 1:
        assert found == near[0]


def test_short_words_and_first_letters_are_left_alone() -> None:
    spelling = Spelling(["fever", "cough", "rigors"])
    for word in ("never", "couch", "feverr", "gigors"):
        assert spelling.corrected(word) == word
    assert spelling.corrected("rigosr") == "rigors"


def test_mentions_match_in_the_order_of_trust() -> None:
    asked: list[str] = []

    def embed(texts: Sequence[str]) -> NDArray[np.float32]:
        asked.extend(texts)
        like = {"out of puff": 0, "shortness of breath": 0}
        return np.eye(len(texts) + 1, dtype=np.float32)[
            [like.get(text, place + 1) for place, text in enumerate(texts)]
        ]

    names = names_of(VOCABULARY)
    mentions = [
        name("shortness of breath"),
        name("shotrness of breath"),
        name("hacking coughing"),
        name("out of puff"),
        name("itch"),
    ]
    matches = Normaliser(names, 0.7, 0.9, embed).matches(mentions)
    first, second, third, fourth, last = matches
    assert first == Match("C1", "present", "exact", 1.0)
    assert second == Match("C1", "present", "spelling", 1.0)
    assert third is not None
    assert third[:3] == ("C4", "present", "fuzzy")
    assert 0.7 <= third.score < 1
    assert fourth is not None
    assert fourth[:3] == ("C1", "present", "embedding")
    assert last is None
    assert "shotrness of breath" not in asked
    assert Normaliser(names, 0.999).matches(mentions[2:4]) == [None, None]


def test_without_names_nothing_matches() -> None:
    assert Normaliser(Names({}, {}), 0.1).matches([name("cough")]) == [None]
