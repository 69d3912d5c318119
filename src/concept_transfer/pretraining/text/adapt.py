"""From documents to an adapted language model, from start to end."""

from __future__ import annotations

import csv
import hashlib
import json
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from concept_transfer.closure import digest
from concept_transfer.device import usable_device
from concept_transfer.embeddings.cache import locked
from concept_transfer.pretraining.draws import generator
from concept_transfer.pretraining.text.base import Start, start_of
from concept_transfer.pretraining.text.documents import Documents, Readable
from concept_transfer.pretraining.text.files import LOG, MODEL, LanguageModelCard
from concept_transfer.pretraining.text.leak import refuse_leak
from concept_transfer.pretraining.text.learning import learn, measured_steps
from concept_transfer.pretraining.text.low_rank import merge_updates
from concept_transfer.pretraining.text.network import AdaptedNetwork
from concept_transfer.pretraining.text.objectives import Lesson
from concept_transfer.pretraining.text.schedule import WEIGHTS, Budget
from concept_transfer.pretraining.text.sequences import Marks
from concept_transfer.settings.text_encoders import TextEncoder

CHECKPOINT, STEPS = "checkpoint.safetensors", "steps.json"
COLUMNS = ("step", "tokens", "loss", "mlm", "contrastive", "metadata", "tokens_per_second")

_log = logging.getLogger(__name__)


def write_language_model(
    folder: Path,
    where: str,
    settings: TextEncoder,
    seed: tuple[int, int],
    root: Path,
    readable: Readable | None = None,
    *,
    device: str = "cpu",
    threads: int = 1,
) -> None:
    """Write the `FILES` of a language model.

    where: the key of the config; seed: that of the study and the number of the copy, from which all
    that chance decides follows; root: the folder that relative paths of the config start from;
    readable: the documents that may be learned from (None: of a base as it is). A killed adaptation
    goes on from the folder's checkpoint to the same weights.

    Raises StudyError for a base that is not there or cannot be loaded, for too few documents, for a
    category that is the label, and where the loss is no number.
    """
    torch.set_num_threads(threads)
    start = start_of(where, settings, seed, root, readable)
    rows: Sequence[Mapping[str, float]] = []
    facts = start.facts() | {"seed": seed[0], "copy": seed[1]}
    if settings.pretrain:
        assert readable is not None, "documents are learned from"
        rows, learned = _adapted(folder, where, settings, seed, start, readable, device)
        facts |= learned
    start.save(folder / MODEL)
    _write_log(folder / LOG, rows)
    LanguageModelCard(settings, facts).write(folder)
    (folder / CHECKPOINT).unlink(missing_ok=True)


def _adapted(
    folder: Path,
    where: str,
    settings: TextEncoder,
    seed: tuple[int, int],
    start: Start,
    readable: Readable,
    device: str,
) -> tuple[list[dict[str, float]], dict[str, Any]]:
    """Adapt a start in place; the rows of the log, and facts for the card."""
    told = refuse_leak(where, readable) if settings.objectives.metadata else None
    marks = Marks.of(start.tokenizer)
    if settings.objectives.mlm:
        marks.require_mask(where)
    documents = Documents.of(where, readable, start.tokenizer)
    longest = min(settings.max_length, start.longest) - marks.count
    lesson = Lesson(documents, marks, longest, settings)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(int(generator(seed, WEIGHTS, 1).integers(2**63)))
        model = AdaptedNetwork(where, start.network, len(readable.names), settings)
    model = model.to(usable_device(device))
    budget = _budget(folder, model, lesson, seed, device)
    _log.info("%d documents, %d tokens", len(documents), len(documents.pieces))
    made_of = [settings.model_dump(mode="json"), seed, device, torch.get_num_threads()]
    made_of += [start.content, documents.digest, digest(Path(__file__))]
    identity = hashlib.sha256(json.dumps(made_of, sort_keys=True).encode()).hexdigest()
    way = learn(model, lesson, seed, budget, folder / CHECKPOINT, identity)
    facts: dict[str, Any] = {
        "documents": len(documents),
        "documents_without_words": len(readable) - len(documents),
        "document_tokens": len(documents.pieces),
        "learning_parameters": sum(weight.numel() for weight in model.learning().values()),
        "steps": way.steps,
        "tokens": way.tokens,
    }
    merge_updates(start.body.to("cpu"))
    if told is not None:
        facts |= {"categories": len(readable.names), "label_told_by_category": told}
    return way.rows, facts


def _budget(
    folder: Path, model: AdaptedNetwork, lesson: Lesson, seed: tuple[int, int], device: str
) -> Budget:
    settings = lesson.settings
    if settings.seconds is not None:
        return Budget("steps", _recorded_steps(folder.parent, model, lesson, seed, device))
    if settings.steps is not None:
        return Budget("steps", settings.steps)
    return Budget("tokens", settings.tokens or len(lesson.documents.pieces))


def _recorded_steps(
    folder: Path, model: AdaptedNetwork, lesson: Lesson, seed: tuple[int, int], device: str
) -> int:
    """The steps that the seconds of the settings are worth, as they were measured first."""
    settings, file = lesson.settings, folder / STEPS
    assert settings.seconds is not None
    measured = {
        "settings": settings.model_dump(mode="json", exclude={"copies"}),
        "device": device,
        "threads": torch.get_num_threads(),
    }
    with locked(folder):
        if file.is_file():
            known = json.loads(file.read_text(encoding="utf-8"))
            if {key: known.get(key) for key in measured} == measured:
                return int(known["steps"])
        steps = measured_steps(model, lesson, seed, settings.seconds)
        file.write_text(json.dumps(measured | {"steps": steps}, indent=2), encoding="utf-8")
    _log.info("%g seconds are worth %d steps here, recorded in %s", settings.seconds, steps, file)
    return steps


def _write_log(path: Path, rows: Sequence[Mapping[str, float]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, delimiter="\t", lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
