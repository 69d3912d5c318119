"""Words and where they stand; spans of words and characters, and their BIO labels."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from concept_transfer.errors import StudyError
from concept_transfer.extraction.dictionary import Dictionary
from concept_transfer.extraction.spans import (
    Span,
    apart,
    bio_labels,
    labels_of,
    of_characters,
    of_words,
    spans_of,
)
from concept_transfer.extraction.words import words

TEXTS = st.text(st.sampled_from("aZé9 -.,\n\t_/µ" + "e\u0301"), max_size=30)


@given(TEXTS)
def test_words_are_where_they_say_and_miss_nothing_visible(text: str) -> None:
    found = words(text)
    assert all(text[word.start : word.end] == word.text for word in found)
    assert "".join(word.text for word in found) == "".join(text.split())


def test_an_accent_belongs_to_its_letter() -> None:
    assert [word.text for word in words("cafe\u0301 au lait_2")] == [
        "cafe\u0301",
        "au",
        "lait",
        "_",
        "2",
    ]


@st.composite
def marked(draw: st.DrawFn) -> tuple[int, list[Span]]:
    """A length, and spans within it that do not overlap."""
    length = draw(st.integers(0, 12))
    cuts = sorted(draw(st.sets(st.integers(0, length))))
    spans = [Span(*cut, draw(st.sampled_from("AB"))) for cut in pairwise(cuts)]
    return length, [span for span in spans if draw(st.booleans())]


@given(marked())
def test_labels_say_what_the_spans_say(case: tuple[int, list[Span]]) -> None:
    length, spans = case
    labels = labels_of(spans, length)
    assert len(labels) == length
    assert set(labels) <= set(bio_labels("AB"))
    assert spans_of(labels) == spans


@given(TEXTS)
def test_spans_of_words_are_those_of_their_characters(text: str) -> None:
    found = words(text)
    spans = [Span(place, min(place + 2, len(found)), "A") for place in range(0, len(found), 2)]
    assert of_words([of_characters(span, found) for span in spans], found) == spans


def test_a_span_of_characters_has_all_words_that_it_touches() -> None:
    text = words("no  fever, cough")  # no 0-2, fever 4-9, the comma 9-10, cough 11-16
    cases = {(4, 9): (1, 2), (5, 6): (1, 2), (3, 10): (1, 3), (1, 12): (0, 4), (2, 4): None}
    for (start, end), expected in cases.items():
        found = [span[:2] for span in of_words([Span(start, end, "A")], text)]
        assert found == ([expected] if expected else []), (start, end)


@pytest.mark.parametrize(
    ("labels", "said"),
    [
        (["O", "I-A"], "word 2: an I- label that continues no mention"),
        (["B-A", "I-B"], "word 2: an I- label that continues no mention"),
        (["secret"], "word 1: its label is none"),
        (["B-"], "word 1: its label is none"),
    ],
)
def test_labels_that_cannot_be_are_refused(labels: list[str], said: str) -> None:
    with pytest.raises(StudyError, match=said) as refusal:
        spans_of(labels)
    assert "secret" not in str(refusal.value)


@pytest.mark.parametrize("span", [(3, 3), (4, 2), (-1, 2), (8, 11)])
def test_a_span_lies_in_its_text(span: tuple[int, int]) -> None:
    with pytest.raises(StudyError, match="empty or reaches outside the text, which has 10 char"):
        apart([Span(*span, "A")], 10)


def test_spans_do_not_overlap() -> None:
    assert apart([Span(4, 6, "B"), Span(0, 4, "A")], 6) == [Span(0, 4, "A"), Span(4, 6, "B")]
    with pytest.raises(StudyError, match="0 to 4 and 3 to 6 overlap"):
        apart([Span(3, 6, "B"), Span(0, 4, "A")], 6)


def test_a_dictionary_finds_the_longest_name_whatever_its_case_or_number() -> None:
    names = [("chest pain", "Sign"), ("Pain", "Sign"), ("AS", "Disease"), ("chest", "Part")]
    known = Dictionary.of([(name.split(), label) for name, label in names])
    sentence = ["As", "CHEST", "pains", "and", "pain", "go", ",", "AS"]
    assert known.tag([sentence, []]) == [
        [Span(1, 3, "Sign"), Span(4, 5, "Sign"), Span(7, 8, "Disease")],
        [],
    ]


def test_a_dictionary_unlearns_names_that_are_mostly_none() -> None:
    sentences = [["cold", "hands"], ["cold", "feet"], ["a", "cold"], ["the", "flu"]]
    spans = [[], [], [Span(1, 2, "Disease")], [Span(1, 2, "Disease")]]
    assert set(Dictionary.learned(sentences, spans).types) == {("flu",)}
    assert set(Dictionary.learned(sentences, spans, least_precision=0.3).types) == {
        ("cold",),
        ("flu",),
    }
