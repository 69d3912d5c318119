"""Embeddings as the config states them."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field

from concept_transfer.embeddings import catalogue
from concept_transfer.errors import choices
from concept_transfer.settings.addresses import Address, Variable
from concept_transfer.settings.scale import SCALE, Scale
from concept_transfer.settings.section import Name, Section

MOST_GENERATIONS = 100


PLACEHOLDERS = ("text", "name", "state", "category", "definition")


def _check_template(template: str) -> str:
    unknown = [found for found in re.findall(r"\{(.*?)\}", template) if found not in PLACEHOLDERS]
    if unknown:
        raise ValueError(
            f"unknown placeholder {{{unknown[0]}}}; choose from {{{'}, {'.join(PLACEHOLDERS)}}}"
        )
    return template


def _check_prompt(prompt: str) -> str:
    if re.findall(r"\{(.*?)\}", prompt) != ["text"]:
        raise ValueError("a prompt holds the placeholder {text} exactly once, and no other")
    return prompt


Template = Annotated[str, AfterValidator(_check_template)]
Prompt = Annotated[str, AfterValidator(_check_prompt)]
PROMPT = "What the model is given, around the token's text."


class Wording(Section):
    """How a token is put into words, where the vocabulary's own texts are not used."""

    templates: dict[str, Template] = Field(
        default={},
        description="State -> template, such as {absent: 'no {name}'}; 'other' serves the states "
        "not listed, else {text}, the vocabulary's own text.",
    )
    synonyms: str | None = Field(
        default=None,
        description="TSV with columns concept, synonym: a token's vector is the mean over its "
        "name and synonyms.",
    )
    definitions: str | None = Field(
        default=None, description="TSV with columns concept, definition, for {definition}."
    )
    same_text: Literal["error", "allow"] = Field(
        default="error",
        description="Two tokens with one text get one vector, and no model can tell them apart.",
    )


class OneHotEmbedding(Section):
    """Baseline without meaning: every token is its own dimension."""

    provider: Literal["one_hot"]
    scale: Scale = Field(default="raw", description=SCALE)


class RandomEmbedding(Section):
    """Control: Gaussian rows of the width and row norms of another embedding."""

    provider: Literal["random"]
    like: Name = Field(description="Embedding whose width and row norms are copied.")


class ShuffledEmbedding(Section):
    """Control: the vectors of another embedding, concepts permuted, states kept together."""

    provider: Literal["shuffled"]
    of: Name = Field(description="Embedding whose rows are permuted.")


class PrecomputedEmbedding(Section):
    """Vectors somebody published: HDF5, NPZ, Parquet or word2vec text."""

    provider: Literal["precomputed"]
    path: str = Field(description="File of the vectors; its suffix says the format.")
    crosswalk: str | None = Field(
        default=None,
        description="TSV with columns key, concept, state, for keys that no rule matches.",
    )
    missing: Literal["error", "zero", "mean", "nearest"] = Field(
        default="error",
        description="Tokens without a vector: an error that lists them, a zero row, the mean of "
        "all matched rows, or the row of the concept with the most similar name.",
    )
    scale: Scale = Field(default="raw", description=SCALE)


class TextEmbedding(Section):
    """What all providers share that read a token's text."""

    catalogue: str | None = Field(
        default=None, description="Entry of config/embeddings/ whose settings are used."
    )
    prompt: Prompt = Field(default="{text}", description=PROMPT)
    wording: Wording = Field(default=Wording(), description="How tokens are put into words.")


class TransformersEmbedding(TextEmbedding):
    """Texts embedded by a language model (hub id, local folder, or package:NAME)."""

    provider: Literal["transformers"]
    model: str = Field(description="Hub id, local folder, or package:NAME of an installed package.")
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


class OpenAIEmbedding(TextEmbedding):
    """Texts embedded by a server that speaks OpenAI's API; only concept texts are ever sent."""

    provider: Literal["openai"]
    model: str = Field(description="Model (or Azure deployment) name on the server.")
    base_url: Address | None = Field(
        default=None, description="Server, e.g. http://localhost:11434/v1; null is OpenAI's own."
    )
    api_version: str | None = Field(
        default=None, description="Azure's API version; base_url is then the Azure endpoint."
    )
    key_variable: Variable = Field(
        default="OPENAI_API_KEY", description="Environment variable that holds the key."
    )
    dimensions: int | None = Field(default=None, ge=1, description="Ask for shortened vectors.")
    batch_texts: int = Field(default=256, ge=1, description="Texts a request at most.")
    batch_tokens: int = Field(
        default=100_000, ge=1, description="Estimated tokens a request at most."
    )
    retries: int = Field(
        default=6, ge=0, description="Repeats after 429, 5xx, time-outs and lost connections."
    )
    timeout: float = Field(default=60, gt=0, description="Seconds to wait for an answer.")
    price: float | None = Field(
        default=None, ge=0, description="US dollars a million tokens, for the cost estimate."
    )
    offline: bool = Field(default=False, description="Use the cache only; send nothing.")
    scale: Scale = Field(default="raw", description=SCALE)


class ScaledEmbedding(Section):
    """Another embedding at another row length."""

    provider: Literal["scaled"]
    of: Name = Field(description="Embedding whose rows are scaled.")
    scale: Scale = Field(description=SCALE)


class PcaEmbedding(Section):
    """The first principal components of another embedding: its width as an axis."""

    provider: Literal["pca"]
    of: Name = Field(description="Embedding that is projected.")
    width: int = Field(ge=1, description="Number of components.")
    scale: Scale = Field(default="raw", description=SCALE)


class ConcatenatedEmbedding(Section):
    """Rows of several embeddings side by side."""

    provider: Literal["concatenated"]
    of: list[Name] = Field(min_length=2, description="Embeddings, in order.")
    scale: Scale = Field(default="raw", description=SCALE)


class AverageEmbedding(Section):
    """Mean of several embeddings of one width."""

    provider: Literal["average"]
    of: list[Name] = Field(min_length=2, description="Embeddings of one width.")
    scale: Scale = Field(default="raw", description=SCALE)


class NegationEmbedding(Section):
    """Absent = present + one direction for all concepts, the mean of absent - present."""

    provider: Literal["negation"]
    of: Name = Field(description="Embedding whose absent rows are replaced.")
    strength: float = Field(
        default=1.0, gt=0, description="Length of the step, in mean differences."
    )
    scale: Scale = Field(default="raw", description=SCALE)


Embedding = Annotated[
    OneHotEmbedding
    | RandomEmbedding
    | ShuffledEmbedding
    | PrecomputedEmbedding
    | TransformersEmbedding
    | OpenAIEmbedding
    | ScaledEmbedding
    | PcaEmbedding
    | ConcatenatedEmbedding
    | AverageEmbedding
    | NegationEmbedding,
    Field(discriminator="provider"),
]


def parents_of(embedding: Any) -> tuple[str, ...]:
    """Names of the embeddings that one is made from; empty where it stands alone."""
    named = getattr(embedding, "of", None) or getattr(embedding, "like", None) or ()
    return (named,) if isinstance(named, str) else tuple(named)


def check_parents(embeddings: dict[str, Any]) -> None:
    """Every parent is defined, no parent is a control, no embedding is made from itself."""
    for name, embedding in embeddings.items():
        for parent in parents_of(embedding):
            if parent not in embeddings:
                raise ValueError(
                    f"embeddings.{name} refers to '{parent}', which is not defined; "
                    f"defined are {choices(embeddings)}"
                )
            if embeddings[parent].provider in ("random", "shuffled"):
                raise ValueError(
                    f"embeddings.{name} refers to '{parent}', which is a control itself; "
                    "refer to the embedding behind it"
                )
    _check_generations({name: parents_of(entry) for name, entry in embeddings.items()})


def _check_generations(parents: dict[str, tuple[str, ...]]) -> None:
    """Take away those that stand alone, then those that need only them, until none is left."""
    waiting = dict(parents)
    for _ in range(MOST_GENERATIONS):
        ready = {name for name, of in waiting.items() if not any(p in waiting for p in of)}
        waiting = {name: of for name, of in waiting.items() if name not in ready}
    if not waiting:
        return
    name, met = next(iter(waiting)), set[str]()
    while name not in met and any(p in waiting for p in waiting[name]):
        met.add(name)
        name = next(p for p in waiting[name] if p in waiting)
    if name in met:
        raise ValueError(f"embeddings.{name} is made from itself; break the circle")
    raise ValueError(
        f"embeddings.{name} is made from another, which is made from another, more than "
        f"{MOST_GENERATIONS} times; shorten the chain"
    )


def from_catalogue(value: Any) -> Any:
    """`name:` alone, or `name: {catalogue: entry, ...}`, takes the entry's settings."""
    if not isinstance(value, dict):
        return value
    return {
        name: catalogue.fill(name, {} if entry is None else entry)
        if entry is None or (isinstance(entry, dict) and entry.get("catalogue") is not None)
        else entry
        for name, entry in value.items()
    }
