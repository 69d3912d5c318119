"""How tokens are put into words for a language model, as the config states it."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from concept_transfer.settings.embeddings import EmbeddingSection
from concept_transfer.settings.section import Section

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


WORDING_FILES = ("wording.synonyms", "wording.definitions")  # keys that hold files


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


class TextEmbedding(EmbeddingSection):
    """What all providers share that read a token's text."""

    catalogue: str | None = Field(
        default=None, description="Entry of config/embeddings/ whose settings are used."
    )
    prompt: Prompt = Field(default="{text}", description=PROMPT)
    wording: Wording = Field(default=Wording(), description="How tokens are put into words.")
