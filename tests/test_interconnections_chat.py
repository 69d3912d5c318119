"""Chat models asked which codes belong together, through the official client, on loopback."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from chat_server import MODEL, ChatServer
from embedding_server import KEY, drop_mid_body, status
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import cohen_kappa_score

from concept_transfer.errors import StudyError
from concept_transfer.interconnections.chat.ask import agreements, ask, kappa, symmetrised
from concept_transfer.interconnections.chat.prompts import PHRASINGS, understood
from concept_transfer.interconnections.methods.chat import Chat
from concept_transfer.interconnections.nodes import Nodes

NAMES = ("cough", "fever", "gout", "migraine", "asthma")
NODES = Nodes(tuple("ABCDE"), NAMES, *[("",) * 5] * 4)
LINKED = {("cough", "fever"), ("fever", "cough"), ("cough", "asthma")}  # as the model sees it
WHERE = "interconnections.methods.chat"


@pytest.fixture(autouse=True)
def environment(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("CONCEPT_TRANSFER_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("TEST_KEY", KEY)
    monkeypatch.delenv("CONCEPT_TRANSFER_OFFLINE", raising=False)
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)


def listed(prompt: str) -> dict[str, int]:
    return {name: int(number) for number, name in re.findall(r"^(\d+)\. (.+)$", prompt, re.M)}


def about(prompt: str) -> str:
    rest = re.sub(r"^\d+\. .+$", "", prompt, flags=re.M)
    (name,) = (name for name in NAMES if name in rest)
    return name


def knowing(prompt: str) -> str:
    """A model that sees `LINKED`, and answers as it is asked to."""
    others = listed(prompt)
    if not others:
        one, other = sorted((n for n in NAMES if n in prompt), key=prompt.index)
        pair = (other, one) if prompt.startswith("Does") else (one, other)
        return "Yes." if pair in LINKED else "no"
    found = [number for name, number in others.items() if (about(prompt), name) in LINKED]
    if "grade" in prompt:
        return "\n".join(f"{n}: {3 if n in found else 0}" for n in others.values())
    return ", ".join(map(str, found)) or "none"


@pytest.fixture
def server() -> Iterator[ChatServer]:
    with ChatServer(knowing) as running:
        yield running


def settings(server: ChatServer, **keys: Any) -> Chat:
    given = {"model": MODEL, "key_variable": "TEST_KEY", "retries": 2, "timeout": 20, **keys}
    return Chat(kind="chat", base_url=server.url, **given)


@pytest.mark.parametrize("prompt", PHRASINGS)
@pytest.mark.parametrize("list_size", [2, 100])
def test_every_wording_finds_what_the_model_knows(
    server: ChatServer, prompt: str, list_size: int
) -> None:
    asked = settings(server, prompt=prompt, list_size=list_size, phrasings=3)
    scores, facts = ask(WHERE, asked, NODES)
    most = 3 if prompt == "graded" else 1
    expected = np.zeros((5, 5))
    expected[0, 1] = expected[1, 0] = most
    expected[0, 4] = expected[4, 0] = most / 2
    np.fill_diagonal(expected, np.nan)
    np.testing.assert_allclose(scores, expected)
    assert facts["no_answer"] == 0
    assert facts["agreement_phrasings"] == 1
    assert facts["agreement_repeats"] is None
    assert 0 < facts["agreement_directions"] < 1


def test_only_names_of_codes_are_sent(server: ChatServer) -> None:
    ask(WHERE, settings(server), NODES)
    words = re.findall(r"\w+", " ".join(server.prompts))
    template = re.findall(r"\w+", PHRASINGS["binary"][0])
    assert {*words} <= {*template, *NAMES, *"12345"}


def test_what_was_asked_is_not_asked_again(server: ChatServer) -> None:
    first, facts = ask(WHERE, settings(server, repeats=2), NODES)
    assert facts["sent"] == server.requests == 10
    again, facts = ask(WHERE, settings(server, repeats=2), NODES)
    assert (facts["sent"], server.requests) == (0, 10)
    np.testing.assert_array_equal(first, again)
    ask(WHERE, settings(server, repeats=3), NODES)
    assert server.requests == 15
    ask(WHERE, settings(server, temperature=1), NODES)
    assert server.requests == 20


@pytest.mark.parametrize("fault", [status(429, Retry_After="0"), status(503), drop_mid_body])
def test_faults_that_pass_are_outlived(server: ChatServer, fault: Callable[..., None]) -> None:
    server.faults.append(fault)
    _, facts = ask(WHERE, settings(server), NODES)
    assert facts["sent"] == 5
    assert server.requests == 6


def test_a_run_that_failed_goes_on_where_it_stopped(server: ChatServer, tmp_path) -> None:
    def refuse_after_two(handler: Any, texts: list[str]) -> None:
        handler.refuse(400, f"trouble with {KEY}")

    calls = 0

    def reply(prompt: str) -> str:
        nonlocal calls
        calls += 1
        if calls == 2:
            server.faults.append(refuse_after_two)
        return knowing(prompt)

    server.reply = reply
    with pytest.raises(StudyError, match=r"interconnections\.methods\.chat.*HTTP 400") as refused:
        ask(WHERE, settings(server), NODES)
    assert KEY not in str(refused.value)
    (file,) = tmp_path.rglob("answers.jsonl")
    with file.open("a") as cut:
        cut.write('{"question": "half')
    ask(WHERE, settings(server), NODES)
    assert len(server.prompts) == len(set(server.prompts)) == 5


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"model": "other"}, "knows no model 'other'"),
        ({"most_requests": 4}, r"5 requests would be sent, and most_requests is 4"),
        ({"most_usd": 0.0, "price_in": 1, "price_out": 1}, r"estimated cost.*nothing was sent"),
        ({"most_usd": 1.0}, r"cost of 5 requests is unknown"),
        ({"offline": True}, r"offline, and 5 answer"),
    ],
)
def test_what_cannot_be_asked_is_refused(
    server: ChatServer, keys: dict[str, Any], said: str
) -> None:
    with pytest.raises(StudyError, match=said):
        ask(WHERE, settings(server, **keys), NODES)
    assert not server.prompts


def test_the_price_is_told_before_anything_is_sent(
    server: ChatServer, capsys: pytest.CaptureFixture[str]
) -> None:
    _, facts = ask(WHERE, settings(server, price_in=2, price_out=8), NODES)
    told = capsys.readouterr().err
    assert re.search(r"5 requests to send to 127\.0\.0\.1:\d+, about \d+ tokens.*\$0\.00", told)
    expected = (2 * facts["tokens_in"] + 8 * facts["tokens_out"]) / 1e6
    assert facts["usd"] == pytest.approx(expected)


def test_answers_that_are_none_are_counted_and_not_guessed(server: ChatServer) -> None:
    server.reply = lambda prompt: "I cannot say." if about(prompt) == "cough" else "1, 2"
    scores, facts = ask(WHERE, settings(server), NODES)
    assert (facts["requests"], facts["no_answer"]) == (5, 1)
    assert scores[0, 1] == 1  # fever's answer alone
    server.reply = lambda prompt: "it depends"
    scores, facts = ask(WHERE, settings(server, temperature=0.5), NODES)
    assert facts["no_answer"] == 5
    assert np.isnan(scores).all()


ANSWERS = [
    ("binary", "1,3", [1, 0, 1]),
    ("binary", " 2.\n", [0, 1, 0]),
    ("binary", "None.", [0, 0, 0]),
    ("binary", "1 and 2", None),
    ("binary", "4", None),
    ("binary", "", None),
    ("graded", "1: 3\n2: 0\n", [3, 0, np.nan]),
    ("graded", "1: 4", None),
    ("graded", "1: 2 (strong)", None),
    ("graded", "", None),
    ("pairwise", "Yes.", [1]),
    ("pairwise", "NO", [0]),
    ("pairwise", "yes, if old", None),
]


@pytest.mark.parametrize(("kind", "answer", "expected"), ANSWERS)
def test_what_counts_as_an_answer(kind: str, answer: str, expected: list[float] | None) -> None:
    found = understood(kind, answer, 1 if kind == "pairwise" else 3)
    if expected is None:
        assert found is None
    else:
        np.testing.assert_array_equal(found, np.array(expected, float))


@given(st.text(max_size=30), st.sampled_from(sorted(PHRASINGS)))
def test_whatever_a_model_says_is_an_answer_or_none(text: str, kind: str) -> None:
    found = understood(kind, text, 1)
    assert found is None or (found.shape == (1,) and not (found > 3).any())


def test_agreement_is_cohens_kappa() -> None:
    rng = np.random.default_rng(0)
    said = (rng.random((2, 3, 6, 6)) < 0.4).astype(np.float32)
    said[0, 0, 1, 2] = np.nan
    one, other = said[0, 0], said[0, 1]
    known = ~np.isnan(one)
    expected = cohen_kappa_score(one[known] > 0, other[known] > 0)
    assert kappa(one, other) == pytest.approx(expected)
    assert agreements(np.stack([said[0], said[0]]))["agreement_phrasings"] == pytest.approx(1)
    pairs = np.triu_indices(6, 1)
    turned = [(m[pairs], m.T[pairs]) for m in said.reshape(6, 6, 6)]
    mean = np.mean([kappa(a, b) for a, b in turned])
    assert agreements(said)["agreement_directions"] == pytest.approx(mean)
    assert np.isnan(kappa(np.zeros(3, np.float32), np.zeros(3, np.float32)))
    both = symmetrised(said)
    np.testing.assert_allclose(both, both.T)
