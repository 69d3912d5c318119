"""Embedding providers: what the house must know of each, and how a table is made by name."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from concept_transfer.registry import Registry, imported

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from concept_transfer.concepts.vocabulary import Vocabulary
    from concept_transfer.embeddings.table import EmbeddingTable
    from concept_transfer.inputs.rows import CompressedRows
    from concept_transfer.settings.embeddings import EmbeddingSection

Control = Literal["shuffled", "random"]
SOURCE = "source"  # in place of a site: that which a cell's models come from


@dataclass(frozen=True)
class Request:
    """What a provider gets: the embedding's name and section, the vocabulary, and the folder that
    relative paths of the config start from.

    allowed: bool [tokens], those that models of the study see; the others need no published
    vector. parents: the tables that the section names (none in a check), in order. device: a torch
    device. model: the folder of the study's language model that reads the texts, where one does.
    findings: sets of tokens of the encounters that a learned table is learned from, which never
    test.
    """

    name: str
    config: Any
    vocabulary: Vocabulary
    root: Path
    allowed: NDArray[np.bool_]
    parents: Sequence[EmbeddingTable] = ()
    device: str = "cpu"
    model: Path | None = None
    findings: CompressedRows | None = None


def _settings_in_words(embedding: Any) -> str:
    settings = embedding.model_dump(exclude_defaults=True, exclude={"provider", "scale"})
    details = ", ".join(f"{key} {value}" for key, value in settings.items())
    return f"{embedding.provider} {details}".strip()


@dataclass(frozen=True)
class Provider:
    """The record of a provider. Functions given as text, ``module:function``, are imported where
    they run.

    settings: the section, with the provider's name as ``provider: Literal[...]``.
    embed: (Request) -> EmbeddingTable; check: (Request) -> None, raises StudyError before any job
    for what is wrong with files and names.
    texts: (name, section, texts, root, device) -> vectors of distinct texts, float32 [texts,
    width], of those that can embed any text.
    described: (section) -> the vectors in words, for the methods, without their scale.
    encoder: (section) -> which of the study's language models it reads texts with, or None.
    learns_from: (section) -> the site whose encounters teach the vectors, `SOURCE` for a table each
    site, or None: nobody's.
    parents: keys of the section that name other embeddings; paths: keys that hold files, with dots
    where they lie deeper; files: (name, section, root) -> further local files, and
    content: the same arguments -> a digest of what the vectors are made from and is no file.
    reads_words: whether vectors depend on what the vocabulary's tokens say, not on their identity
    alone. control: which control of its parent an embedding is; is_reference: whether it knows
    which findings there are and nothing of their meaning; rescales: whether it is its parent at
    another length.
    """

    settings: type[EmbeddingSection]
    embed: str
    check: str = ""
    texts: str = ""
    described: Callable[[Any], str] = _settings_in_words
    encoder: Callable[[Any], str | None] = lambda embedding: None
    learns_from: Callable[[Any], str | None] = lambda embedding: None
    parents: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()
    files: str = ""
    content: str = ""
    reads_words: bool = False
    control: Control | None = None
    is_reference: bool = False
    rescales: bool = False

    @property
    def carries_meaning(self) -> bool:
        return self.control is None and not self.is_reference


PROVIDERS: Registry[Provider] = Registry(
    "concept_transfer.embeddings",
    {
        "one_hot": "concept_transfer.embeddings.one_hot_embedding:ONE_HOT",
        "random": "concept_transfer.embeddings.control_embeddings:RANDOM",
        "shuffled": "concept_transfer.embeddings.control_embeddings:SHUFFLED",
        "precomputed": "concept_transfer.embeddings.precomputed_embedding:PRECOMPUTED",
        "transformers": "concept_transfer.embeddings.transformers_embedding:TRANSFORMERS",
        "openai": "concept_transfer.embeddings.openai_embedding:OPENAI",
        "bundle": "concept_transfer.embeddings.bundle_embedding:BUNDLE",
        "scaled": "concept_transfer.embeddings.derived_embeddings:SCALED",
        "pca": "concept_transfer.embeddings.derived_embeddings:PCA",
        "concatenated": "concept_transfer.embeddings.derived_embeddings:CONCATENATED",
        "average": "concept_transfer.embeddings.derived_embeddings:AVERAGE",
        "negation": "concept_transfer.embeddings.derived_embeddings:NEGATION",
        "cooccurrence": "concept_transfer.interconnections.learned_embeddings:COOCCURRENCE",
        "spectral": "concept_transfer.interconnections.learned_embeddings:SPECTRAL",
    },
)


def check_embedding(
    name: str,
    config: EmbeddingSection,
    vocabulary: Vocabulary,
    root: Path,
    allowed: NDArray[np.bool_] | None = None,
) -> None:
    """Cheap check before any job: files exist, models have weights, keys cover the vocabulary.

    `allowed`: see `Request` (None: all). Raises StudyError that names the key of the config, the
    file and what is accepted.
    """
    check = PROVIDERS[config.provider].check
    if check:
        imported(check)(Request(name, config, vocabulary, root, _all_or(allowed, vocabulary)))


def embed(
    name: str,
    config: EmbeddingSection,
    vocabulary: Vocabulary,
    root: Path,
    parents: Sequence[EmbeddingTable] = (),
    device: str = "cpu",
    allowed: NDArray[np.bool_] | None = None,
    model: Path | None = None,
    findings: CompressedRows | None = None,
) -> EmbeddingTable:
    """Compute the embedding `name` of a study; the arguments are those of a `Request`.

    `parents` are the tables that `settings.embeddings.parents_of(config)` names, in that order.
    """
    for parent in parents:
        parent.require_vocabulary(vocabulary)
    known = _all_or(allowed, vocabulary)
    request = Request(name, config, vocabulary, root, known, parents, device, model, findings)
    table: EmbeddingTable = imported(PROVIDERS[config.provider].embed)(request)
    return table


def _all_or(allowed: NDArray[np.bool_] | None, vocabulary: Vocabulary) -> NDArray[np.bool_]:
    import numpy as np

    return np.ones(len(vocabulary), dtype=np.bool_) if allowed is None else allowed
