"""Proposals for crosswalks: ranks against a brute force, accuracy against other libraries."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.metrics.pairwise import cosine_similarity
from statsmodels.stats.contingency_tables import mcnemar as mcnemar_reference
from statsmodels.stats.proportion import proportion_confint

from concept_transfer.concepts.crosswalk import Crosswalk
from concept_transfer.concepts.vocabulary import Vocabulary
from concept_transfer.errors import StudyError
from concept_transfer.proposals.accuracy import STRINGS, accuracy_table, hits, mcnemar, weighted
from concept_transfer.proposals.codes import Code, codes_of_site, read_descriptions, words_of
from concept_transfer.proposals.propose import propose
from concept_transfer.proposals.similarity import (
    concept_texts,
    embedding_similarity,
    ranked,
    string_similarity,
)
from concept_transfer.proposals.words import proposal_text

ROWS = [
    ("C1", "cough", "present", "cough"),
    ("C1", "cough", "absent", "no cough"),
    ("C2", "fever", "present", "fever reported by the patient"),
    ("T", "temperature", "high", "body temperature above 40 degrees"),
    ("T", "temperature", "low", "body temperature of 38 degrees"),
    ("T", "temperature", "no information", "temperature not taken"),
    ("C3", "headache", "present", "pain in the head"),
]
VOCABULARY = Vocabulary(
    tuple(row[0] for row in ROWS),
    tuple(row[1] for row in ROWS),
    ("finding",) * len(ROWS),
    tuple(row[2] for row in ROWS),
    tuple(row[3] for row in ROWS),
)


def vectors(texts: Sequence[str]) -> NDArray[np.float32]:
    """The same random vector for the same text, of various lengths."""
    seeds = [sum(map(ord, text)) * 31 + len(text) for text in texts]
    rows = [np.random.default_rng(seed).normal(size=6) * (1 + seed % 3) for seed in seeds]
    return np.array(rows, np.float32).reshape(-1, 6)


def brute_force(text: str) -> list[tuple[str, float, str]]:
    """Concepts, cosines and states, the most similar first, one comparison after the other."""

    def cosine(one: str, other: str) -> float:
        a, b = (vectors([t])[0].astype(float) for t in (one, other))
        return float(a @ b / np.linalg.norm(a) / np.linalg.norm(b))

    found = []
    for concept, states in VOCABULARY.concept_states.items():
        said = [s for s in states if s not in ("absent", "no information")]
        tokens = [VOCABULARY.index[concept, state] for state in said]
        by_state = [cosine(text, VOCABULARY.texts[token]) for token in tokens]
        best = max([*by_state, cosine(text, VOCABULARY.names[tokens[0]])])
        found.append((concept, best, said[int(np.argmax(by_state))]))
    return sorted(found, key=lambda each: -each[1])


def test_candidates_are_those_of_a_brute_force() -> None:
    texts = [f"text {i}" for i in range(40)]
    concepts = concept_texts(VOCABULARY)
    ranks = ranked(embedding_similarity(texts, concepts, vectors), concepts, 3)
    for i, text in enumerate(texts):
        for rank, (concept, cosine, state) in enumerate(brute_force(text)[:3]):
            assert concepts.concepts[ranks.concept[i, rank]] == concept
            assert ranks.cosine[i, rank] == pytest.approx(cosine, abs=1e-6)
            assert ranks.state[i, rank] == state


def test_spelling_is_compared_by_the_cosine_of_n_grams() -> None:
    concepts = concept_texts(VOCABULARY)
    texts = ["dry cough", "head pain", "zzzz"]
    grams = TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 4)).fit(concepts.texts)
    expected = cosine_similarity(grams.transform(texts), grams.transform(concepts.texts))
    found = string_similarity(texts, concepts)
    assert np.allclose(found, expected[:, concepts.text])
    assert not found[2].any()
    assert concepts.concepts[ranked(found, concepts, 1).concept[0, 0]] == "C1"


@pytest.mark.parametrize("seed", range(5))
def test_intervals_and_p_are_those_of_statsmodels(seed: int) -> None:
    rng = np.random.default_rng(seed)
    count = int(rng.integers(5, 80))
    truths = [frozenset(rng.choice(12, rng.integers(1, 3), replace=False)) for _ in range(count)]
    orders = {
        name: np.array([rng.permutation(12) for _ in range(count)]) for name in ("one", STRINGS)
    }
    orders["one"][: count // 2, 0] = [min(truth) for truth in truths[: count // 2]]
    encounters = rng.integers(1, 500, count)
    table = accuracy_table(orders, truths, encounters, seed)
    p = []
    for row in table.to_dict("records"):
        right, strings = (
            np.array([bool(truths[i] & set(order[i][: row["top"]])) for i in range(count)])
            for order in (orders[row["method"]], orders[STRINGS])
        )
        lower, upper = proportion_confint(right.sum(), count, method="wilson")
        assert row["accuracy"] == pytest.approx(right.mean())
        assert (row["lower"], row["upper"]) == pytest.approx((lower, upper))
        assert row["weighted"] == pytest.approx(np.average(right, weights=encounters))
        assert row["weighted_lower"] <= row["weighted"] <= row["weighted_upper"]
        if row["method"] != STRINGS:
            both = pd.crosstab(
                pd.Categorical(right, [True, False]),
                pd.Categorical(strings, [True, False]),
                dropna=False,
            ).to_numpy()
            assert (row["only_it"], row["only_strings"]) == (both[0, 1], both[1, 0])
            assert row["p"] == pytest.approx(mcnemar_reference(both, exact=True).pvalue)
            p.append(row["p"])
    larger, smaller = max(p), min(p)
    adjusted = sorted(table["p_holm"].dropna())
    assert adjusted == pytest.approx([min(1, 2 * smaller), max(min(1, 2 * smaller), larger)])


def test_the_weighted_interval_covers() -> None:
    """Of 200 samples of codes, about 95 % of the intervals hold the share they were drawn from."""
    rng = np.random.default_rng(1)
    covered = 0
    for seed in range(200):
        weights = rng.exponential(size=120)
        _, low, high = weighted(rng.random(120) < 0.7, weights, seed)
        covered += low <= 0.7 <= high
    assert 0.88 <= covered / 200 <= 0.99


def test_equal_methods_have_no_difference() -> None:
    right = np.array([True, False])
    assert mcnemar(right, right) == (0, 0, 1.0)
    assert hits(np.array([[2, 1]]), [frozenset({1})], 1).tolist() == [False]


def codes() -> list[Code]:
    return [
        Code("A1", "cough", 50, ("C1",)),
        Code("A2", "fever", 20, ("C2", "T")),
        Code("B1", "hot body", 12),
        Code("B2", "", 3),
    ]


def test_proposals_wait_for_their_review(tmp_path: Path) -> None:
    proposals = propose({"north": codes(), "south": codes()[1:3]}, VOCABULARY, {"m": vectors}, 1)
    table = proposals.tables["north"]
    concept, cosine, state = brute_force("hot body")[0]
    name = VOCABULARY.names[VOCABULARY.concepts.index(concept)]
    first = table.iloc[0]
    assert (first["site_code"], first["concept"], first["encounters"]) == ("B1", concept, 12)
    assert first["state"] == ("" if state == "present" else state)
    assert first["m 1"] == f"{concept} {name} ({cosine:.2f})"
    assert [c for c in table if c.startswith("m ")] == [f"m {i}" for i in range(1, 5)]
    assert table["concept"].tolist()[1:] == [""]
    path = tmp_path / "north.tsv"
    table.to_csv(path, sep="\t", index=False)
    with pytest.raises(StudyError, match="mapping of 'B1' is proposed and not reviewed"):
        Crosswalk.read(path, VOCABULARY)
    table.assign(relation="related").head(1).to_csv(path, sep="\t", index=False)
    assert Crosswalk.read(path, VOCABULARY).tokens(["B1"])[1].tolist() == [
        VOCABULARY.index[concept, state]
    ]
    together = proposals.accuracy[proposals.accuracy["site"] == "all_sites"]
    assert set(together["codes"]) == {2}
    text = proposal_text(proposals, {"north": "n.tsv", "south": "s.tsv"}, 13)
    assert "north: 2 codes lack a mapping; proposals to review are in n.tsv (1 have no w" in text
    assert f"B1 'hot body' x <13: {concept}" in text
    assert "m, top 1: " in text


def test_without_words_or_mapped_codes_nothing_is_invented() -> None:
    silent = propose({"north": [Code("B2", "", 3)]}, VOCABULARY, {"m": vectors}, 1)
    assert silent.tables["north"]["concept"].tolist() == [""]
    lone = propose({"north": codes()[2:]}, VOCABULARY, {}, 1)
    assert lone.accuracy.empty
    assert lone.tables["north"]["note"].iloc[0].endswith(f"by {STRINGS}")
    assert "nothing is known" in proposal_text(lone, {"north": "n"}, 11)


def test_codes_come_from_the_report_and_the_crosswalk(tmp_path: Path) -> None:
    walk = tmp_path / "walk.tsv"
    walk.write_text("site_code\tconcept\nA*\tC1\nA*\tC2\n")
    report = {"mapping": {"mapped_codes": {"A1": 5, "C3": 9}}, "unmapped": {"low_fever": 7}}
    crosswalk = Crosswalk.read(walk, VOCABULARY)
    assert codes_of_site(report, crosswalk, {"A1": "cough with fever"}) == [
        Code("low_fever", "low fever", 7),
        Code("A1", "cough with fever", 5, ("C1", "C2")),
    ]


@pytest.mark.parametrize(
    ("code", "words"),
    [("R05.1", ""), ("dry-cough", "dry cough"), ("", ""), ("AB", ""), ("Müdigkeit", "Müdigkeit")],
)
def test_a_code_that_is_words_describes_itself(code: str, words: str) -> None:
    assert words_of(code) == words


def test_descriptions_are_a_table_or_a_vocabulary(tmp_path: Path, repository: Path) -> None:
    file = tmp_path / "d.tsv"
    file.write_text("code\tdescription\nA\tcough\nB\tfever\n")
    assert read_descriptions(file) == {"A": "cough", "B": "fever"}
    reasons = read_descriptions(repository / "resources/concepts/nhamcs-reasons.tsv")
    assert reasons["RFV14400"] == "cough"
    file.write_text("code\tdescription\nA\tcough\nA\tfever\n")
    with pytest.raises(StudyError, match=r"d\.tsv, line 3: code 'A' is 'fever', and 'cough'"):
        read_descriptions(file)
    file.write_text("key\tdescription\nA\tcough\n")
    with pytest.raises(StudyError, match=r"lacks the column\(s\) concept"):
        read_descriptions(file)
