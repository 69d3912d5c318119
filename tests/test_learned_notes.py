"""Notes read with a tagger that has learned from annotated ones: a corpus that the simulation
writes, a tagger, and the adapters that take it."""

from __future__ import annotations

import csv
import shutil
from pathlib import Path
from typing import Any

import pytest
from in_process import run_study
from pydantic import TypeAdapter

from concept_transfer.concepts.vocabulary import Vocabulary
from concept_transfer.errors import StudyError
from concept_transfer.extraction.corpus import Corpus
from concept_transfer.extraction.dictionary import compared
from concept_transfer.extraction.kept import fingerprint
from concept_transfer.extraction.mentions import ABSENT, PRESENT
from concept_transfer.extraction.words import words as words_of
from concept_transfer.settings.sites import Site
from concept_transfer.settings.task import Task
from concept_transfer.sites.reading import check_site, read_site
from concept_transfer.sites.simulated_notes import simulated_notes
from concept_transfer.workflow import site_inputs

REPOSITORY = Path(__file__).resolve().parents[1]
VOCABULARY = Vocabulary.read(REPOSITORY / "resources" / "concepts" / "influenza.tsv")
TASK = Task.model_validate(
    {"label": "influenza", "exclude_categories": ["impression", "lab order", "lab result"]}
)
COUNT = 60
NORTH = {
    "network": f"{REPOSITORY}/resources/networks/north.yaml",
    "style": f"{REPOSITORY}/resources/notes/north.yaml",
}
OTHERS = {
    "phrases": f"{REPOSITORY}/resources/notes/phrases.tsv",
    "cues": f"{REPOSITORY}/resources/notes/cues.tsv",
    "synonyms": f"{REPOSITORY}/resources/notes/synonyms.tsv",
}


@pytest.fixture(scope="module")
def taggers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of the taggers of a study of notes that need no data."""
    folder = tmp_path_factory.mktemp("annotated")
    config = {
        "extraction": "annotated",
        "corpora": {
            "north": {
                "format": "simulated_notes",
                "phrases": OTHERS["phrases"],
                "parts": {
                    "train": {**NORTH, "encounters": 80, "seed": 1},
                    "test": {**NORTH, "encounters": 20, "seed": 2},
                },
            }
        },
        "taggers": {"crf": {"kind": "hashed_crf"}},
        "evaluation": {"draws": 100},
    }
    results = run_study(folder, config)
    corpus = Corpus.read(results / "corpora/north/train.parquet")
    assert {span.label for spans in corpus.spans for span in spans} == {"sign", "symptom"}
    assert len(set(corpus.documents)) == 80
    return results / "taggers/north/train"


def simulated(**extraction: Any) -> Any:
    """Other encounters than those that the tagger has learned from."""
    section = {"adapter": "simulated_notes", **NORTH, "encounters": COUNT, "seed": 7}
    reading = {"cues": OTHERS["cues"], "synonyms": OTHERS["synonyms"], **extraction}
    section |= {"phrases": OTHERS["phrases"], "extraction": reading}
    return TypeAdapter(Site).validate_python(section)


def findings(extract: Any) -> set[tuple[int, int]]:
    rows = extract.inputs["findings"]
    return set(zip(rows.owners.tolist(), rows.values.tolist(), strict=True))


def told(root: Path) -> set[tuple[int, int]]:
    """What the notes say, as it was written; of a concept the state that comes first."""
    found: dict[tuple[int, str], int] = {}
    for row, note in enumerate(simulated_notes(simulated(), TASK, root)):
        for mention in note.mentions:
            state = ABSENT if mention.assertion == ABSENT else mention.state
            if mention.assertion in (PRESENT, ABSENT):
                token = VOCABULARY.token(mention.concept, state)
                at = row, mention.concept
                found[at] = min(token, found.get(at, token))
    return {(row, token) for (row, _), token in found.items()}


def test_a_learned_tagger_finds_mentions_that_no_list_names(taggers: Path, tmp_path: Path) -> None:
    """What they mean the review asks for; with an answer to that they are findings."""
    truth, found = told(tmp_path), {}
    answered = tmp_path / "answered.tsv"
    _answers(answered)
    kept = str(taggers / "crf/0")
    for name, site in (
        ("names", simulated()),
        ("learned", simulated(tagger=kept)),
        ("answered", simulated(tagger=kept, synonyms=str(answered))),
    ):
        check_site(site, VOCABULARY, TASK, tmp_path)
        extract = read_site(site, VOCABULARY, TASK, tmp_path)
        own = {pair for pair in findings(extract) if not _recorded(pair[1])}
        notes = extract.report["notes"]
        unnamed = notes["matched"].get("without concept", 0)
        found[name] = (len(own & truth) / len(own), len(own & truth) / len(truth), unnamed)
        assert notes.get("tagger") == (None if name == "names" else fingerprint(taggers / "crf/0"))
        rows = extract.mentions.to_pylist()
        assert any(not row["concept"] for row in rows) == bool(unnamed)
    (precision, recall, unnamed), learned, last = found.values()
    assert unnamed == 0 < last[2] < learned[2] / 5
    assert min(precision, learned[0], last[0]) > 0.97
    assert recall - 0.03 < learned[1] < last[1] - 0.08
    assert last[1] > 0.97


def _answers(path: Path) -> None:
    """The words of the notes with their concepts, each once."""
    known: dict[str, str] = {}
    with Path(OTHERS["phrases"]).open(encoding="utf-8") as file:
        for row in csv.DictReader((line for line in file if line[0] != "#"), delimiter="\t"):
            words = tuple(compared(word.text) for word in words_of(row["phrase"]))
            line = f"{row['concept']}\t{row['phrase']}\t{row['state']}\n"
            known.setdefault(" ".join(words), line)
    path.write_text("concept\tsynonym\tstate\n" + "".join(known.values()), encoding="utf-8")


def _recorded(token: int) -> bool:
    return VOCABULARY.concepts[token] in ("agegroup", "season")


def test_a_hospital_reads_its_other_notes_with_it(taggers: Path, tmp_path: Path) -> None:
    """The adapter `notes`, from files, finds what `simulated_notes` finds in the same notes."""
    site = simulated(tagger=str(taggers / "crf/0"))
    expected = read_site(site, VOCABULARY, TASK, tmp_path)
    ids = expected.encounters.table.column("encounter").to_pylist()
    labels = expected.encounters.labels.tolist()
    with (tmp_path / "notes.csv").open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["id", "note"])
        rows.writerows(
            zip(ids, (n.text for n in simulated_notes(site, TASK, tmp_path)), strict=True)
        )
    lines = [f"{i},{label}\n" for i, label in zip(ids, labels, strict=True)]
    (tmp_path / "encounters.csv").write_text("id,flu\n" + "".join(lines), encoding="utf-8")
    shutil.copytree(taggers / "crf/0", tmp_path / "tagger")
    section = {
        "adapter": "notes",
        "path": "encounters.csv",
        "encounter": "id",
        "label": {"column": "flu", "positive": ["1"], "negative": ["0"]},
        "notes": {"files": ["notes.csv"], "text": "note"},
        "extraction": {**{k: OTHERS[k] for k in ("cues", "synonyms")}, "tagger": "tagger"},
    }
    own = TypeAdapter(Site).validate_python(section)
    assert "tagger/tagger.json" in site_inputs(own, tmp_path)
    check_site(own, VOCABULARY, TASK, tmp_path)
    read = read_site(own, VOCABULARY, TASK, tmp_path)
    wanted = {pair for pair in findings(expected) if not _recorded(pair[1])}
    assert findings(read) == wanted
    assert wanted
    (tmp_path / "tagger/names.json").unlink()
    for ask in (check_site, read_site):
        with pytest.raises(StudyError, match=r"^extraction.tagger: the tagger in .* is incomplete"):
            ask(own, VOCABULARY, TASK, tmp_path)
