"""What headings say of the findings under them, on notes written by hand."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from concept_transfer.extraction.context import Context
from concept_transfer.extraction.dictionary import Dictionary, compared
from concept_transfer.extraction.headings import headings
from concept_transfer.extraction.mentions import ASSERTIONS
from concept_transfer.extraction.names import Names
from concept_transfer.extraction.normalise import Normaliser
from concept_transfer.extraction.reading import Reader
from concept_transfer.extraction.sentences import sentences
from concept_transfer.extraction.words import words

CUES = Path(__file__).resolve().parents[1] / "resources" / "notes" / "cues.tsv"
FINDINGS = ("diabetes", "asthma", "influenza", "croup", "cough", "fever", "stroke")
NOTES = {
    "capitals": """CHIEF COMPLAINT:
Cough (present) since Monday.
PAST MEDICAL HISTORY:
Diabetes (past), asthma (past)
Croup (past) at two. No fever (absent) then.
FAMILY HISTORY:
Influenza (family)
No asthma (family).
ASSESSMENT:
Croup (present)
""",
    "empty lines": """Past Medical History:

Asthma (past). Croup (past).
Stroke (past)

Cough (present) for two days.

Family history: asthma (family). Diabetes (family).
Stroke (family).

Fever (present).
""",
    "lower case": """hpi: cough (present) since monday
pmh: asthma (past)
diabetes (past).
fhx: stroke (family)
assessment: croup (present)
return instructions: fever (hypothetical).
Stroke (hypothetical).
plan: treat croup (present).
""",
    "lists": """PMH/PSH:
- Asthma (past)
- Diabetes (past), now with cough (present)
1. Stroke (past)
2) Croup (past)
ASSESSMENT AND PLAN
- Influenza (present)
- no fever (absent)
Return if:
* Fever (hypothetical)
""",
    "findings before colons": """Medical history:
Asthma (past): since childhood.
Croup (past)
History of Present Illness (HPI):
Cough (present): dry.
Fever (present)
""",
    "prose": """Reviewed the records from the family history clinic: cough (present)
Croup (present).
Prior to arrival: cough (present).
Fever (present).
History from mother: cough (present).
Fever (present).
Symptoms in the past 24 hours: fever (present).
Croup (present).
He came at 10:30 and 37.5 °C, mother said, with no
fever (absent): none
""",
}


@pytest.fixture(scope="module")
def reader() -> Reader:
    tagger = Dictionary.of([([finding], "finding") for finding in FINDINGS])
    return Reader(tagger, Context.read(CUES), Normaliser(Names({}, {}), 1.0), corrects=False)


@pytest.mark.parametrize("name", NOTES)
def test_a_heading_speaks_of_all_under_it(reader: Reader, name: str) -> None:
    marks = re.compile(rf"({'|'.join(FINDINGS)}) \((\w+)\)", re.IGNORECASE)
    expected = [(compared(match[1]), match[2]) for match in marks.finditer(NOTES[name])]
    found = reader.read([marks.sub(r"\1", NOTES[name])])
    names = [found.forms[form][0] for form in found.form.tolist()]
    assert [*zip(names, map(ASSERTIONS.__getitem__, found.assertion), strict=True)] == expected


def test_line_ends_of_windows_are_line_ends(reader: Reader) -> None:
    text = "PMH:\r\n\r\nAsthma.\r\nCroup.\r\n\r\nCough.\r\nFHX:\r\nStroke.\r\nPLAN\r\nFever."
    said = [ASSERTIONS[place] for place in reader.read([text]).assertion]
    assert said == ["past", "past", "present", "family", "present"]


def test_a_heading_reaches_no_other_text(reader: Reader) -> None:
    found = reader.read(["Family history:", "Asthma."])
    assert found.assertion.tolist() == [ASSERTIONS.index("present")]


@pytest.mark.parametrize(
    ("line", "is_heading"),
    [
        ("Past history:", True),
        ("PMH: asthma", True),
        ("Social/family:", True),
        ("ASSESSMENT", True),
        ("Assessment", False),
        ("No cough. Plan:", False),
        ("Seen at 10:30", False),
        ("Mother says that the child has had a cold:", False),
        ("2 days:", False),
    ],
)
def test_a_heading_is_short_and_begins_a_line(line: str, is_heading: bool) -> None:
    text = f"Family history:\n{line}\nRest."
    divided = sentences(text, words(text))
    over = headings(text, divided, [[]] * len(divided))[-1]
    assert (over != ["Family", "history", ":"]) == is_heading
