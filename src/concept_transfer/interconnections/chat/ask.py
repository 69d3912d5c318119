"""Asks a chat model about all codes, and says how far its answers agree with each other."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import numpy as np
from numpy.typing import NDArray

from concept_transfer.errors import StudyError
from concept_transfer.interconnections.chat.prompts import asked, understood
from concept_transfer.interconnections.counts import all_pairs
from concept_transfer.interconnections.nodes import Nodes
from concept_transfer.progress import Progress

if TYPE_CHECKING:
    from concept_transfer.interconnections.methods.chat import Chat

OFFLINE = "CONCEPT_TRANSFER_OFFLINE"
A_NUMBER = 3  # tokens of a number and what stands around it, in an answer

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Request:
    """A prompt about the code `about` and `others`, its phrasing, and the number of its repeat."""

    about: int
    others: tuple[int, ...]
    phrasing: int
    repeat: int
    prompt: str


def ask(where: str, settings: Chat, nodes: Nodes) -> tuple[Array, dict[str, Any]]:
    """Scores of all pairs, [K, K], the mean of both directions and of all answers, NaN where there
    is none; and facts: requests, answers that are none, agreement, tokens and cost.

    Sent are the names of codes and nothing else. Raises StudyError before anything is sent where
    there are more requests than `most_requests`, or they cost more than `most_usd`.
    """
    from concept_transfer.interconnections.chat.client import Answers, ChatClient, digest

    requests = list(_requests(settings, nodes))
    answers = Answers(settings)
    known = answers.read()
    questions = {(r.prompt, r.repeat): None for r in requests}
    unknown = [question for question in questions if digest(question) not in known]
    usage: dict[str, Any] = {"sent": len(unknown), "tokens_in": 0, "tokens_out": 0, "usd": None}
    if unknown:
        _may_be_sent(where, settings, unknown, len(nodes) - 1)
        progress = Progress("requests", len(unknown))
        for question, text, sent, received in answers.kept(unknown, ChatClient(where, settings)):
            known[digest(question)] = text
            usage["tokens_in"] += sent
            usage["tokens_out"] += received
            progress.advance(1)
    usage["usd"] = _cost(settings, usage["tokens_in"], usage["tokens_out"])
    shape = settings.phrasings, settings.repeats, len(nodes), len(nodes)
    said = np.full(shape, np.nan, np.float32)
    none = 0
    for request in requests:
        text = known[digest((request.prompt, request.repeat))]
        found = understood(settings.prompt, text, len(request.others))
        if found is None:
            none += 1
        else:
            said[request.phrasing, request.repeat, request.about, list(request.others)] = found
    facts = {"requests": len(requests), "no_answer": none, **agreements(said), **usage}
    return symmetrised(said), facts


def symmetrised(said: NDArray[np.float32]) -> Array:
    """Mean over phrasings, repeats and both directions of answers [phrasings, repeats, K, K]."""
    with np.errstate(invalid="ignore"):
        count = (~np.isnan(said)).sum(axis=(0, 1))
        mean = np.where(count, np.nansum(said, axis=(0, 1)) / np.maximum(count, 1), np.nan)
    both = np.stack([mean, mean.T])
    known = ~np.isnan(both)
    total = np.where(known, both, 0).sum(axis=0)
    found = np.where(known.any(axis=0), total / np.maximum(known.sum(axis=0), 1), np.nan)
    np.fill_diagonal(found, np.nan)
    return np.asarray(found, np.float64)


def agreements(said: NDArray[np.float32]) -> dict[str, float | None]:
    """Cohen's kappa of whether two answers see any link: between repeats of one phrasing, between
    phrasings, and between both directions of a pair; means over all such comparisons, None where
    there is none."""
    phrasings, repeats, codes = said.shape[:3]
    pairs = all_pairs(codes)
    again = [
        kappa(said[p, one], said[p, other])
        for p in range(phrasings)
        for one, other in combinations(range(repeats), 2)
    ]
    worded = [
        kappa(said[one, r], said[other, r])
        for r in range(repeats)
        for one, other in combinations(range(phrasings), 2)
    ]
    turned = [
        kappa(said[p, r][pairs], said[p, r].T[pairs])
        for p in range(phrasings)
        for r in range(repeats)
    ]
    told = {"repeats": again, "phrasings": worded, "directions": turned}
    return {
        f"agreement_{name}": float(np.nanmean(values))
        if values and not np.isnan(values).all()
        else None
        for name, values in told.items()
    }


def kappa(one: NDArray[np.float32], other: NDArray[np.float32]) -> float:
    """Cohen's (1960) of answers above 0, where both are known; NaN where all say the same."""
    known = ~np.isnan(one) & ~np.isnan(other)
    a, b = one[known] > 0, other[known] > 0
    if not len(a):
        return float("nan")
    chance = a.mean() * b.mean() + (1 - a.mean()) * (1 - b.mean())
    return float(((a == b).mean() - chance) / (1 - chance)) if chance < 1 else float("nan")


def _requests(settings: Chat, nodes: Nodes) -> Iterator[Request]:
    """Every code about all others, in lists, in every phrasing and repeat."""
    size = 1 if settings.prompt == "pairwise" else settings.list_size
    for phrasing in range(settings.phrasings):
        for about, name in enumerate(nodes.name):
            others = [place for place in range(len(nodes)) if place != about]
            for start in range(0, len(others), size):
                part = tuple(others[start : start + size])
                names = [nodes.name[place] for place in part]
                prompt = asked(settings.prompt, phrasing, name, names)
                for repeat in range(settings.repeats):
                    yield Request(about, part, phrasing, repeat, prompt)


def _may_be_sent(where: str, settings: Chat, unknown: list[tuple[str, int]], others: int) -> None:
    """Say what will be sent and cost; refuse it where that is more than the settings allow.

    others: how many codes each is asked with.
    """
    from concept_transfer.embeddings.openai_client import estimated_tokens, public_url

    if settings.offline or os.environ.get(OFFLINE, "") not in ("", "0"):
        raise StudyError(
            f"{where}: offline, and {len(unknown)} answer(s) are not kept here; run once with "
            f"network (offline: false, {OFFLINE} unset), or leave the method out"
        )
    if len(unknown) > settings.most_requests:
        raise StudyError(
            f"{where}: {len(unknown):,} requests would be sent, and most_requests is "
            f"{settings.most_requests:,}; raise it, or ask less: fewer codes (min_patients), "
            "longer lists (list_size), fewer phrasings and repeats"
        )
    sent = sum(estimated_tokens(prompt) for prompt, _ in unknown)
    size = 1 if settings.prompt == "pairwise" else min(settings.list_size, others)
    received = len(unknown) * size * A_NUMBER
    cost = _cost(settings, sent, received)
    if settings.most_usd is not None and (cost is None or cost > settings.most_usd):
        told = "is unknown (give price_in and price_out)" if cost is None else f"is ${cost:.2f}"
        raise StudyError(
            f"{where}: the estimated cost of {len(unknown):,} requests {told}, and most_usd is "
            f"{settings.most_usd:g}; nothing was sent"
        )
    host = urlsplit(public_url(settings)).netloc
    print(
        f"{where}: {len(unknown):,} requests to send to {host}, about {sent:,} tokens and at most "
        f"{received:,} in answer" + ("" if cost is None else f", ${cost:.4f}"),
        file=sys.stderr,
    )


def _cost(settings: Chat, sent: int, received: int) -> float | None:
    if settings.price_in is None or settings.price_out is None:
        return None
    return (sent * settings.price_in + received * settings.price_out) / 1e6
