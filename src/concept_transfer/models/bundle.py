"""A trained source model as a folder that another institution can apply or tune.

It holds weights, vocabulary and embedding table, and no patient-level datum; no pickles.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from concept_transfer.concepts.vocabulary import Vocabulary
from concept_transfer.embeddings.table import EmbeddingTable
from concept_transfer.errors import StudyError
from concept_transfer.models.cnn import Weights

FORMAT = 1


@dataclass(frozen=True)
class Card:
    """What the receiver must know: origin, settings, and one record a replicate."""

    study: str
    source: str
    label: str
    seed: int
    replicates: list[dict[str, Any]]
    training: dict[str, Any]
    embedding: str
    vocabulary_digest: str
    encounters: int
    version: str
    format: int = FORMAT


def write_bundle(
    folder: Path, weights: Weights, card: Card, vocabulary: Vocabulary, table: EmbeddingTable
) -> None:
    """Write the five files of a bundle; card.json comes last and marks it complete."""
    folder.mkdir(parents=True, exist_ok=True)
    tensors = {name: tensor.contiguous() for name, tensor in vars(weights).items()}
    save_file(tensors, folder / "weights.safetensors")
    vocabulary.write(folder / "vocabulary.tsv")
    table.write(folder / "embedding.safetensors")
    (folder / "card.json").write_text(json.dumps(asdict(card), indent=1) + "\n")


def read_bundle(
    folder: Path, vocabulary: Vocabulary | None = None, table: EmbeddingTable | None = None
) -> tuple[Weights, Card, Vocabulary, EmbeddingTable]:
    """Read a bundle, refusing one that does not fit the receiver.

    Raises StudyError where a file is missing, damaged or of another format, where files do not
    belong together, or where the bundle's tokens or embedding differ from those given, naming both
    digests. The texts of the tokens may differ: what a model got of them is in its embedding.
    """
    try:
        content = json.loads((folder / "card.json").read_text())
        if content.get("format") != FORMAT:
            raise StudyError(
                f"{folder}/card.json is of format {content.get('format')}; this version reads "
                f"bundles of format {FORMAT}"
            )
        card = Card(**content)
        weights = Weights(**load_file(folder / "weights.safetensors"))
    except (OSError, json.JSONDecodeError, TypeError, SafetensorError) as error:
        raise StudyError(
            f"{folder} is no complete model bundle ({error}); it needs card.json, "
            "weights.safetensors, vocabulary.tsv, embedding.safetensors and embedding.json"
        ) from None
    own = Vocabulary.read(folder / "vocabulary.tsv")
    own_table = EmbeddingTable.read(folder / "embedding.safetensors", own)
    if own.digest != card.vocabulary_digest:
        raise StudyError(
            f"{folder}/vocabulary.tsv has digest {own.digest[:12]}, but card.json says "
            f"{card.vocabulary_digest[:12]}: the bundle was changed after it was written"
        )
    if weights.convolution.shape[1] != own_table.card.width:
        raise StudyError(
            f"{folder}/weights.safetensors is for vectors of width {weights.convolution.shape[1]}, "
            f"but {folder}/embedding.safetensors has width {own_table.card.width}: the files are "
            "of different bundles"
        )
    if vocabulary is not None and vocabulary.identity != own.identity:
        raise StudyError(
            f"{folder} was trained on vocabulary {own.identity[:12]}, but this study uses "
            f"{vocabulary.identity[:12]}: a model only fits encounters coded in its own vocabulary"
        )
    if table is not None and _digest(table) != _digest(own_table):
        raise StudyError(
            f"{folder} was trained on embedding '{own_table.card.name}' with vectors "
            f"{_digest(own_table)}, but '{table.card.name}' here has {_digest(table)}: use the "
            "table that came with the bundle"
        )
    return weights, card, own, own_table


def _digest(table: EmbeddingTable) -> str:
    """The head of the SHA-256 of a table's vectors."""
    return hashlib.sha256(table.vectors.tobytes()).hexdigest()[:12]
