"""What the training scripts share: inputs by name, and cells that are computed once."""

from __future__ import annotations

import json
import logging
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from concept_transfer.grid import Cell, split_pair
from concept_transfer.job import made_from
from concept_transfer.progress import part, span
from concept_transfer.sites.site import Site
from concept_transfer.training.predictions import Predictions, is_current

_log = logging.getLogger(__name__)


def read_site_files(files: Sequence[str]) -> Site | None:
    """The site whose arrays come first and whose split comes last; None without files."""
    return Site.read(Path(files[0]).parent, Path(files[-1])) if files else None


def predict_strategies(
    predict: Callable[[dict[str, Any], str], Predictions],
    names: dict[str, str],
    params: Any,
    outputs: Sequence[str],
    inputs: Sequence[str],
) -> None:
    """Write the predictions of every strategy and target size that a job makes.

    ``predict`` takes a strategy's settings and a target size; names: pair, embedding and
    classifier. ``params`` are the rule's: ``strategies`` (JSON, name -> settings), ``sizes``,
    ``seed``, ``replicates``, ``vocabulary`` and ``code``; ``outputs`` are in the order of the
    strategies' names, then of the sizes ("0" alone for `direct`).
    """
    files = iter(outputs)
    for strategy, settings in sorted(json.loads(params.strategies).items()):
        sizes = ["0"] if settings["kind"] == "direct" else params.sizes
        predict_sizes(
            partial(predict, settings),
            {**names, "strategy": strategy},
            sizes,
            [next(files) for _ in sizes],
            [settings, params.seed, params.replicates, params.vocabulary, params.code],
            inputs,
        )


def predict_sizes(
    predict: Callable[[str], Predictions],
    names: dict[str, str],
    sizes: Sequence[str],
    outputs: Sequence[str],
    parameters: Sequence[object],
    inputs: Iterable[str],
) -> None:
    """Write the predictions of every target size whose file is not current.

    names: pair, embedding, classifier and strategy; parameters and inputs: all that the
    predictions of any one size depend on.
    """
    source, target = split_pair(names["pair"])
    family = (source, target, names["embedding"], names["classifier"], names["strategy"])
    origin = made_from(parameters, inputs)
    for size, path in zip(sizes, map(Path, outputs), strict=True):
        what = f"{names['strategy']}, target size {size}"
        if is_current(path, origin):
            _log.info(f"{what}: kept, nothing it depends on has changed")
            path.touch()
            continue
        begin = time.monotonic()
        with part(what):
            predictions = predict(size)
        predictions.write(path, Cell(*family, size), origin)
        _log.info(
            f"{what}: computed, {described(predictions.records)}, {time.monotonic() - begin:.1f} s"
        )


def described(records: Sequence[dict[str, Any]]) -> str:
    """What became of a cell's replicates (and folds), for the log."""
    found = Counter(record["status"] for record in records)
    train, positives = ([record[key] for record in records] for key in ("train", "positives"))
    return (
        f"{', '.join(f'{count} {status}' for status, count in found.items())}, with labels of "
        f"{span(train)} encounters ({span(positives)} positive)"
    )
