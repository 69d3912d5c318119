"""Which codes belong together: methods by hand, judged on others only, small counts unseen."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from connected_data import asked, nodes_of, patients
from history_data import history
from sklearn.metrics import roc_auc_score

from concept_transfer.cell import ALL_SITES
from concept_transfer.cohorts.encounters import Encounters, encounter_table
from concept_transfer.concepts.vocabulary import Vocabulary
from concept_transfer.embeddings.table import EmbeddingTable
from concept_transfer.errors import StudyError
from concept_transfer.inputs.rows import CompressedRows
from concept_transfer.interconnections.code_sets import CodeSets
from concept_transfer.interconnections.counts import all_pairs, counts_by, pair_counts
from concept_transfer.interconnections.interconnect import interconnect
from concept_transfer.interconnections.matrices import of_pairs
from concept_transfer.interconnections.methods import METHODS
from concept_transfer.interconnections.methods.method import Learned
from concept_transfer.interconnections.nodes import (
    Nodes,
    Ontology,
    chosen_codes,
    described,
    numbered,
)
from concept_transfer.interconnections.question import HALVES, Question
from concept_transfer.interconnections.schemas import TABLES
from concept_transfer.interconnections.sources import of_findings, of_history
from concept_transfer.interconnections.statistics import log_p_together
from concept_transfer.interconnections.truth import planted, truth_of
from concept_transfer.interconnections.vectors import code_vectors
from concept_transfer.parquet import table_of
from concept_transfer.settings.interconnections import CodeNodes, Edges

SETS = patients(4000, 1)
PAIRS = all_pairs(24)
PLANTED = (PAIRS[0] % 2 == 0) & (PAIRS[1] == PAIRS[0] + 1) & (PAIRS[0] < 8)
ROWS = [set(row.tolist()) for row in SETS.codes]


def learned(sets: CodeSets, **more: Any) -> Learned:
    nodes = nodes_of(sets)

    def strata(by: tuple[str, ...]) -> list[Any]:
        return counts_by(sets, sets.strata(by))

    return Learned(nodes, sets, pair_counts(sets.codes, len(nodes)), strata, **more)


def scores(kind: str, sets: CodeSets = SETS, more: Any = None, **settings: Any) -> np.ndarray:
    section = METHODS[kind].settings(kind=kind, **settings)
    return METHODS[kind].scores(section, learned(sets, **(more or {})))


BY_HAND = {
    "jaccard": lambda n, a, m, k: a / (m + k - a),
    "lift": lambda n, a, m, k: a * n / (m * k),
    "phi": lambda n, a, m, k: (n * a - m * k) / np.sqrt(m * (n - m) * k * (n - k)),
    "pmi": lambda n, a, m, k: np.log((a + 5) / (m * k / n + 5)),
    "marginals": lambda n, a, m, k: m * k / n,
}


@pytest.mark.parametrize("kind", BY_HAND)
def test_scores_are_those_counted_by_hand(kind: str) -> None:
    found, n = scores(kind), len(ROWS)
    for one, other in [(0, 1), (3, 17), (22, 4)]:
        a = sum({one, other} <= row for row in ROWS)
        m, k = (sum(code in row for row in ROWS) for code in (one, other))
        assert found[one, other] == pytest.approx(BY_HAND[kind](n, a, m, k))


@pytest.mark.parametrize("kind", sorted({*METHODS} - {"masked_codes", "embedding", "chat"}))
def test_matrices_are_symmetric_and_silent_of_a_code_with_itself(kind: str) -> None:
    found = scores(kind)
    assert found.shape == (24, 24)
    assert np.isnan(np.diagonal(found)).all()
    other = found.T if not METHODS[kind].directed else -found.T
    np.testing.assert_allclose(found, other)


@pytest.mark.parametrize("kind", ["shrunken", "fisher", "pmi", "phi", "jaccard", "odds_ratio"])
def test_methods_find_what_was_put_together(kind: str) -> None:
    assert roc_auc_score(PLANTED, of_pairs(scores(kind))) > 0.99


def test_what_age_makes_is_no_link_within_ages() -> None:
    """Two codes that only the old have meet often, and no more among the old than by chance."""
    rng = np.random.default_rng(3)
    old = rng.random(6000) < 0.3
    held = rng.random((6000, 3)) < np.where(old, 0.3, 0.01)[:, None]
    rows, codes = np.nonzero(held)
    offsets = np.concatenate([[0], held.sum(axis=1).cumsum()]).astype(np.int64)
    sets = CodeSets(
        CompressedRows(offsets, codes.astype(np.int32)),
        np.full(len(rows), np.nan, np.float32),
        np.arange(6000),
        np.arange(6000),
        np.where(old, "old", "young"),
        np.full(6000, ""),
        ("a", "b", "c"),
    )
    assert of_pairs(scores("shrunken", sets)).min() > 20
    assert of_pairs(scores("shrunken", sets, by=["age"])).max() < 1
    assert of_pairs(scores("odds_ratio", sets, by=[])).min() > np.log(3)
    assert of_pairs(scores("odds_ratio", sets)).max() < np.log(1.2)
    own = pair_counts(sets.codes, 3)
    groups = counts_by(sets, sets.strata(("age", "sex")))
    truth = truth_of(own, groups, Edges(), 11, 0.95)
    assert truth.significant.all()
    assert not truth.strong.any()


def test_the_hierarchy_has_blocks_before_chapters() -> None:
    found = scores("hierarchy")
    assert (found[0, 1], found[0, 5], found[0, 9]) == (2, 1, 0)
    assert scores("hierarchy", level="chapter")[0, 5] == 1
    assert scores("hierarchy", level="block")[0, 5] == 0


def test_an_embedding_is_asked_for_cosines() -> None:
    vectors = np.random.default_rng(0).normal(size=(24, 5)).astype(np.float32)
    vectors[3] = 0
    found = scores("embedding", more={"vectors": {"it": vectors}}, of="it")
    expected = vectors[0] @ vectors[1] / np.linalg.norm(vectors[0]) / np.linalg.norm(vectors[1])
    assert found[0, 1] == pytest.approx(expected)
    assert np.isnan(found[3]).all()


def test_the_order_is_a_sign_test() -> None:
    sets = replace(SETS, days=np.where(SETS.codes.values == 1, 2000, SETS.days).astype(np.float32))
    found = scores("order", sets)
    both = sum({0, 1} <= row for row in ROWS)
    assert found[0, 1] == pytest.approx(np.sqrt(both))
    assert found[1, 0] == -found[0, 1]


# All of it


def question(**changes: Any) -> Question:
    sites = {"here": patients(3000, 11, together=16), "there": patients(2500, 12, together=16)}
    settings = asked(["shrunken", "fisher", "cooccurrence", "hierarchy", "marginals"])
    given = {"settings": settings, "nodes": nodes_of(sites["here"]), "sites": sites}
    return Question(**{**given, "seed": 1, "small_cells": 25, "confidence": 0.9, **changes})


@pytest.fixture(scope="module")
def found() -> dict[str, list[dict[str, Any]]]:
    links = np.zeros((24, 24), bool)
    links[range(0, 16, 2), range(1, 16, 2)] = True
    return interconnect(question(links=links))


def test_rows_fit_their_tables(found: dict[str, list[dict[str, Any]]]) -> None:
    assert found.keys() == TABLES.keys()
    for name, rows in found.items():
        assert table_of(rows, TABLES[name]).num_rows == len(rows) > 0


def test_no_pair_of_few_patients_is_in_any_row(found: dict[str, list[dict[str, Any]]]) -> None:
    asked_of = question()
    rows = [set(row.tolist()) for sets in asked_of.sites.values() for row in sets.codes]
    place = {code: number for number, code in enumerate(asked_of.nodes.code)}
    told = set()
    for pair in found["pairs"]:
        codes = {place[pair["code_a"]], place[pair["code_b"]]}
        told.add(frozenset(codes))
        assert pair["patients"] == sum(codes <= row for row in rows) >= 25
        for site in pair["sites"]:
            own = [set(row.tolist()) for row in asked_of.sites[site].codes]
            assert sum(codes <= row for row in own) >= 25
    enough = [
        frozenset(pair)
        for pair in zip(*map(list, PAIRS), strict=True)
        if sum(set(pair) <= row for row in rows) >= 25
    ]
    assert told == set(enough)


def test_edges_of_the_judging_part_are_not_those_learned_from(
    found: dict[str, list[dict[str, Any]]],
) -> None:
    """Fisher's precision from one site to the other, all by hand."""
    rows = pd.DataFrame(found["performance"])
    own = rows[(rows["learned"] == "here") & (rows["judged"] == "there")]
    own = own[(own["method"] == "fisher") & (own["truth"] == "significant")]
    value = own[(own["stratum"] == "all")].set_index("measure")["value"]
    sites = question().sites
    p = {
        name: log_p_together(pair_counts(sets.codes, 24).of_pairs(PAIRS))
        for name, sets in sites.items()
    }
    ranked = np.sort(p["there"])
    limits = np.log(0.05 * np.arange(1, len(ranked) + 1) / len(ranked))
    edges = p["there"] <= ranked[np.flatnonzero(ranked <= limits)[-1]]
    best = np.argsort(p["here"])[: edges.sum()]
    assert value["precision"] == pytest.approx(edges[best].mean())
    assert value["auroc"] == pytest.approx(roc_auc_score(edges, -p["here"]))


def test_who_learns_from_patients_is_never_judged_on_them(
    found: dict[str, list[dict[str, Any]]],
) -> None:
    rows = pd.DataFrame(found["performance"])
    same = rows[rows["judged"] == ALL_SITES]
    assert set(same["method"]) == {"hierarchy", "marginals"}
    assert (same["learned"] == "").all()
    assert (rows["learned"] != rows["judged"]).all()


def test_an_encoder_is_judged_where_it_never_read() -> None:
    vectors = {"it": np.eye(24, dtype=np.float32)}
    settings = asked({"read": {"kind": "embedding", "of": "it"}, "fisher": None})
    asked_of = question(settings=settings, vectors=vectors, known_to={"read": frozenset({"here"})})
    rows = pd.DataFrame(interconnect(asked_of)["performance"])
    assert set(rows.loc[rows["method"] == "read", "judged"]) == {"there"}
    assert set(rows.loc[rows["method"] == "fisher", "judged"]) >= {*HALVES, "here", "there"}


def test_planted_links_are_recalled(found: dict[str, list[dict[str, Any]]]) -> None:
    rows = pd.DataFrame(found["performance"])
    own = rows[(rows["truth"] == "planted") & (rows["measure"] == "recall")]
    recall = own.groupby("method")["value"].mean()
    assert recall["shrunken"] > 0.9
    assert recall["marginals"] < 0.3
    assert all(pair["planted"] for pair in found["pairs"][:4])


def test_the_same_seed_gives_the_same_rows(found: dict[str, list[dict[str, Any]]]) -> None:
    links = np.zeros((24, 24), bool)
    links[range(0, 16, 2), range(1, 16, 2)] = True
    again = interconnect(question(links=links))
    for name, rows in found.items():
        first, second = pd.DataFrame(rows), pd.DataFrame(again[name])
        pd.testing.assert_frame_equal(first, second)


def test_precision_has_an_interval_where_one_half_judges(
    found: dict[str, list[dict[str, Any]]],
) -> None:
    rows = pd.DataFrame(found["performance"])
    told = rows[(rows["judged"] == "half a") & (rows["stratum"] == "all")]
    told = told[(told["measure"] == "precision") & (told["truth"] == "significant")]
    assert len(told) == 5
    assert (told["lower"] <= told["upper"]).all()
    apart = pd.DataFrame(found["differences"])
    one = apart[(apart["a"] == "shrunken") & (apart["b"] == "marginals")]
    assert (one.loc[one["measure"] == "precision", "lower"] > 0).all()


# Where codes come from


def test_histories_become_patients_and_visits() -> None:
    rows = [
        [("GENDER//F", 0, np.nan), ("A1", 1, 30.0), ("B", 1, 30.0), ("A1", 2, 5.0)],
        [("B", 1, 9.0)],
    ]
    made = history(rows, ["A1", "B", "GENDER//F"], age=19.0)
    sets = of_history(made, "patient", [18], ["GENDER//*"])
    assert [[sets.names[code] for code in row] for row in sets.codes] == [["A1", "B"], ["B"]]
    assert sets.days.tolist() == [-30, -30, -9]
    assert sets.sex.tolist() == ["GENDER//F", ""]
    assert sets.age.tolist() == ["from 18", "from 18"]
    visits = of_history(made, "visit", [18], ["GENDER//*"])
    assert [[visits.names[code] for code in row] for row in visits.codes] == [
        ["A1", "B"],
        ["A1"],
        ["B"],
    ]
    assert visits.cluster.tolist() == [0, 0, 1]


@pytest.fixture(scope="module")
def vocabulary(repository: Path) -> Vocabulary:
    return Vocabulary.read(repository / "resources/concepts/influenza.tsv")


def test_findings_are_codes_where_they_are_present(vocabulary: Vocabulary) -> None:
    concepts = [c for c, s in vocabulary.concept_states.items() if set(s) == {"present", "absent"}]
    tokens = [
        [vocabulary.token(concepts[0], "present"), vocabulary.token("agegroup", "child")],
        [vocabulary.token(concepts[0], "absent"), vocabulary.token(concepts[1], "present")],
    ]
    offsets = np.array([0, 2, 4])
    rows = CompressedRows(offsets, np.sort(np.array(tokens), axis=1).ravel().astype(np.int32))
    cohort = Encounters(encounter_table(["e", "f"], ["p", "p"], [0, 1]))
    sets = of_findings(rows, cohort, vocabulary)
    assert [[sets.names[code] for code in row] for row in sets.codes] == [
        [concepts[0]],
        [concepts[1]],
    ]
    assert sets.age.tolist() == ["child", ""]
    assert sets.cluster.tolist() == [0, 0]


def test_codes_are_cut_counted_and_named(repository: Path, vocabulary: Vocabulary) -> None:
    ontology = Ontology.read(repository / "resources/ontologies/icd10cm.tsv")
    settings = CodeNodes(characters=3, only=["ICD/*"], prefix="ICD/", min_patients=2)
    own = ["ICD/E11.9", "ICD/E11.65", "ICD/R05-", "ICD/I10", "ICD/Q99", "ATC/E11"]
    sets = replace(
        patients(3, 0, codes=6, together=0),
        codes=CompressedRows(np.array([0, 3, 6, 7]), np.array([0, 1, 5, 2, 3, 4, 3], np.int32)),
        days=np.zeros(7, np.float32),
        names=tuple(own),
    )
    again = replace(sets, codes=sets.codes.select(np.array([0, 1, 2])))
    assert chosen_codes([sets, again], settings) == ["ICD/E11", "ICD/I10", "ICD/Q99", "ICD/R05"]
    codes, number = numbered(own, settings, ["ICD/E11", "ICD/I10"])
    assert number.tolist() == [0, 0, -1, 1, -1, -1]
    nodes = described(codes, "ICD/", ontology, vocabulary)
    assert nodes.name == ("Type 2 diabetes mellitus", "Essential (primary) hypertension")
    assert nodes.block == ("E08-E13", "I10-I1A")
    assert nodes.chapter == ("E00-E89", "I00-I99")
    assert described(["ATC/E11"], "ICD/", ontology, vocabulary).chapter == ("",)
    with pytest.raises(StudyError, match=r"1 are left that 5 patients.*lower min_patients"):
        chosen_codes([sets] * 3, settings.model_copy(update={"min_patients": 5}))


def test_nodes_survive_their_file(tmp_path: Path) -> None:
    nodes = nodes_of(SETS)
    nodes.write(tmp_path / "nodes.tsv")
    assert Nodes.read(tmp_path / "nodes.tsv") == nodes


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ("a\t\tA\na\t\tB\n", "line 3 has the code 'a' again"),
        ("a\tb\tA\n", "the parent 'b' of 'a' has no row"),
        ("a\tb\tA\nb\ta\tB\n", "'a' lies above itself"),
    ],
)
def test_an_ontology_that_is_none_is_refused(tmp_path: Path, rows: str, said: str) -> None:
    (tmp_path / "o.tsv").write_text(f"code\tparent\tname\n{rows}")
    with pytest.raises(StudyError, match=said):
        Ontology.read(tmp_path / "o.tsv")


def test_the_packaged_ontology_has_every_category_in_a_block_of_a_chapter(
    repository: Path,
) -> None:
    ontology = Ontology.read(repository / "resources/ontologies/icd10cm.tsv")
    chapters = [code for code, parent in ontology.parents.items() if not parent]
    assert len(chapters) == 22
    for code in ontology.names:
        if len(code) == 3:
            *_, block, chapter = ["", *(ontology.above(code) or [])]
            assert chapter in chapters
            for kind in filter(None, (block, chapter)):
                first, _, last = kind.partition("-")
                assert first[:2] <= code[:2] <= last[:2], (code, kind)


def test_links_are_those_of_the_codes_nodes() -> None:
    linked = planted([("E11.9", "I10"), ("I10", "I10.1"), ("X", "I10")], ["E11", "I10"])
    assert linked.tolist() == [[False, True], [False, False]]


def test_controls_deal_vectors_anew(vocabulary: Vocabulary) -> None:
    from pydantic import TypeAdapter

    from concept_transfer.settings.embeddings import Embedding

    embeddings = TypeAdapter(dict[str, Embedding]).validate_python(
        {
            "one_hot": {"provider": "one_hot"},
            "shuffled": {"provider": "shuffled", "of": "one_hot"},
            "random": {"provider": "random", "like": "one_hot"},
        }
    )
    present = [c for c, s in vocabulary.concept_states.items() if "present" in s][:6]
    nodes = described([*present, "unknown"], "", None, vocabulary)
    vectors = np.eye(len(vocabulary), dtype=np.float32)
    table = EmbeddingTable.create("one_hot", "one_hot", vectors, vocabulary)
    made = {
        name: code_vectors(name, embeddings, nodes, vocabulary, table, 1, Path(), "cpu")
        for name in embeddings
    }
    own = made["one_hot"]
    assert [int(row.argmax()) for row in own[:6]] == [
        vocabulary.token(concept, "present") for concept in present
    ]
    assert not own[6].any()
    assert sorted(map(tuple, made["shuffled"])) == sorted(map(tuple, own))
    assert (made["shuffled"] != own).any()
    assert made["random"][:6].any(axis=1).all()
    assert not made["random"][6].any()
