"""Time and memory of pre-training on patients' histories.

``python -m benchmarks.histories``
"""

from __future__ import annotations

import json
import sys
import tempfile
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
from numpy.typing import NDArray

from benchmarks.measure import anonymous_memory_mb, cpu_ms, in_child, table
from concept_transfer.inputs.history import History
from concept_transfer.inputs.rows import CompressedRows
from concept_transfer.settings.encoders import CodeEncoder

PATIENTS, MANY, EVENTS, CODES = 3750, 100_000, 90, 700
ROUNDS = 3
OTHERS = ("visits", "days", "ages", "index_days")
SETTINGS = CodeEncoder(sites=["a"], layers=4, feed_forward=192, position=True)
TEXT = """## Patient histories

Pre-training on {patients:,} patients with about {events} events each ({codes} codes): {layers}
layers of width {width}, {parameters:,} parameters. One thread; processor seconds, the least of
{rounds} epochs. *Plain*: `nn.TransformerEncoder` of {plain:,} parameters with vectors of codes,
visits and places, that learns masked codes of the same batches.

{table}

{many:,} patients are read from memory-mapped files. Memory is what the process holds besides them,
at most; before anything was read it held {before:,.0f} MB.

{memory}"""


def made_up(patients: int, seed: int = 0) -> History:
    """Patients with three themes each, of whose codes their visits are made; nothing is looped."""
    rng = np.random.default_rng(seed)
    lengths = np.clip(rng.gamma(4, EVENTS / 4, patients), 2, 2000).astype(np.int64)
    offsets = np.concatenate([[0], np.cumsum(lengths + 1)])
    first = offsets[:-1]
    owners = np.repeat(np.arange(patients), lengths + 1)
    place = np.arange(len(owners)) - first[owners]
    themes = rng.integers(CODES // 10, size=(patients, 3))[
        owners, rng.integers(3, size=len(owners))
    ]
    codes = (themes * 10 + rng.integers(10, size=len(owners))).astype(np.int32)
    codes[first] = CODES + rng.integers(2, size=patients)
    visits = ((place + 3) // 4).astype(np.int32)
    days = (30 * (visits[offsets[1:] - 1][owners] - visits)).astype(np.float32)
    days[first] = np.nan
    ages = (rng.uniform(30, 90, patients)[owners] - days / 365.25).astype(np.float32)
    names = (*(f"D/{code:03d}" for code in range(CODES)), "S/F", "S/M")
    index_days = rng.uniform(7000, 9000, patients)
    return History(CompressedRows(offsets, codes), visits, days, ages, index_days, names)


def write(history: History, folder: Path) -> None:
    """Its arrays as files, and its names."""
    arrays: dict[str, NDArray[Any]] = {
        "offsets": history.codes.offsets,
        "codes": history.codes.values,
    }
    arrays |= {name: getattr(history, name) for name in OTHERS}
    for name, array in arrays.items():
        np.save(folder / f"{name}.npy", array)
    (folder / "names.json").write_text(json.dumps(history.names))


def opened(folder: Path) -> History:
    """What `write` wrote, memory-mapped."""
    names = ("offsets", "codes", *OTHERS)
    offsets, codes, visits, days, ages, index_days = (
        np.load(folder / f"{name}.npy", mmap_mode="r") for name in names
    )
    known = tuple(json.loads((folder / "names.json").read_text()))
    return History(CompressedRows(offsets, codes), visits, days, ages, index_days, known)


def epoch_seconds(history: History, settings: CodeEncoder, is_packed: bool) -> dict[str, float]:
    """The least processor seconds of an epoch over all patients, its tokens, those that it
    computes with padding, and the parameters. Not packed, batches are of as many patients, drawn
    at random."""
    import torch

    from concept_transfer.models.code_encoder import new_model
    from concept_transfer.pretraining import learning
    from concept_transfer.pretraining.batches import packed
    from concept_transfer.pretraining.corpus import Corpus
    from concept_transfer.progress import Progress

    torch.set_num_threads(1)
    masks = [np.ones(len(history), bool)]
    corpus = Corpus.of([history], masks, settings, np.random.default_rng(0))
    lengths = corpus.lengths[corpus.training]
    batches = packed(lengths, settings.batch_tokens, np.random.default_rng(0))
    if not is_packed:
        order = np.random.default_rng(0).permutation(len(lengths))
        batches = np.array_split(order, len(batches))
    model = new_model(settings, len(corpus.vocabulary), 0)
    optimizer, progress = learning.new_optimizer(model), Progress("tokens", 1)

    def epoch() -> None:
        learning.learn(model, optimizer, corpus, settings, (1, 0), 0, progress)

    with patch("concept_transfer.pretraining.learning.packed", lambda *_: batches):
        seconds = cpu_ms(epoch, ROUNDS) / 1000
    return {
        "seconds": seconds * len(history) / len(lengths),
        "tokens": int(lengths.sum()),
        "computed": int(sum(len(batch) * lengths[batch].max() for batch in batches)),
        "parameters": sum(parameter.numel() for parameter in model.parameters()),
    }


def plain_epoch(history: History, settings: CodeEncoder) -> dict[str, float]:
    """The same of torch's own layers."""
    import torch
    from torch import nn
    from torch.nn import functional

    from concept_transfer.pretraining.batches import packed
    from concept_transfer.pretraining.corpus import Corpus
    from concept_transfer.pretraining.masking import masked

    torch.set_num_threads(1)
    masks = [np.ones(len(history), bool)]
    corpus = Corpus.of([history], masks, settings, np.random.default_rng(0))
    lengths = corpus.lengths[corpus.training]
    batches = packed(lengths, settings.batch_tokens, np.random.default_rng(0))
    width, most = settings.width, settings.max_length + 1
    tables = nn.ModuleList(nn.Embedding(n, width) for n in (len(corpus.vocabulary), most, most))
    layer = nn.TransformerEncoderLayer(
        width,
        settings.heads,
        settings.feed_forward * 3 // 2,  # as many weights as a gate has
        settings.dropout,
        "gelu",
        batch_first=True,
        norm_first=True,
    )
    encoder = nn.TransformerEncoder(layer, settings.layers, enable_nested_tensor=False)
    parameters = [*tables.parameters(), *encoder.parameters()]
    optimizer = torch.optim.AdamW(parameters)

    def epoch() -> None:
        generator = np.random.default_rng(0)
        for rows in batches:
            batch = corpus.batch(corpus.training[np.sort(rows)])
            hidden = masked(batch, corpus.vocabulary, settings.mask_rate, generator)
            places = torch.arange(batch.codes.shape[1])
            of_each = hidden.batch.codes, hidden.batch.segments.clamp(max=most - 1), places
            vectors = sum(table(ids) for table, ids in zip(tables, of_each, strict=True))
            read = encoder(vectors, src_key_padding_mask=~batch.real)[hidden.chosen]
            logits = functional.linear(read, parameters[0])
            optimizer.zero_grad()
            functional.cross_entropy(logits, hidden.answers).backward()
            optimizer.step()

    return {
        "seconds": cpu_ms(epoch, ROUNDS) / 1000 * len(history) / len(lengths),
        "tokens": int(lengths.sum()),
        "computed": int(sum(len(batch) * lengths[batch].max() for batch in batches)),
        "parameters": sum(parameter.numel() for parameter in parameters),
    }


def streamed(folder: Path) -> dict[str, float]:
    """Memory, in MB, while this process numbers all patients of a folder and learns from some."""
    import torch

    from concept_transfer.models.code_encoder import new_model
    from concept_transfer.pretraining import learning
    from concept_transfer.pretraining.corpus import Corpus
    from concept_transfer.progress import Progress

    torch.set_num_threads(1)
    history, found, ended = opened(folder), [], threading.Event()
    before = anonymous_memory_mb()

    def watch() -> None:
        while not ended.wait(0.01):
            found.append(anonymous_memory_mb())

    watcher = threading.Thread(target=watch)
    watcher.start()
    clock = time.process_time()
    masks = [np.ones(len(history), bool)]
    corpus = Corpus.of([history], masks, SETTINGS, np.random.default_rng(0))
    prepared, numbering = time.process_time() - clock, max(found)
    found.clear()
    model = new_model(SETTINGS, len(corpus.vocabulary), 0)
    some = replace(corpus, training=corpus.training[:: len(history) // 1000])
    progress = Progress("tokens", 1)
    learning.learn(model, learning.new_optimizer(model), some, SETTINGS, (1, 0), 0, progress)
    ended.set()
    watcher.join()
    return {
        "events": len(history.codes.values),
        "files": sum(file.stat().st_size for file in folder.iterdir()) / 2**20,
        "before": before,
        "seconds": prepared,
        "numbering": numbering,
        "learning": max(found),
    }


def report(patients: int = PATIENTS, many: int = MANY) -> str:
    """The section of docs/performance.md."""
    history = made_up(patients)
    found = {
        "by length": epoch_seconds(history, SETTINGS, is_packed=True),
        "as drawn": epoch_seconds(history, SETTINGS, is_packed=False),
        "by length, plain": plain_epoch(history, SETTINGS),
    }
    rows = [
        [
            name,
            one["seconds"],
            one["tokens"] / one["seconds"],
            one["computed"] / one["tokens"] - 1,
            one["seconds"] / found["by length"]["seconds"],
        ]
        for name, one in found.items()
    ]
    with tempfile.TemporaryDirectory() as folder:
        write(made_up(many), Path(folder))
        memory = in_child("histories", folder)
    return TEXT.format(
        patients=patients,
        many=many,
        events=EVENTS,
        codes=CODES,
        layers=SETTINGS.layers,
        width=SETTINGS.width,
        parameters=found["by length"]["parameters"],
        plain=found["by length, plain"]["parameters"],
        rounds=ROUNDS,
        before=memory.pop("before"),
        table=table(["batches", "s an epoch", "tokens/s", "padding", "times the first"], rows),
        memory=table(
            ["events", "MB of files", "s to number", "MB then", "MB learning"], [[*memory.values()]]
        ),
    )


if __name__ == "__main__":
    if len(sys.argv) > 1 and not sys.argv[1].isdigit():
        print(json.dumps(streamed(Path(sys.argv[1]))))
    else:
        print(report(*map(int, sys.argv[1:])))
