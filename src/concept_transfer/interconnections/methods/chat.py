"""The method `chat`: a chat model is asked which codes belong together."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from concept_transfer.interconnections.methods.method import Method, MethodSettings
from concept_transfer.settings.addresses import Address, Variable


class Chat(MethodSettings):
    """Answers of a model at a server that speaks OpenAI's API; only names of codes are ever
    sent."""

    kind: Literal["chat"]
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
    prompt: Literal["binary", "graded", "pairwise"] = Field(
        default="binary",
        description="Which of a list; a grade of 0 to 3 for each of a list; yes or no to a pair. "
        "Every code is asked about, so that a pair is asked in both directions.",
    )
    list_size: int = Field(default=100, ge=2, description="Codes of a list at most.")
    phrasings: int = Field(default=1, ge=1, le=3, description="Paraphrases of the question.")
    repeats: int = Field(default=1, ge=1, description="Times that each is asked.")
    temperature: float = Field(default=0.0, ge=0, le=2, description="Temperature of answers.")
    retries: int = Field(
        default=6, ge=0, description="Repeats after 429, 5xx, time-outs and lost connections."
    )
    timeout: float = Field(default=120, gt=0, description="Seconds to wait for an answer.")
    price_in: float | None = Field(
        default=None, ge=0, description="US dollars a million tokens sent, for the cost estimate."
    )
    price_out: float | None = Field(
        default=None, ge=0, description="US dollars a million tokens of answers."
    )
    most_usd: float | None = Field(
        default=None, ge=0, description="Send nothing where the estimate is higher."
    )
    most_requests: int = Field(
        default=10_000, ge=1, description="Send nothing where more requests would be needed."
    )
    offline: bool = Field(default=False, description="Use kept answers only; send nothing.")


def methods(settings: Any) -> str:
    how = {
        "binary": "which codes of a list patients with a code have more often than others",
        "graded": "how much more often patients with a code have each of a list, from 0 to 3",
        "pairwise": "whether patients with a code have another more often than others",
    }[settings.prompt]
    return (
        f"the model {settings.model}, asked by the names of codes {how}, in {settings.phrasings} "
        f"wording(s), {settings.repeats} time(s) each; both directions were averaged, and answers "
        "that were none counted"
    )


METHOD = Method(
    settings=Chat,
    title="chat model",
    methods=methods,
    prepare="concept_transfer.interconnections.chat.ask:ask",
    learns=False,
)
