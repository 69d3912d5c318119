"""Prompts to a server that speaks OpenAI's chat API, each asked once and kept."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from openai import APIError

from concept_transfer.embeddings.cache import cache_folder, locked
from concept_transfer.embeddings.openai_client import Connection, public_url
from concept_transfer.errors import StudyError

if TYPE_CHECKING:
    from concept_transfer.interconnections.methods.chat import Chat

ANSWERS = "answers.jsonl"
Question = tuple[str, int]  # a prompt, and the number of its repeat


class ChatClient(Connection):
    """A server of chat models."""

    gentler = " or lower 'list_size'"

    def __init__(self, where: str, settings: Chat) -> None:
        super().__init__(where, settings)
        self._settings = settings

    def answer(self, question: Question) -> tuple[str, int, int]:
        """What the model says, and the tokens sent and received. Raises StudyError."""
        prompt, repeat = question
        try:
            reply = self._client.chat.completions.create(
                model=self._settings.model,
                messages=[{"role": "user", "content": prompt}],
                temperature=self._settings.temperature,
                seed=repeat,
            )
            text = reply.choices[0].message.content or ""
            usage = reply.usage
        except APIError as error:
            raise StudyError(f"{self._where} {self._explained(error)}") from None
        except (ValueError, TypeError, AttributeError, IndexError) as error:
            raise StudyError(
                f"{self._where} gave an answer that is not of OpenAI's chat API "
                f"({self._redacted(str(error))}); check 'base_url', which usually ends in /v1"
            ) from None
        return text, usage.prompt_tokens if usage else 0, usage.completion_tokens if usage else 0


class Answers:
    """All kept answers of one model at one server and temperature; those of a killed job stay."""

    def __init__(self, settings: Chat) -> None:
        identity = json.dumps(
            [public_url(settings), settings.model, settings.temperature], ensure_ascii=False
        )
        name = hashlib.sha256(identity.encode()).hexdigest()[:32]
        self.folder: Path = cache_folder() / "chat" / name

    def read(self) -> dict[str, str]:
        """Digest of a question -> the answer; a line that was cut off counts for nothing."""
        file = self.folder / ANSWERS
        known = {}
        for line in file.read_text(encoding="utf-8").splitlines() if file.is_file() else []:
            try:
                entry = json.loads(line)
                known[str(entry["question"])] = str(entry["answer"])
            except (json.JSONDecodeError, KeyError, TypeError):
                continue
        return known

    def kept(
        self, questions: Sequence[Question], ask: ChatClient
    ) -> Iterator[tuple[Question, str, int, int]]:
        """Ask those questions, each answer written before the next is asked for."""
        with locked(self.folder), (self.folder / ANSWERS).open("a", encoding="utf-8") as file:
            file.write("\n")  # after a line that was cut off
            for question in questions:
                text, sent, received = ask.answer(question)
                entry = {"question": digest(question), "answer": text}
                file.write(json.dumps(entry, ensure_ascii=False) + "\n")
                file.flush()
                os.fsync(file.fileno())
                yield question, text, sent, received


def digest(question: Question) -> str:
    """SHA-256 of a prompt and the number of its repeat."""
    return hashlib.sha256(json.dumps(question).encode()).hexdigest()
