"""The grid of a study: which jobs may stand for others."""

from __future__ import annotations

from typing import Any

import pytest
from workflow_runs import tiny_study

from concept_transfer.cell import Cell
from concept_transfer.errors import StudyError
from concept_transfer.grid import Grid
from concept_transfer.study import load_study


def grid(**changes: Any) -> Grid:
    return Grid(load_study({**tiny_study(), **changes}))


PAPER: dict[str, Any] = {"training": {"protocol": "gao2024"}}  # it validates on labels set apart


def test_local_on_all_labels_is_the_site_s_own_source_model() -> None:
    assert grid(**PAPER).is_own_source("cnn", "north", "local")


@pytest.mark.parametrize(
    "changes",
    [
        {"split": {"by": "folds", "folds": 3}},  # its source model has seen the test folds
        {"strategies": {"local": {"learning_rate": 0.5}, "direct": None}},
        {"strategies": {"local": {"epochs": 7}, "direct": None}},
        {"strategies": ["local", "pooled"]},  # nobody trains a source model
        {"pairs": [["south", "north"]]},  # north is no source
        {"training": {}},  # the target's own models are cross-fitted
    ],
)
def test_local_is_trained_where_the_source_model_would_differ_or_is_none(
    changes: dict[str, Any],
) -> None:
    assert not grid(**{**PAPER, **changes}).is_own_source("cnn", "north", "local")


def test_a_baseline_that_no_strategy_uses_has_no_metrics() -> None:
    """A baseline cannot be tuned: it has no cell, and nothing to be evaluated."""
    tuned = grid(strategies=["full"])
    assert tuned.embeddings_of_metrics() == ["one_hot", "random", "shuffled"]
    assert grid().embeddings_of_metrics() == ["one_hot", "random", "shuffled", "none"]
    for each in (tuned, grid()):
        assert all(
            each.cells_of(target, embedding)
            for target in each.targets
            for embedding in each.embeddings_of_metrics()
        )


def test_only_local_is_a_site_s_own_model() -> None:
    for strategy in ("direct", "linear", "full", "pooled"):
        assert not grid(**PAPER).is_own_source("cnn", "north", strategy)


def combined_grid(**changes: Any) -> Grid:
    return grid(**{"strategies": ["local", "direct", "full", "pooled", "auto"], **changes})


def test_a_combination_is_a_cell_of_every_pair_and_size() -> None:
    cells = [cell for cell in combined_grid().cells if cell.strategy == "auto"]
    assert {(cell.pair, cell.size) for cell in cells} == {
        (pair, size) for pair in ("north-to-south", "south-to-north") for size in ("0", "60", "all")
    }
    assert {cell.path.split("/")[1:3] == ["none", "all_models"] for cell in cells} == {True}


def test_it_is_made_of_what_was_not_trained_on_the_labels_it_is_judged_by() -> None:
    found = combined_grid().combined_cells
    made = {cell.path for cell in found[Cell("north", "south", "none", "all_models", "auto", "60")]}
    assert made == {
        "north-to-south/one_hot/cnn/direct/0",
        "north-to-south/one_hot/cnn/full/60",
        "north-to-south/one_hot/cnn/pooled/60",
        "south/one_hot/cnn/local/60",
        "north-to-south/none/logistic/direct/0",
        "north-to-south/none/logistic/pooled/60",
        "south/none/logistic/local/60",
    }
    free = found[Cell("north", "south", "none", "all_models", "auto", "0")]
    assert {cell.size for cell in free} == {"0"}
    paper = combined_grid(**PAPER).combined_cells
    validated = [cell for cells in paper.values() for cell in cells if cell.classifier == "cnn"]
    assert {cell.strategy for cell in validated} == {"direct"}


def test_where_nothing_needs_no_label_there_is_no_combination_without() -> None:
    sizes = {cell.size for cell in combined_grid(strategies=["local", "auto"]).combined_cells}
    assert sizes == {"60", "all"}


def test_no_model_of_a_combination_is_kept() -> None:
    assert all(cell.strategy != "auto" for cell in combined_grid().kept_cells)


def with_encoders(**changes: Any) -> dict[str, Any]:
    encoder = {"sites": ["north"], "copies": 2}
    return {
        "encoders": {
            "codes": encoder,
            "untrained": {**encoder, "pretrain": False},
            "of_texts": {**encoder, "vectors": "one_hot"},
            "of_shuffled_texts": {**encoder, "vectors": "shuffled"},
        },
        "classifiers": {
            "mask": {"kind": "history", "head": "next_visit_mask"},
            "vector": {"kind": "history"},
            "cnn": {"kind": "cnn"},
        },
        "strategies": ["zero", "local", "direct", "auto"],
        "task": {"label": "influenza", "outcome_codes": ["J10*"]},
        **changes,
    }


def test_encoders_are_an_axis_of_the_classifiers_that_take_them() -> None:
    found = grid(**with_encoders())
    assert {(e, c) for e, c in found.models if c != "cnn"} == {
        (encoder, classifier)
        for encoder in ("codes", "untrained", "of_texts", "of_shuffled_texts")
        for classifier in ("mask", "vector")
    }
    zero = [cell for cell in found.trained_cells if cell.strategy == "zero"]
    assert {(cell.source, cell.size, cell.classifier) for cell in zero} == {("", "0", "mask")}
    assert len(zero) == 2 * 4


def test_controls_of_encoders_are_neither_kept_nor_combined() -> None:
    found = grid(**with_encoders())
    meant = {"codes", "of_texts"}
    kept = {cell.embedding for cell in found.kept_cells if cell.classifier != "cnn"}
    assert kept == meant
    for candidates in found.combined_cells.values():
        offered = {cell.embedding for cell in candidates if cell.classifier != "cnn"}
        assert offered == meant
    without_labels = Cell("north", "south", "none", "all_models", "auto", "0")
    assert "zero" in {cell.strategy for cell in found.combined_cells[without_labels]}


def test_no_concept_of_an_encoder_is_shuffled() -> None:
    meaning = {"strategies": ["direct"]}
    assert {cell.classifier for cell in grid(**with_encoders(meaning=meaning)).shuffled_cells} == {
        "cnn"
    }


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"split": {"by": "folds"}}, "every fold would need an encoder of its own"),
        ({"classifiers": ["cnn"], "strategies": ["local"]}, "no classifier takes an encoder"),
        ({"encoders": {}}, "takes an encoder of kind codes; define one"),
        ({"encoders": {"one_hot": {"sites": ["north"]}}}, "the name is that of an embedding"),
        ({"encoders": {"codes": {"sites": ["west"]}}}, "names the site 'west'"),
        ({"encoders": {"codes": {"sites": ["north"], "vectors": "words"}}}, "vectors is 'words'"),
        ({"task": {"label": "influenza"}}, "task.outcome_codes"),
        ({"classifiers": {"vector": {"kind": "history"}}, "strategies": ["zero"]}, "zero"),
    ],
)
def test_encoders_that_make_no_sense_are_refused(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(StudyError, match=said):
        grid(**with_encoders(**changes))
