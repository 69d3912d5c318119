"""What a config may say: each mistake is refused in the words and with the keys of its author."""

from __future__ import annotations

import itertools
import json
import time
from pathlib import Path
from typing import Any

import pytest
import yaml

from concept_transfer.concepts.vocabulary import Vocabulary
from concept_transfer.errors import StudyError
from concept_transfer.settings.files import check_files
from concept_transfer.study import load_study
from concept_transfer.workflow import check_study

TABULAR = {
    "adapter": "tabular",
    "path": "north.csv",
    "label": {"column": "flu", "positive": ["1"], "negative": ["0"]},
}


def config(**sections: Any) -> dict[str, Any]:
    """A valid study of three sites, with some top-level keys replaced."""
    sites = {n: {"adapter": "simulated", "network": f"{n}.yaml"} for n in ("south", "west")}
    return {
        "study": "example",
        "vocabulary": "concepts.tsv",
        "task": {"label": "influenza"},
        "sites": {"north": TABULAR, **sites},
        "split": {"by": "share"},
        "embeddings": {"one_hot": {"provider": "one_hot"}},
        **sections,
    }


def site(**keys: Any) -> dict[str, Any]:
    return {"sites": {**config()["sites"], "north": {**TABULAR, **keys}}}


def label(**keys: Any) -> dict[str, Any]:
    return site(label={**TABULAR["label"], **keys})


def embedding(**keys: Any) -> dict[str, Any]:
    return {"embeddings": {"mine": keys}}


def server(**keys: Any) -> dict[str, Any]:
    return embedding(provider="openai", model="m", **keys)


def download(address: str) -> dict[str, Any]:
    own = {"adapter": "nhamcs", "path": "p", "years": [2018], "region": "South"}
    return {"sites": {**config()["sites"], "us": {**own, "download_from": address}}}


def refusal(**sections: Any) -> str:
    """What is said of the study with these sections, without the words all refusals share."""
    with pytest.raises(StudyError) as error:
        load_study(config(**sections), "my.yaml")
    said = str(error.value)
    start = "my.yaml describes no valid study. "
    assert said.startswith(start)
    assert "\n" not in said
    return said.removeprefix(start)


QUOTED_WORD = (
    "should be text, but YAML reads yes, no, on, off, true and false as true or false; quote the "
    "word, as in "
)


@pytest.mark.parametrize(
    ("sections", "said"),
    [
        (
            label(positive=[1]),
            "sites.north.label.positive.0: should be text; quote it: '1'",
        ),
        (label(negative=[False]), f"sites.north.label.negative.0: {QUOTED_WORD}'no' (got False)"),
        (
            site(concept_spelling={"age": {1: ["child"]}}),
            "sites.north.concept_spelling.age.1: should be text; quote it: '1'",
        ),
        (
            site(label={"column": "flu", "positive": ["1"]}),
            "sites.north.label: give the spellings of 'positive' and 'negative', or 'classes'",
        ),
        (
            site(lable="flu"),
            "sites.north.lable: unknown key (see config/README.md for the accepted ones)",
        ),
        (
            site(path=None),
            "sites.north: give either 'path' or the lists 'train', 'validation', 'test'",
        ),
        (site(adapter="csv"), "sites.north: 'adapter' is 'csv'; choose from 'simulated', "),
        ({"study": 2024}, "study: should be text; quote it: '2024'"),
        ({"sites": {"no rth": TABULAR}}, "sites.no rth: 'no rth' cannot name a folder; use "),
        (
            embedding(provider="one_hot", scale="big"),
            "embeddings.mine.scale: should be 'raw', 'unit' or 'standardized' (got 'big')",
        ),
        (
            embedding(provider="pca", of="mine", scale={"norm": -1}, width=3),
            "embeddings.mine.scale.norm: should be greater than 0 (got -1)",
        ),
        (
            {"target_sizes": [50, "some"]},
            "target_sizes.1: should be a valid integer, unable to parse string as an integer or "
            "should be 'all' (got 'some')",
        ),
        ({"pairs": ["north"]}, "pairs.0: should be a list (got 'north')"),
        ({"pairs": [["north"]]}, "pairs.0.1: is required"),
    ],
)
def test_a_refusal_names_the_key_as_it_stands_in_the_config(
    sections: dict[str, Any], said: str
) -> None:
    assert refusal(**sections).startswith(said)


@pytest.mark.parametrize(
    ("sections", "said"),
    [
        ({"strategies": []}, "strategies: should have at least 1 entry"),
        (embedding(provider="average", of=["a"]), "embeddings.mine.of: should have at least 2 ent"),
        ({"pairs": []}, "pairs: should have at least 1 entry"),
        ({"pairs": [["north", "south"]] * 2}, "pairs: ['north', 'south'] is there twice"),
        ({"target_sizes": [30, 30]}, "target_sizes: 30 is there twice"),
        ({"classifiers": ["cnn", "cnn"]}, "classifiers: 'cnn' is there twice"),
        ({"strategies": ["full", "full"]}, "strategies: 'full' is there twice"),
        (site(path=None, train=["a.csv", "a.csv"]), "sites.north.train: 'a.csv' is there twice"),
        (
            {"strategies": ["linear", "full"], "classifiers": ["logistic", "gradient_boosting"]},
            "strategies: full, linear ask for what no classifier of the study can do (freeze, "
            "start); add a classifier that can (cnn, document, history), or a strategy that asks "
            "for nothing (direct, importance_weighted, local, pooled)",
        ),
        (
            {
                "strategies": ["local", "auto"],
                "classifiers": ["cnn"],
                "training": {"protocol": "gao2024"},
            },
            "strategies: auto combine predictions that no label has been used for, or that are out "
            "of fold; add 'direct', or a classifier that cross-fits (",
        ),
        (
            {"strategies": {"direct": {}, "auto": {"epochs": 3}}},
            "strategies.auto trains nothing: it has no 'epochs'",
        ),
        (
            {"strategies": ["direct", "auto"], "keep": {"strategies": ["auto"]}},
            "keep.strategies names 'auto', which trains no model to keep",
        ),
        (
            {"strategies": ["direct", "auto"], "meaning": {"strategies": ["auto"]}},
            "meaning.strategies names 'auto', which is of no single embedding",
        ),
        (
            {"classifiers": {"all_models": {"kind": "logistic"}}},
            "classifiers: 'all_models' is reserved",
        ),
        ({"study": "s" * 300}, "study: a name of 300 characters is too long for a folder"),
        ({"replicates": 10**9}, "replicates: should be less than or equal to 10000"),
        ({"evaluation": {"draws": 10**9}}, "evaluation.draws: should be less than or equal to "),
        ({"resources": {"device": "gpu"}}, "resources.device: no torch device; choose from cpu, "),
    ],
)
def test_a_study_that_cannot_be_computed_is_refused(sections: dict[str, Any], said: str) -> None:
    assert refusal(**sections).startswith(said)


@pytest.mark.parametrize("value", [float("inf"), float("-inf"), float("nan")])
@pytest.mark.parametrize(
    ("place", "sections"),
    [
        ("training.learning_rate", lambda v: {"training": {"learning_rate": v}}),
        ("strategies.full.epochs", lambda v: {"strategies": {"full": {"epochs": v}}}),
        (
            "strategies.pooled.source_weight",
            lambda v: {"strategies": {"pooled": {"source_weight": v}}},
        ),
        ("evaluation.margin", lambda v: {"evaluation": {"margin": v}}),
        ("embeddings.mine.scale.norm", lambda v: embedding(provider="one_hot", scale={"norm": v})),
        ("embeddings.mine.timeout", lambda v: server(timeout=v)),
        ("replicates", lambda v: {"replicates": v}),
    ],
)
def test_no_number_is_infinite(value: float, place: str, sections: Any) -> None:
    assert refusal(**sections(value)).startswith(f"{place}: should be a finite number")


@pytest.mark.parametrize(
    ("sections", "said"),
    [
        (server(base_url="https://me:hunter2@host/v1"), "embeddings.mine.base_url: the address ho"),
        (server(base_url="https://hunter2@host/v1"), "embeddings.mine.base_url: the address holds"),
        (
            server(base_url="https://me:hunter2@[host/v1"),
            "embeddings.mine.base_url: is no compl",
        ),
        (server(base_url="me:hunter2@host/v1"), "embeddings.mine.base_url: is no complete address"),
        (server(base_url="http://h/v1?api-key=hunter2"), "embeddings.mine.base_url: the address h"),
        (server(base_url="http://h/v1?a=b&sig=hunter2"), "embeddings.mine.base_url: the address h"),
        (server(base_url=["http://me:hunter2@h/v1"]), "embeddings.mine.base_url: should be a val"),
        (server(bas_url="https://me:hunter2@host/v1"), "embeddings.mine.bas_url: unknown key"),
        (server(key_variable="sk-hunter2"), "embeddings.mine.key_variable: is no name of an envi"),
        (download("https://me:hunter2@host/files"), "sites.us.download_from: the address holds a"),
        (download("https://host/files?token=hunter2"), "sites.us.download_from: the address holds"),
    ],
)
def test_no_secret_stands_in_a_config_and_none_is_repeated(
    sections: dict[str, Any], said: str
) -> None:
    refused = refusal(**sections)
    assert refused.startswith(said)
    assert "hunter2" not in refused


@pytest.mark.parametrize(
    "address",
    ["http://localhost:11434/v1", "https://x.openai.azure.com?api-version=2024-10-21", None],
)
def test_an_address_without_a_secret_is_accepted(address: str | None) -> None:
    load_study(config(**server(base_url=address)))


def test_a_refusal_of_an_address_says_where_the_key_belongs() -> None:
    said = refusal(**server(base_url="https://me:hunter2@host/v1"))
    assert "environment variable that 'key_variable' names" in said
    assert "OPENAI_API_KEY" in said


# Embeddings made from one another


def scaled(of: str) -> dict[str, Any]:
    return {"provider": "scaled", "of": of, "scale": "unit"}


def chain(length: int) -> dict[str, Any]:
    later = {f"e{i + 1}": scaled(f"e{i}") for i in range(length - 1)}
    return {"embeddings": {"e0": {"provider": "one_hot"}, **later}}


def test_a_long_chain_of_embeddings_is_refused_at_once() -> None:
    load_study(config(**chain(100)))
    start = time.process_time()
    said = refusal(**chain(1500))
    assert "embeddings.e100 is made from another" in said
    assert "more than 100 times" in said
    assert time.process_time() - start < 5


@pytest.mark.parametrize("order", list(itertools.permutations("abcd")))
def test_a_circle_of_embeddings_names_one_of_it(order: tuple[str, ...]) -> None:
    made_from = {"a": "b", "b": "c", "c": "b", "d": "a"}
    said = refusal(embeddings={name: scaled(made_from[name]) for name in order})
    assert "embeddings.b is made from itself" in said or "embeddings.c is made from" in said


# Sites that no pair names, concepts that no model sees


def test_a_task_without_a_concept_is_refused(repository: Path) -> None:
    simulated = {
        name: {"adapter": "simulated", "network": f"resources/networks/{name}.yaml"}
        for name in ("north", "south")
    }
    vocabulary = Vocabulary.read(repository / "resources/concepts/influenza.tsv")
    categories = sorted(set(vocabulary.categories))
    study = config(sites=simulated, vocabulary="resources/concepts/influenza.tsv")
    blind = load_study({**study, "task": {"label": "influenza", "exclude_categories": categories}})
    with pytest.raises(StudyError, match=r"exclude_categories .* leave no concept .*influenza.tsv"):
        check_study(blind, repository)
    task = {"label": "influenza", "exclude_categories": categories[1:]}
    check_study(load_study({**study, "task": task}), repository)


def test_sites_in_no_pair_are_known() -> None:
    assert load_study(config()).parked_sites() == []
    assert load_study(config(pairs=[["south", "north"]])).parked_sites() == ["west"]


# Config files

DUPLICATES = {
    "top level": ("seed: 1\nstudy: a\nseed: 2\n", [("seed", 1, 3)]),
    "nested": ("a:\n  b:\n    c: 1\n    d: 2\n    c: 3\n", [("a.b.c", 3, 5)]),
    "flow": ("a: {b: 1, c: 2,\n  b: 3}\n", [("a.b", 1, 2)]),
    "one line": ("a: {b: 1, b: 3}\n", [("a.b", 1, 1)]),
    "in a list": ("a:\n- b: 1\n- b: 2\n  b: 3\n", [("a.1.b", 3, 4)]),
    "anchored": ("a: &x {b: 1,\n  b: 2}\nc: *x\nd: {<<: *x}\n", [("a.b", 1, 2)]),
    "other spelling": ("yes: 1\n'b': 2\nTrue: 3\n\"b\": 4\n", [("True", 1, 3), ("b", 2, 4)]),
    "after a byte order mark": ("\ufeffa: 1\na: 2\n", [("a", 1, 2)]),
    "JSON": ('{\n\t"a": 1,\n\t"a": 2\n}', [("a", 2, 3)]),
    "three times": ("a: 1\na: 2\na: 3\n", [("a", 1, 2), ("a", 2, 3)]),
}


@pytest.mark.parametrize(("text", "found"), DUPLICATES.values(), ids=DUPLICATES.keys())
def test_a_key_that_stands_twice_is_refused_with_both_lines(
    tmp_path: Path, text: str, found: list[tuple[str, int, int]]
) -> None:
    path = tmp_path / "my.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(StudyError) as error:
        check_files([path])
    said = str(error.value)
    for key, first, second in found:
        assert f"{path} has '{key}' in line {first} and in line {second}" in said


@pytest.mark.parametrize(
    "text",
    [
        "a: &x {b: 1, c: 2}\nd: {<<: *x, b: 3}\n",
        "a: &x {b: 1}\nc: &y {b: 2}\nd: {<<: [*x, *y], b: 3}\n",
        "a: &x {b: 1}\nc: &y {d: 2}\ne: {<<: *x, <<: *y}\n",
        "a: {b: 1}\nc: {b: 1}\nd: [{b: 1}, {b: 1}]\n",
        "1: a\n'1': b\n",
        "",
    ],
)
def test_what_yaml_reads_whole_is_accepted(tmp_path: Path, text: str) -> None:
    path = tmp_path / "my.yaml"
    path.write_text(text, encoding="utf-8")
    check_files([path, tmp_path / "not a file"])


def test_every_shipped_config_has_each_key_once(repository: Path) -> None:
    check_files((repository / "config").rglob("*.yaml"))


def test_a_later_config_file_may_replace_a_key(tmp_path: Path) -> None:
    paths = [tmp_path / "a.yaml", tmp_path / "b.json"]
    for path in paths:
        path.write_text(json.dumps({"seed": 1}), encoding="utf-8")
    check_files(paths)


@pytest.mark.parametrize("form", ["[{}]", "{{a: [{}]}}"])
def test_aliases_that_multiply_are_refused_without_being_written_out(form: str) -> None:
    lines = ["x0: &x0 [a, b]"]
    for i in range(40):
        lines.append(f"x{i + 1}: &x{i + 1} " + form.format(", ".join([f"*x{i}"] * 9)))
    start = time.process_time()
    with pytest.raises(StudyError, match=r"my\.yaml .*YAML aliases .* 1,000,000 entries"):
        load_study(config(**yaml.safe_load("\n".join(lines))), "my.yaml")
    assert time.process_time() - start < 5


def test_a_config_that_holds_itself_is_refused() -> None:
    with pytest.raises(StudyError, match="YAML aliases"):
        load_study(config(target_sizes=yaml.safe_load("&x [50, *x]")))


def test_anchors_within_reason_are_read() -> None:
    text = "north: &site {adapter: simulated, network: n.yaml}\nsouth: {<<: *site, seed: 2}\n"
    study = load_study(config(sites=yaml.safe_load(text)))
    assert [site.model_dump()["seed"] for site in study.sites.values()] == [1, 2]
