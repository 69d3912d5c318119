"""Language models with heads: R models, those that share weights stored once; their files.

They hold what tuning changed and the heads. The language models themselves are those of the study,
which stay in ``encoders/``: models that were made of documents never leave it.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file, save_file

from concept_transfer.errors import StudyError
from concept_transfer.models.bundle import tensors_in
from concept_transfer.models.document_reader import Body, LanguageModelFiles
from concept_transfer.models.multinomial import Multinomial
from concept_transfer.models.neighbours import Neighbours

WEIGHTS, CARD = "models.safetensors", "documents.json"
HEADS: dict[str, Any] = {"linear": Multinomial, "knn": Neighbours}

Head = Multinomial | Neighbours


@dataclass(frozen=True)
class DocumentModels:
    """R models: each a body and a head. of: for each replicate the place of its body."""

    bodies: tuple[Body, ...]
    of: tuple[int, ...]
    heads: tuple[Head, ...]

    def __len__(self) -> int:
        return len(self.of)

    def body(self, replicate: int) -> Body:
        return self.bodies[self.of[replicate]]

    def select(self, replicates: list[int]) -> DocumentModels:
        """Those of some of the replicates, by place."""
        return collected([(self.body(i), self.heads[i]) for i in replicates])

    def write(self, folder: Path) -> None:
        """What tuning changed, heads, and the digests of the language models."""
        arrays: dict[str, NDArray[Any]] = {"body_of": np.array(self.of)}
        for number, body in enumerate(self.bodies):
            arrays |= {f"body.{number}.{name}": value for name, value in body.weights.items()}
        for number, head in enumerate(self.heads):
            arrays |= {f"head.{number}.{name}": value for name, value in head.arrays().items()}
        save_file({k: np.array(v, order="C") for k, v in arrays.items()}, folder / WEIGHTS)
        card = [
            {"copy": body.files.folder.name, "weights": body.files.digest} for body in self.bodies
        ]
        (folder / CARD).write_text(json.dumps(card, indent=1) + "\n", encoding="utf-8")

    @classmethod
    def read(
        cls, folder: Path, head: str, encoders: Sequence[LanguageModelFiles]
    ) -> DocumentModels:
        """What `write` wrote, of models with one kind of head; encoders: the study's. Raises
        StudyError where a file is missing or damaged, or a language model has changed."""
        arrays = tensors_in(folder / WEIGHTS, load_file)
        of = arrays.pop("body_of").tolist()
        grouped: dict[str, dict[int, dict[str, NDArray[Any]]]] = {"body": {}, "head": {}}
        for key, array in arrays.items():
            kind, place, name = key.split(".", 2)
            grouped[kind].setdefault(int(place), {})[name] = array
        known = {files.folder.name: files for files in encoders}
        bodies = []
        for number, each in enumerate(json.loads((folder / CARD).read_text(encoding="utf-8"))):
            files = known.get(each["copy"])
            if files is None or files.digest != each["weights"]:
                raise StudyError(
                    f"the models in {folder} were made with another language model (weights "
                    f"{each['weights'][:12]}) than copy {each['copy']} of the study is; delete "
                    "the folder and run again"
                )
            bodies.append(Body(files, grouped["body"].get(number, {})))
        heads = [HEADS[head].from_arrays(grouped["head"][number]) for number in range(len(of))]
        return cls(tuple(bodies), tuple(of), tuple(heads))


def collected(models: Sequence[tuple[Body, Head]]) -> DocumentModels:
    """Models from bodies and heads, one a replicate."""
    bodies = list(dict.fromkeys(body for body, _ in models))
    of = tuple(bodies.index(body) for body, _ in models)
    return DocumentModels(tuple(bodies), of, tuple(head for _, head in models))
