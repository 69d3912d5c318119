"""Encoders of histories with heads: R models, those that share weights stored once; their files."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.numpy import load_file, save_file

from concept_transfer.errors import StudyError
from concept_transfer.inputs.history import History
from concept_transfer.models.bundle import tensors_in
from concept_transfer.models.history_reader import Reader, Reading, new_reader
from concept_transfer.models.multinomial import Multinomial
from concept_transfer.pretraining.batches import Sequences, packed
from concept_transfer.pretraining.coverage import Coverage
from concept_transfer.pretraining.encoder import EncoderFiles
from concept_transfer.pretraining.vocabulary import CodeVocabulary
from concept_transfer.settings.encoders import CodeEncoder

WEIGHTS, CARD = "weights.safetensors", "encoder.json"

Floats = NDArray[np.float64]

_log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class Body:
    """What lies before the head: an encoder and, where it is learned, what pools its vectors.

    weights: float32, by the names of `Reader`'s parameters; given: whether it came from files, and
    other cells may use it too: what it says of a site is then computed once.
    """

    settings: CodeEncoder
    vocabulary: CodeVocabulary
    reading: Reading
    weights: Mapping[str, NDArray[np.float32]]
    given: bool = True
    _said: dict[int, tuple[History, Floats]] = field(default_factory=dict, repr=False)

    @classmethod
    def of(cls, files: EncoderFiles, reading: Reading, seed: int) -> Body:
        """An encoder as it came; the seed draws the weights of a pooling that has any."""
        reader = new_reader(files.settings, files.vocabulary, reading, seed)
        weights = {name: value.numpy() for name, value in reader.state_dict().items()}
        weights |= {f"encoder.{name}": value for name, value in files.weights.items()}
        return cls(files.settings, files.vocabulary, reading, weights)

    def reader(self) -> Reader:
        """In evaluation mode, on the CPU, with copies of the weights."""
        reader = new_reader(self.settings, self.vocabulary, self.reading)
        reader.load_state_dict({k: torch.from_numpy(v.copy()) for k, v in self.weights.items()})
        return reader.eval()

    def features(self, history: History, rows: NDArray[np.int64], device: str = "cpu") -> Floats:
        """What is read of rows [n], [n, features]."""
        if not self.given:
            return features_of(self.reader(), self._sequences(history), rows, device)
        if id(history) not in self._said:
            every = np.arange(len(history))
            sequences = self._sequences(history)
            _log.info(read_as(Coverage.of(sequences), len(history)))
            found = features_of(self.reader(), sequences, every, device)
            self._said[id(history)] = history, found
        return self._said[id(history)][1][rows]

    def _sequences(self, history: History) -> Sequences:
        return Sequences.of(history, self.vocabulary, self.settings)


def read_as(coverage: Coverage, histories: int) -> str:
    """What an encoder makes of a site's events, in a line for the log."""
    prefix, unknown, cut = coverage.shares().values()
    return (
        f"{coverage.events:,} events of {histories:,} histories: {prefix:.1%} read as a beginning "
        f"of their code, {unknown:.1%} as unknown; {cut:.1%} of all cut off"
    )


@torch.inference_mode()
def features_of(
    reader: Reader, sequences: Sequences, rows: NDArray[np.int64], device: str
) -> Floats:
    """What a reader says of rows [n], [n, features]."""
    reader = reader.to(device).eval()
    found = np.empty((len(rows), reader.features))
    for places in packed(sequences.lengths[rows], READ_AT_ONCE):
        batch = sequences.batch(rows[places], reader.asked).to(device)
        kind = torch.device(device).type
        with torch.autocast(kind, torch.bfloat16, enabled=kind == "cuda"):
            found[places] = reader(batch).cpu().numpy()
    return found


READ_AT_ONCE = 16_384  # tokens


@dataclass(frozen=True)
class HistoryModels:
    """R models: each a body and a head, whose scores are linear in the body's features.

    of: for each replicate the place of its body.
    """

    bodies: tuple[Body, ...]
    of: tuple[int, ...]
    heads: tuple[Multinomial, ...]

    def __len__(self) -> int:
        return len(self.of)

    def body(self, replicate: int) -> Body:
        return self.bodies[self.of[replicate]]

    def select(self, replicates: list[int]) -> HistoryModels:
        """Those of some of the replicates, by place."""
        return collected([(self.body(i), self.heads[i]) for i in replicates])

    def coverage(self, history: History) -> list[Coverage]:
        """What each model knows of the events of histories."""
        known: dict[tuple[CodeVocabulary, str], Coverage] = {}
        keys = [(body.vocabulary, body.settings.model_dump_json()) for body in self.bodies]
        for key, body in zip(keys, self.bodies, strict=True):
            if key not in known:
                sequences = Sequences.of(history, body.vocabulary, body.settings)
                known[key] = Coverage.of(sequences)
        return [known[keys[place]] for place in self.of]

    def write(self, folder: Path) -> None:
        """Weights, and a card of the encoders' settings and codes."""
        arrays: dict[str, NDArray[Any]] = {"body_of": np.array(self.of)}
        for number, body in enumerate(self.bodies):
            arrays |= {f"body.{number}.{name}": value for name, value in body.weights.items()}
        for number, head in enumerate(self.heads):
            arrays |= {f"head.{number}.{name}": value for name, value in head.arrays().items()}
        save_file({k: np.array(v, order="C") for k, v in arrays.items()}, folder / WEIGHTS)
        card = {
            "reading": asdict(self.bodies[0].reading),
            "encoders": [
                {
                    "settings": body.settings.model_dump(mode="json"),
                    "vocabulary": asdict(body.vocabulary),
                }
                for body in self.bodies
            ],
        }
        (folder / CARD).write_text(json.dumps(card, indent=1) + "\n", encoding="utf-8")

    @classmethod
    def read(cls, folder: Path) -> HistoryModels:
        """What `write` wrote. Raises StudyError where a file is missing or damaged."""
        arrays = tensors_in(folder / WEIGHTS, load_file)
        grouped: dict[str, dict[int, dict[str, NDArray[Any]]]] = {"body": {}, "head": {}}
        of = arrays.pop("body_of").tolist()
        for key, array in arrays.items():
            kind, number, name = key.split(".", 2)
            grouped[kind].setdefault(int(number), {})[name] = array
        try:
            card = json.loads((folder / CARD).read_text(encoding="utf-8"))
            reading = Reading(**card["reading"])
            reading = Reading(reading.head, reading.pooling, tuple(reading.outcome_codes))
            bodies = [
                Body(
                    CodeEncoder.model_validate(each["settings"]),
                    CodeVocabulary(
                        tuple(each["vocabulary"]["names"]), each["vocabulary"]["background"]
                    ),
                    reading,
                    grouped["body"][number],
                )
                for number, each in enumerate(card["encoders"])
            ]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise StudyError(
                f"{folder / CARD} is damaged ({error}); copy the bundle again from its sender"
            ) from None
        heads = [Multinomial.from_arrays(grouped["head"][number]) for number in range(len(of))]
        return cls(tuple(bodies), tuple(of), tuple(heads))


def collected(models: list[tuple[Body, Multinomial]]) -> HistoryModels:
    """Models from bodies and heads, one a replicate."""
    bodies = list(dict.fromkeys(body for body, _ in models))
    of = tuple(bodies.index(body) for body, _ in models)
    return HistoryModels(tuple(bodies), of, tuple(head for _, head in models))
