"""The provider `openai`: texts embedded by a server that speaks OpenAI's API."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from concept_transfer.embeddings.providers import Provider
from concept_transfer.settings.addresses import Address, Variable
from concept_transfer.settings.scale import SCALE, Scale
from concept_transfer.settings.wording import WORDING_FILES, TextEmbedding


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


OPENAI = Provider(
    settings=OpenAIEmbedding,
    embed="concept_transfer.embeddings.openai_provider:embed",
    check="concept_transfer.embeddings.openai_provider:check",
    texts="concept_transfer.embeddings.openai_provider:embed_texts",
    paths=WORDING_FILES,
    reads_words=True,
)
