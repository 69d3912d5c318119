"""What a language model reads for every token of a vocabulary."""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from concept_transfer.concepts.vocabulary import Vocabulary
from concept_transfer.embeddings.table import digest_of_texts
from concept_transfer.errors import StudyError
from concept_transfer.paths import resolve
from concept_transfer.settings.wording import TextEmbedding, Wording

Origin = Literal["concepts", "notes"]


@dataclass(frozen=True)
class TokenTexts:
    """The distinct texts to embed, and which of them each token is the mean of.

    `origin` says whether the words describe concepts or were written about a patient; the
    latter never leave the machine.
    """

    texts: tuple[str, ...]
    members: tuple[tuple[int, ...], ...]
    origin: Origin

    @property
    def digest(self) -> str:
        """SHA-256 of every token's texts, in token order."""
        return digest_of_texts(
            "\n".join(self.texts[i] for i in members) for members in self.members
        )

    def per_token(self, vectors: NDArray[np.float32]) -> NDArray[np.float32]:
        """Vectors of the distinct texts [texts, width] -> of the tokens [tokens, width]."""
        if all(len(members) == 1 for members in self.members):
            first = np.array([members[0] for members in self.members])
            if len(first) == len(vectors) and (first == np.arange(len(first))).all():
                return vectors
            return np.asarray(vectors[first])
        return np.stack([vectors[list(members)].mean(axis=0) for members in self.members])


def token_texts(name: str, config: TextEmbedding, vocabulary: Vocabulary, root: Path) -> TokenTexts:
    """Put every token of a vocabulary into words, as the embedding `name` is configured.

    A state's template (else `other`, else the vocabulary's own text) is filled in once for the
    concept's name and once for each synonym, and wrapped in the model's prompt.

    Raises StudyError for an empty text, a definition that is missing, synonyms that no template
    would use, and two tokens with one text (unless `same_text: allow`).
    """
    wording = config.wording
    synonyms = _read(name, "synonym", wording.synonyms, root)
    definitions = _read(name, "definition", wording.definitions, root)
    if synonyms and not any("{name}" in template for template in wording.templates.values()):
        raise StudyError(
            f"embeddings.{name}: 'synonyms' needs templates that hold {{name}}, for example "
            "templates: {present: '{name}', absent: 'no {name}'}"
        )
    positions: dict[str, int] = {}
    members = []
    for token, concept in enumerate(vocabulary.concepts):
        names = [vocabulary.names[token], *synonyms.get(concept, ())]
        rendered = [
            config.prompt.replace(
                "{text}", _render(name, token, word, wording, vocabulary, definitions)
            )
            for word in names
        ]
        members.append(
            tuple(positions.setdefault(t, len(positions)) for t in dict.fromkeys(rendered))
        )
    texts = TokenTexts(tuple(positions), tuple(members), "concepts")
    if wording.same_text == "error":
        _require_distinct(name, texts, vocabulary)
    return texts


def _render(
    name: str,
    token: int,
    word: str,
    wording: Wording,
    vocabulary: Vocabulary,
    definitions: Mapping[str, Sequence[str]],
) -> str:
    state, concept = vocabulary.states[token], vocabulary.concepts[token]
    template = wording.templates.get(state) or wording.templates.get("other") or "{text}"
    if "{definition}" in template and concept not in definitions:
        raise StudyError(
            f"embeddings.{name}: the template of state '{state}' asks for a definition, and "
            f"{wording.definitions or 'no file of definitions'} has none for {concept} "
            f"({vocabulary.names[token]}); add it, or leave {{definition}} out of the template"
        )
    values = {
        "text": vocabulary.texts[token],
        "name": word,
        "state": state,
        "category": vocabulary.categories[token],
        "definition": " ".join(definitions.get(concept, ())),
    }
    rendered = re.sub(r"\{(\w+)\}", lambda match: values[match[1]], template).strip()
    if not rendered:
        raise StudyError(
            f"embeddings.{name}: token {token} ({concept}, {state}) has an empty text; correct the "
            "template of its state or the vocabulary's text"
        )
    return rendered


def _require_distinct(name: str, texts: TokenTexts, vocabulary: Vocabulary) -> None:
    first: dict[tuple[int, ...], int] = {}
    for token, members in enumerate(texts.members):
        other = first.setdefault(members, token)
        if other != token:
            raise StudyError(
                f"embeddings.{name}: tokens {other} ({vocabulary.concepts[other]}, "
                f"{vocabulary.states[other]}) and {token} ({vocabulary.concepts[token]}, "
                f"{vocabulary.states[token]}) have the same text '{texts.texts[members[0]]}', so "
                "no model could tell them apart; change a template or text, or set wording: "
                "{same_text: allow}"
            )


def _read(name: str, column: str, path: str | None, root: Path) -> dict[str, list[str]]:
    """Concept -> texts, from a TSV with the columns concept and `column`."""
    if path is None:
        return {}
    file = resolve(path, root)
    try:
        lines = file.read_text(encoding="utf-8-sig").splitlines()
    except FileNotFoundError:
        raise StudyError(f"embeddings.{name}: wording.{column}s: {file} does not exist") from None
    rows = list(csv.reader((line for line in lines if line[:1] != "#"), delimiter="\t"))
    if not rows or rows[0] != ["concept", column] or any(len(row) != 2 for row in rows):
        raise StudyError(
            f"embeddings.{name}: {file} must hold the two columns concept and {column}, separated "
            "by a tab, with that header"
        )
    texts_of: dict[str, list[str]] = {}
    for concept, text in rows[1:]:
        texts_of.setdefault(concept, []).append(text.strip())
    return texts_of
