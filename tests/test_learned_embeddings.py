"""Tables that encounters teach: against numpy's own factors, never from those who test, and each
model with the table of its source."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from embedding_data import findings
from hypothesis import given, settings
from hypothesis import strategies as st
from in_process import planned, run_job, run_study
from pydantic import TypeAdapter, ValidationError
from scipy.sparse import csr_array
from scipy.sparse.csgraph import laplacian
from workflow_runs import tiny_study

from concept_transfer.cohorts.splits import Split
from concept_transfer.embeddings.providers import embed
from concept_transfer.embeddings.table import EmbeddingTable
from concept_transfer.errors import StudyError
from concept_transfer.inputs.findings import read as read_findings
from concept_transfer.inputs.rows import CompressedRows
from concept_transfer.interconnections.factors import graph_vectors
from concept_transfer.settings.embeddings import Embedding
from concept_transfer.study import load_study

VOCABULARY = findings(6)
WIDTH = len(VOCABULARY)
LEARNED = {
    "codes": {"provider": "cooccurrence", "of": "source", "width": 6},
    "codes_shuffled": {"provider": "shuffled", "of": "codes"},
    "graph": {"provider": "spectral", "of": "source", "method": "phi", "width": 4},
    "from_north": {"provider": "cooccurrence", "of": "north", "width": 6},
}


def rows_of(held: np.ndarray) -> CompressedRows:
    matrix = csr_array(held)
    return CompressedRows(matrix.indptr.astype(np.int64), matrix.indices.astype(np.int32))


def made(section: dict[str, Any], held: np.ndarray) -> np.ndarray:
    config = TypeAdapter(Embedding).validate_python({"of": "source", **section})
    return embed("codes", config, VOCABULARY, Path(), findings=rows_of(held)).vectors


@given(st.integers(0, 10**6), st.sampled_from([1, 8]), st.sampled_from([0.0, 0.3]))
@settings(max_examples=25, deadline=None)
def test_factors_are_those_of_numpy(seed: int, least: int, shift: float) -> None:
    """Left singular vectors times singular values, up to rotation: their products are unique."""
    rng = np.random.default_rng(seed)
    held = rng.random((90, WIDTH)) < rng.uniform(0.02, 0.6, WIDTH)
    section = {"provider": "cooccurrence", "width": 5, "min_encounters": least, "shift": shift}
    together = held.T.astype(float) @ held
    frequent = np.diagonal(together) >= least
    if frequent.sum() < 3:
        return
    with np.errstate(divide="ignore", invalid="ignore"):
        information = np.log(together * len(held) / np.outer(held.sum(0), held.sum(0))) - shift
    enough = (together >= max(least, 1)) & ~np.eye(WIDTH, dtype=bool) & (information > 0)
    positive = np.where(enough, information, 0)
    if not positive.any():
        return
    left, values, _ = np.linalg.svd(positive)
    found = made(section, held)
    if values[4] - values[5] > 1e-6:
        expected = left[:, :5] * values[:5]
        np.testing.assert_allclose(found @ found.T, expected @ expected.T, atol=1e-4)
    assert not found[~positive.any(axis=1)].any()


def test_what_comes_together_lies_together() -> None:
    rng = np.random.default_rng(0)
    held = rng.random((3000, WIDTH)) < 0.03
    themes = [0, 2, 4, 6], [1, 3, 5, 7]
    for number, theme in enumerate(themes):
        whose = np.arange(3000) % 10 == number
        held[np.ix_(whose, theme)] |= rng.random((whose.sum(), 4)) < 0.5
    for section in (
        {"provider": "cooccurrence", "width": 2, "scale": "unit"},
        {"provider": "spectral", "width": 2, "method": "fisher", "density": 0.1},
    ):
        vectors = made({"scale": "unit", **section}, held)
        within = [vectors[theme] @ vectors[theme].T for theme in themes]
        assert np.min(within) > 0.8
        assert (vectors[themes[0]] @ vectors[themes[1]].T).max() < 0.4


def test_a_graph_is_read_by_its_laplacian() -> None:
    rng = np.random.default_rng(1)
    edges = np.triu(rng.random((12, 12)) < 0.3, 1).astype(float)
    edges += edges.T
    edges[3] = edges[:, 3] = 0
    values, vectors = np.linalg.eigh(np.eye(12) - laplacian(edges, normed=True))
    kept = edges.any(axis=1)
    values[np.abs(vectors[3]) > 0.5] = 0  # the code without an edge is alone
    best = np.argsort(-np.abs(values))[:4]
    expected = vectors[:, best] * np.sqrt(np.abs(values[best]))
    found = graph_vectors(edges, 4)
    np.testing.assert_allclose(
        found @ found.T, expected @ expected.T * np.outer(kept, kept), atol=1e-9
    )
    assert not found[3].any()


def test_findings_that_nobody_has_teach_nothing() -> None:
    with pytest.raises(StudyError, match=r"0 findings are recorded in 11 encounters"):
        made({"provider": "cooccurrence"}, np.zeros((50, WIDTH), bool))
    alone = np.eye(WIDTH, dtype=bool).repeat(20, axis=0)
    with pytest.raises(StudyError, match="no two findings come together"):
        made({"provider": "cooccurrence"}, alone)


# As a study


def a_study(**changes: Any) -> dict[str, Any]:
    embeddings = {"one_hot": {"provider": "one_hot"}, **LEARNED}
    return {
        **tiny_study(),
        "embeddings": embeddings,
        "classifiers": ["cnn"],
        "strategies": ["local", "direct", "full"],
        "target_sizes": [60],
        **changes,
    }


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return run_study(tmp_path_factory.mktemp("learned"), a_study())


def table(results: Path, site: str, name: str) -> np.ndarray:
    return EmbeddingTable.read(results / "embeddings" / site / f"{name}.safetensors").vectors


def test_each_model_has_the_table_of_its_source(results: Path) -> None:
    assert not np.array_equal(table(results, "north", "codes"), table(results, "south", "codes"))
    for name in LEARNED:
        shared = name == "from_north"
        for site in ("north", "south"):
            bundle = results / "sources" / site / name / "cnn" / "block0" / "embedding.safetensors"
            own = table(results, "." if shared else site, name)
            np.testing.assert_array_equal(EmbeddingTable.read(bundle).vectors, own)
    np.testing.assert_array_equal(
        table(results, ".", "from_north"), table(results, "north", "codes")
    )


def test_jobs_read_the_table_of_the_source_and_of_the_target_where_there_is_none(
    tmp_path: Path,
) -> None:
    with planned(tmp_path, a_study()) as jobs:
        read = {
            (
                job.rule.name.partition("_cnn")[0],
                *sorted(job.wildcards.items()),
            ): job.input.embedding
            for job in jobs
            if "_cnn" in job.rule.name
        }
    for (job, *wildcards), path in read.items():
        names = dict(wildcards)
        if names["embedding"] in ("codes", "codes_shuffled", "graph"):
            site = names.get("source") or names["pair"].partition("-to-")[0]
            assert Path(path).parent.name == site, (job, names)


def test_who_tests_never_reaches_the_table(tmp_path: Path) -> None:
    """Other findings of those who test give the same vectors; of one who trains, others."""
    goal = "results/tiny/embeddings/north/codes.safetensors"
    results = tmp_path / "results" / "tiny"
    with planned(tmp_path, a_study(), goal) as jobs:
        for job in jobs:
            run_job(job)
        before = table(results, "north", "codes")
        kept, folder = Split.read(results / "splits/north.parquet"), results / "encounters/north"
        rows, tokens = read_findings(folder), np.load(folder / "tokens.npy")
        planted = tokens.copy()
        test = kept.fold[rows.owners] >= 0
        assert 0.1 < test.mean() < 0.5
        common = np.bincount(tokens).argsort()[-8:]
        planted[test] = np.random.default_rng(0).choice(common, test.sum())
        np.save(folder / "tokens.npy", planted)
        run_job(jobs[-1])
        np.testing.assert_array_equal(table(results, "north", "codes"), before)
        np.save(folder / "tokens.npy", tokens)
        run_job(jobs[-1])
        np.testing.assert_array_equal(table(results, "north", "codes"), before)
        tokens[~test] = np.random.default_rng(0).choice(common, (~test).sum())
        np.save(folder / "tokens.npy", tokens)
        run_job(jobs[-1])
        assert not np.allclose(table(results, "north", "codes"), before)


def test_a_model_takes_its_table_along(results: Path, tmp_path: Path) -> None:
    """Elsewhere the source's models predict the target as at home, with the rows that came."""
    shutil.copytree(results / "sources/north/codes/cnn/block0", tmp_path / "came")
    config = a_study(
        study="received",
        sites={"north": {"bundle": "came"}, "south": tiny_study()["sites"]["south"]},
        embeddings={"codes": {"provider": "bundle", "path": "came"}},
        strategies=["direct"],
        pairs=[["north", "south"]],
    )
    prediction = "predictions/north-to-south/codes/cnn/direct/0/block0.parquet"
    goal = run_study(tmp_path, config, f"results/received/{prediction}") / prediction
    here, there = (pd.read_parquet(path) for path in (results / prediction, goal))
    np.testing.assert_allclose(there["probability"], here["probability"], atol=1e-6)


def test_the_report_says_whose_table_it_shows(results: Path) -> None:
    page = (results / "report.html").read_text(encoding="utf-8")
    assert "codes, codes_shuffled and graph have a table each site" in page
    methods = (results / "methods.md").read_text(encoding="utf-8")
    assert "encounters or more of the source that never test" in methods


REFUSED = [
    ({"of": "nowhere"}, {}, "choose 'source' or a site: north, south"),
    ({}, {"split": {"by": "folds", "folds": 2}}, "every fold would need a table of its own"),
    ({"min_encounters": 5}, {}, "below evaluation.small_cells"),
    (
        {},
        {"sites": {"source": tiny_study()["sites"]["north"], **tiny_study()["sites"]}},
        "a site is called 'source'",
    ),
    (
        {},
        {
            "interconnections": {
                "codes": {"read": "findings"},
                "methods": {"x": {"kind": "embedding", "of": "codes"}},
            }
        },
        "would be judged on those that it knows",
    ),
]


@pytest.mark.parametrize(("section", "changes", "said"), REFUSED)
def test_who_cannot_learn_is_refused(
    section: dict[str, Any], changes: dict[str, Any], said: str
) -> None:
    embeddings = {"codes": {**LEARNED["codes"], **section}}
    with pytest.raises(StudyError, match=said):
        load_study(a_study(embeddings=embeddings, **changes))


def test_a_graph_needs_a_method_that_scores_by_patients() -> None:
    for kind in ("order", "hierarchy", "embedding", "chat"):
        section = {"provider": "spectral", "of": "source", "method": kind}
        with pytest.raises(ValidationError):
            TypeAdapter(Embedding).validate_python(section)
