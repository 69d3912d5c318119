"""A study of taggers from its files to its report, through Snakemake."""

from __future__ import annotations

import re
from itertools import product
from pathlib import Path

import pandas as pd
import pytest
from in_process import planned, run_study
from tagging_data import DRUGS, SIGNS, made_up, tiny_extraction, write_iob

from concept_transfer.extraction.corpus import Corpus
from concept_transfer.extraction.expected import expected_times
from concept_transfer.extraction.kept import fingerprint, kept_tagger
from concept_transfer.extraction.settings import load_extraction
from concept_transfer.extraction.spans import Span
from concept_transfer.extraction.tagger import CARD
from concept_transfer.extraction.taggings import Tagging
from concept_transfer.reporting.extraction.evidence import ExtractionEvidence
from concept_transfer.reporting.extraction.words import limitations

PLANTED = "Xylqobrix"


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("extraction")
    return run_study(folder, tiny_extraction(folder))


def test_every_tagger_is_scored_on_every_corpus(results: Path) -> None:
    scores = pd.concat(map(pd.read_parquet, sorted(results.glob("scores/*/scores.parquet"))))
    cells = set(scores[["corpus", "train", "tagger"]].itertuples(index=False, name=None))
    assert len(cells) == 2 * 2 * 4
    strict = scores[(scores["mode"] == "strict") & (scores["type"] == "all types")]
    assert (strict["f1_lower"] <= strict["f1"]).all()
    assert (strict["f1"] <= strict["f1_upper"]).all()
    learned = strict.set_index(["corpus", "train", "tagger"])["f1"]
    assert learned["lines", "all", "crf"] > 0.95  # there are but six frames
    assert set(scores.groupby("corpus")["unit"].first().items()) == {
        ("lines", "sentence"),
        ("notes", "document"),
    }
    assert set(scores.groupby("tagger")["replicates"].first().items()) == {
        *{("names", 1), ("crf", 2), ("network", 2), ("both", 2)}
    }


def test_the_page_has_its_parts_and_no_word_of_the_notes(results: Path) -> None:
    page = (results / "report.html").read_text(encoding="utf-8")
    for words in ("Taggers at a glance", "Paired comparisons", "Strict F1 by tagger and type"):
        assert words in page
    said = [results / "report.html"]
    for room in (
        "logs/**/*.log",
        "tables/*",
        "figures/*[!g]",
        "figures/*.svg",
        "corpora/**/*.json",
    ):
        found = list(results.glob(room))
        assert found, room
        said += found
    names = re.compile(
        rf"\b({'|'.join(map(re.escape, [*SIGNS, *DRUGS, 'wife', 'Monday']))})\b", re.I
    )
    assert names.search((results / "corpora/lines/test.parquet").read_bytes().decode("latin-1"))
    for file in said:
        assert not names.search(file.read_text(encoding="utf-8")), file


def test_the_page_says_of_which_corpus_the_documents_are_not_known(
    results: Path, tmp_path: Path
) -> None:
    """Of files without documents' names alone, and of none where all files have them."""
    unknown = "the files do not say which sentences belong to one document. Sentences are resampled"
    page = re.sub(r"\s+", " ", (results / "report.html").read_text(encoding="utf-8"))
    assert f"<li>lines: {unknown} as if they were independent, so intervals are too" in page
    assert page.count(unknown) == 1
    study = load_extraction(tiny_extraction(tmp_path))
    scores = pd.concat(map(pd.read_parquet, sorted(results.glob("scores/*/scores.parquet"))))
    for corpus, number in (("lines", 1), ("notes", 0)):
        own = scores[scores["corpus"] == corpus]
        evidence = ExtractionEvidence(study, own, pd.DataFrame(), pd.DataFrame(), [])
        assert sum(unknown in words for words in limitations(evidence)) == number


def test_texts_and_what_is_found_are_for_their_user_alone(results: Path) -> None:
    for room in ("corpora", "taggings", "taggers"):
        assert (results / room).stat().st_mode & 0o77 == 0


def test_what_has_learned_is_kept_and_finds_the_same(results: Path) -> None:
    for corpus in ("lines", "notes"):
        test = Corpus.read(results / "corpora" / corpus / "test.parquet")
        for card in sorted(results.glob(f"taggers/{corpus}/some/*/*/{CARD}")):
            found = Tagging.read(
                results / "taggings" / card.parent.relative_to(results / "taggers")
            )
            assert kept_tagger(card.parent).tag(test.sentences) == list(found.spans), card
    assert len(list(results.glob(f"taggers/*/*/*/*/{CARD}"))) == 2 * 2 * (1 + 3 * 2)


def test_a_word_of_the_test_part_reaches_nothing_that_learns(results: Path, tmp_path: Path) -> None:
    """Names, features, word pieces and weights are those of a study whose test part has none of it:
    every file of every tagger is the same, byte by byte."""
    config = tiny_extraction(tmp_path)
    test = made_up(60, 3, 6)
    drugs = [[PLANTED if word in DRUGS else word for word in words] for words in test.sentences]
    rare = [["He", "takes", PLANTED, "for", "cough", "."]] * 30
    marked = [[Span(2, 3, "Drug"), Span(4, 5, "Sign")]] * 30
    planted = Corpus([*drugs, *rare], [*test.spans, *marked], [*test.documents, *[6] * 30])
    write_iob(planted, tmp_path / "test.tsv", documents=False)
    cards = [f"lines/some/{tagger}/0/{CARD}" for tagger in ("names", "crf", "network", "both")]
    again = run_study(tmp_path, config, *(f"results/tiny/taggers/{card}" for card in cards))
    read = Corpus.read(again / "corpora/lines/test.parquet")
    assert sum(PLANTED in words for words in read.sentences) > 40
    for card in cards:
        folder = again / "taggers" / card
        assert fingerprint(folder.parent) == fingerprint((results / "taggers" / card).parent), card
    for file in (again / "taggers").rglob("*"):
        assert not file.is_file() or PLANTED.casefold().encode() not in file.read_bytes().lower()


def test_a_tagger_of_another_kind_learns_no_anew(tmp_path: Path) -> None:
    """Each tagger's job has a rule of its own, with the digest of just its code."""
    config = tiny_extraction(tmp_path)
    with planned(tmp_path, config) as jobs:
        digests = {
            job.rule.name: job.params.code for job in jobs if job.rule.name.startswith("tag_")
        }
    assert len(set(digests.values())) == 4
    with planned(tmp_path, config, "results/tiny/corpora/lines/train.parquet") as jobs:
        assert [job.rule.name for job in jobs] == ["read_corpus"]


def test_networks_alone_ask_for_a_gpu(tmp_path: Path) -> None:
    config = tiny_extraction(tmp_path) | {"resources": {"device": "cuda", "gpu": 1}}
    with planned(tmp_path, config) as jobs:
        asked = {
            job.rule.name: (job.resources.gpu, job.resources.device)
            for job in jobs
            if job.rule.name in ("tag_names", "tag_crf", "tag_network")
        }
    assert asked == {"tag_names": (0, "cuda"), "tag_crf": (0, "cuda"), "tag_network": (1, "cuda")}


def test_a_long_time_is_told_before_the_run(tmp_path: Path) -> None:
    """By the files' sizes, the network's and the number of replicates."""
    config = tiny_extraction(tmp_path)
    assert not list(expected_times(load_extraction(config), tmp_path))
    large = {**config["taggers"]["network"], "width": 1024, "layers": 24, "epochs": 50}
    config["taggers"]["network"] = large
    (sentence,) = expected_times(load_extraction(config), tmp_path)
    found = re.search(r"about (\d+) min at most, (\d+) (min|h)", sentence)
    assert found
    pieces = sum((tmp_path / f"{part}.tsv").stat().st_size for part in ("train", "devel")) / 6
    minutes = 12 * 24 * 1024**2 * 50 * pieces / 1.7e10 / 60
    assert int(found[1]) >= 0.9 * minutes
    done = tmp_path / "results/tiny/taggers"
    for corpus, train, replicate in product(("lines", "notes"), ("some", "all"), "01"):
        card = done / corpus / train / "network" / replicate / CARD
        card.parent.mkdir(parents=True)
        card.touch()
    assert not list(expected_times(load_extraction(config), tmp_path))


def test_nothing_is_told_of_another_processor_or_of_what_is_not_here(tmp_path: Path) -> None:
    config = tiny_extraction(tmp_path)
    config["taggers"]["network"] |= {"model": "owner/model", "epochs": 50}
    (sentence,) = expected_times(load_extraction(config), tmp_path)
    assert "taggers.network" in sentence
    assert "not known" in sentence
    config["resources"] = {"device": "cuda", "gpu": 1}
    assert not list(expected_times(load_extraction(config), tmp_path))
