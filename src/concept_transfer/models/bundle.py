"""Fitted models as a folder that another institution can apply or tune.

It holds the learner's own files behind one card, the vocabulary and, where the learner takes one,
the embedding table; no patient-level datum and no pickles. Its manifest names every file.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from safetensors import SafetensorError

from concept_transfer.concepts.differences import first_difference
from concept_transfer.concepts.vocabulary import Vocabulary
from concept_transfer.errors import StudyError
from concept_transfer.models.manifest import MANIFEST, check_manifest, write_manifest

if TYPE_CHECKING:
    from concept_transfer.embeddings.table import EmbeddingTable

FORMAT = 3
CARD, VOCABULARY, TABLE = "card.json", "vocabulary.tsv", "embedding.safetensors"


@dataclass(frozen=True)
class ModelCard:
    """What the receiver must know: origin, settings, one record a replicate, performance.

    site: where the models were trained; source: the site whose models or encounters came in, or
    ""; strategy: its name and settings, None for models that a source hands on; learner: its name
    and settings; encounters: of the site, None where they are too few to show; task: what of the
    study's task decides which tokens an encounter has; threads: how many computed, which float32
    sums depend on; look_back_days: how far back histories reach, None: to the first event, or no
    histories are read; performance: of the cell that the models are of, None where nothing was
    tested; calibration: a replicate's `models.recalibration.Recalibration` as ``slope`` and
    ``intercepts`` [classes], which held-out labels taught, or None.

    What leaves a hospital also has: data: site -> what is told of the encounters that models
    learned from; use: ``licence``, ``intended_use`` and ``limits``.
    """

    study: str
    site: str
    source: str
    strategy: dict[str, Any] | None
    target_size: str
    label: str
    classes: list[str]
    seed: int
    replicates: list[dict[str, Any]]
    learner: dict[str, Any]
    training: dict[str, Any]
    embedding: str
    vocabulary_digest: str
    encounters: int | None
    version: str
    task: dict[str, Any] = field(default_factory=dict)
    threads: int = 1
    look_back_days: float | None = None
    performance: dict[str, Any] | None = None
    calibration: list[dict[str, Any] | None] = field(default_factory=list)
    data: dict[str, dict[str, Any]] = field(default_factory=dict)
    use: dict[str, Any] | None = None
    made_from: str = ""
    format: int = FORMAT


@dataclass(frozen=True)
class Bundle:
    """A folder whose card, vocabulary and embedding table fit together."""

    folder: Path
    card: ModelCard
    vocabulary: Vocabulary
    table: EmbeddingTable | None


def bundle_files(takes_embedding: bool, of_learner: tuple[str, ...]) -> list[str]:
    """Names of the files of a bundle, with the learner's own."""
    table = [TABLE, "embedding.json"] if takes_embedding else []
    return [CARD, *of_learner, VOCABULARY, *table, MANIFEST]


def write_bundle(
    folder: Path,
    write_models: Callable[[Path], None],
    card: ModelCard,
    vocabulary: Vocabulary,
    table: EmbeddingTable | None,
) -> None:
    """Write the files of a bundle in place of all that the folder held; manifest.json comes last
    and marks it complete."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in (MANIFEST, *(path.name for path in folder.iterdir())):
        (folder / name).unlink(missing_ok=True)
    write_models(folder)
    vocabulary.write(folder / VOCABULARY)
    if table is not None:
        table.write(folder / TABLE)
    (folder / CARD).write_text(json.dumps(asdict(card), indent=1) + "\n", encoding="utf-8")
    write_manifest(folder)


def read_card(folder: Path) -> ModelCard:
    """The card of a bundle of this version's format; no other file is looked at."""
    try:
        content = json.loads((folder / CARD).read_text(encoding="utf-8"))
    except OSError as error:
        raise _incomplete(folder, error) from None
    except ValueError:
        raise StudyError(
            f"{folder}/{CARD} is no card that this program wrote: it was altered, or is damaged; "
            "copy the bundle again from its sender"
        ) from None
    known = {part.name for part in fields(ModelCard)}
    number = content.get("format") if isinstance(content, dict) else None
    if number != FORMAT:
        newer = isinstance(number, int) and number > FORMAT
        remedy = "install a newer version" if newer else "let the study that wrote it run again"
        raise StudyError(
            f"{folder}/{CARD} is of format {number}; this version reads bundles of format "
            f"{FORMAT}: {remedy}"
        )
    if content.keys() != known:
        wrong = ", ".join(sorted(content.keys() ^ known))
        raise StudyError(f"{folder}/{CARD} was altered: {wrong} is no key of a card, or missing")
    return ModelCard(**content)


def read_bundle(
    folder: Path, vocabulary: Vocabulary | None = None, table: EmbeddingTable | None = None
) -> Bundle:
    """Read a bundle's card, vocabulary and table, refusing one that does not fit the receiver.

    Raises StudyError where a file is missing, altered, added or of another format, where files do
    not belong together, or where the bundle's tokens or embedding differ from those given, naming
    both digests. The texts of the tokens may differ: what a model got of them is in its embedding.
    """
    card = read_card(folder)
    check_manifest(folder)
    words = Vocabulary.read(folder / VOCABULARY)
    if words.digest != card.vocabulary_digest:
        raise StudyError(
            f"{folder}/vocabulary.tsv has digest {words.digest[:12]}, but card.json says "
            f"{card.vocabulary_digest[:12]}: the bundle was changed after it was written"
        )
    if vocabulary is not None and vocabulary.identity != words.identity:
        raise StudyError(
            f"{folder} was trained on vocabulary {words.identity[:12]}, but this study uses "
            f"{vocabulary.identity[:12]}: a model only fits encounters coded in its own vocabulary"
            f". {first_difference(words, vocabulary)}; the bundle's {VOCABULARY} can be the study's"
        )
    own_table = None
    if (folder / TABLE).exists() or table is not None:
        own_table = read_table(folder / TABLE, words)
    if table is not None and own_table is not None and _digest(table) != _digest(own_table):
        raise StudyError(
            f"{folder} was trained on embedding '{own_table.card.name}' with vectors "
            f"{_digest(own_table)}, but '{table.card.name}' here has {_digest(table)}: use the "
            "table that came with the bundle"
        )
    return Bundle(folder, card, words, own_table)


def read_table(path: Path, vocabulary: Vocabulary) -> EmbeddingTable:
    """The embedding table at `path`; learners without one need not load what reads it."""
    from concept_transfer.embeddings.table import EmbeddingTable

    return EmbeddingTable.read(path, vocabulary)


def tensors_in(path: Path, load: Callable[[Path], dict[str, Any]]) -> dict[str, Any]:
    """The tensors of a learner's own file. Raises StudyError where it is missing or damaged."""
    try:
        return load(path)
    except (OSError, SafetensorError) as error:
        raise _incomplete(path.parent, error) from None


def is_current_bundle(folder: Path, made_from: str) -> bool:
    """Whether a complete bundle is there and was made from just this."""
    if not (folder / MANIFEST).is_file():
        return False
    try:
        content = json.loads((folder / CARD).read_text(encoding="utf-8"))
    except (OSError, json.JSONDecodeError):
        return False
    return bool(content.get("made_from") == made_from)


def _incomplete(folder: Path, error: Exception) -> StudyError:
    return StudyError(
        f"{folder} is no complete model bundle ({error}); it needs manifest.json, card.json, "
        "vocabulary.tsv, the files of its learner and, where that takes an embedding, "
        "embedding.safetensors and embedding.json"
    )


def _digest(table: EmbeddingTable) -> str:
    """The head of the SHA-256 of a table's vectors."""
    return hashlib.sha256(table.vectors.tobytes()).hexdigest()[:12]
