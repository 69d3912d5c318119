"""The provider `transformers`: texts read by a language model on this machine."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from concept_transfer.embeddings.providers import Provider
from concept_transfer.settings.scale import SCALE, Scale
from concept_transfer.settings.wording import WORDING_FILES, TextEmbedding

ADAPTED = "adapted:"


class TransformersEmbedding(TextEmbedding):
    """Texts embedded by a language model (hub id, local folder, or package:NAME)."""

    provider: Literal["transformers"]
    model: str = Field(
        description="Hub id, local folder, package:NAME of an installed package, or adapted:NAME "
        "of `encoders` (kind: text)."
    )
    revision: str | None = Field(default=None, description="Commit or tag of a hub model.")
    pooling: Literal["cls", "mean", "last"] = Field(
        default="mean",
        description="First token, mean over tokens, or last token of the last layer.",
    )
    dtype: Literal["float32", "bfloat16"] = Field(
        default="float32", description="Precision the model computes in; tables are float32."
    )
    truncate: bool = Field(
        default=False, description="Cut texts that exceed the model's length, else an error."
    )
    pickled_weights: bool = Field(
        default=False,
        description="Also load pytorch_model.bin where a model has no safetensors; a pickle can "
        "run code, so only from a publisher you trust.",
    )
    scale: Scale = Field(default="raw", description=SCALE)


def _described(embedding: TransformersEmbedding) -> str:
    revision = f" at revision {embedding.revision}" if embedding.revision else ""
    changed = embedding.model_dump(include={"prompt", "wording"}, exclude_defaults=True)
    wording = "".join(f", {key} {value}" for key, value in changed.items())
    return f"language model {embedding.model}{revision}, {embedding.pooling} pooling{wording}"


def _encoder(embedding: TransformersEmbedding) -> str | None:
    name = embedding.model.removeprefix(ADAPTED)
    return name if name != embedding.model else None


TRANSFORMERS = Provider(
    settings=TransformersEmbedding,
    embed="concept_transfer.embeddings.transformers_provider:embed",
    check="concept_transfer.embeddings.transformers_provider:check",
    texts="concept_transfer.embeddings.transformers_provider:embed_texts",
    files="concept_transfer.embeddings.transformers_provider:folder_files",
    content="concept_transfer.embeddings.transformers_provider:content",
    paths=WORDING_FILES,
    reads_words=True,
    encoder=_encoder,
    described=_described,
)
