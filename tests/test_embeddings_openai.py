"""The OpenAI-compatible provider, through the official client, against a real HTTP server."""

import os
import signal
import subprocess
import sys

import numpy as np
import pytest
from embedding_data import MINILM, vocabulary_of
from embedding_server import KEY, MODEL, Server, drop_mid_body, misnumbered, slow, status, wrong

from concept_transfer.embeddings.openai_client import batches, estimated_tokens
from concept_transfer.embeddings.openai_embedding import OpenAIEmbedding
from concept_transfer.embeddings.openai_provider import vectors_of
from concept_transfer.embeddings.providers import check_embedding, embed
from concept_transfer.embeddings.texts import TokenTexts
from concept_transfer.embeddings.transformers_embedding import TransformersEmbedding
from concept_transfer.errors import StudyError

VOCABULARY = vocabulary_of([f"finding of kind {i}" for i in range(10)])


@pytest.fixture(autouse=True)
def environment(tmp_path, monkeypatch):
    monkeypatch.setenv("CONCEPT_TRANSFER_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("TEST_KEY", KEY)
    monkeypatch.delenv("CONCEPT_TRANSFER_OFFLINE", raising=False)
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)


@pytest.fixture
def server():
    with Server() as running:
        yield running


def config(server, **keys):
    settings = {"model": MODEL, "retries": 2, "timeout": 20, "key_variable": "TEST_KEY", **keys}
    url = server.url if server else None
    return OpenAIEmbedding(provider="openai", base_url=url, **settings)


def run(server, vocabulary=VOCABULARY, **keys):
    return embed("api", config(server, **keys), vocabulary, None)


def once_each(server, vocabulary=VOCABULARY):
    return dict(server.answered) == dict.fromkeys(vocabulary.texts, 1)


def test_vectors_are_the_servers_and_in_the_order_of_the_texts(server):
    table = run(server, batch_texts=4, price=0.02)
    local = TransformersEmbedding(provider="transformers", model=MINILM, scale="unit")
    expected = embed("local", local, VOCABULARY, None).vectors
    np.testing.assert_allclose(table.vectors, expected, atol=1e-5)
    assert [len(batch) for batch in server.batches] == [4, 4, 2]
    usage = table.card.details["usage"]
    assert (usage["texts"], usage["tokens"]) == (10, 40)
    assert usage["usd"] == pytest.approx(40 * 0.02 / 1e6)


def test_a_second_run_sends_nothing_and_a_larger_one_only_what_is_new(server):
    first = run(server)
    again = run(server)
    np.testing.assert_array_equal(first.vectors, again.vectors)
    assert server.requests == 1
    assert again.card.details["usage"]["texts"] == 0
    larger = vocabulary_of([*VOCABULARY.texts, "one more"])
    run(server, larger)
    assert server.batches[-1] == ["one more"]


def test_shortened_vectors_are_asked_for_and_cached_apart(server):
    assert run(server, dimensions=32).vectors.shape == (10, 32)
    assert run(server).vectors.shape == (10, 384)


@pytest.mark.parametrize(
    "fault",
    [
        status(429, Retry_After="0.1"),
        status(500, Retry_After_Ms="50"),
        status(503, Retry_After_Ms="50"),
        drop_mid_body,
    ],
)
def test_passing_troubles_are_retried(server, fault):
    server.faults.append(fault)
    run(server)
    assert server.requests == 2
    assert once_each(server)


def test_a_slow_answer_is_a_time_out_and_is_retried(server):
    server.faults.append(slow(1.5))
    run(server, timeout=0.75)
    assert once_each(server)


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        (status(429, Retry_After_Ms="1"), "still answers HTTP 429 after 2 retries"),
        (status(500, Retry_After_Ms="1"), "still answers HTTP 500 after 2 retries"),
        (status(400), "refuses the request with HTTP 400"),
        (wrong(lambda v: np.where(v == v[0, 0], np.nan, v)), "NaN or infinity"),
        (wrong(lambda v: v[:-1]), "gave 9 vectors for 10 texts"),
        (wrong(lambda v: v * (v[:, :1] != v[3, 0])), "a vector of zeros for 'finding of kind 3'"),
        (wrong(lambda v: v[:, :0]), "no list of numbers for 'finding of kind 0'"),
        (wrong(lambda v: v[:, None, :]), "no list of numbers for 'finding of kind 0'"),
        (wrong(lambda v: np.array([None] * len(v))), "no list of numbers for 'finding of kind 0'"),
        (misnumbered(lambda i: 0), r"indexes 0, 0, 0, .* cannot be matched"),
        (misnumbered(lambda i: i // 2), r"indexes 0, 0, 1, .* cannot be matched"),
    ],
)
def test_lasting_troubles_are_one_paragraph_and_leave_nothing_wrong_behind(server, fault, message):
    server.faults.extend([fault] * 3)
    with pytest.raises(StudyError, match=message) as error:
        run(server)
    assert KEY not in str(error.value)
    assert "\n" not in str(error.value)
    server.faults.clear()
    assert np.isfinite(run(server).vectors).all()


def test_an_answer_of_another_width_than_the_cached_ones_is_not_kept(server):
    server.faults.extend([wrong(lambda v: v), wrong(lambda v: v[:, :7])])
    with pytest.raises(StudyError, match=r"vectors of 7 numbers.*have 384.*[0-9a-f]{32}") as error:
        run(server, batch_texts=5)
    assert "\n" not in str(error.value)
    assert run(server, batch_texts=5).vectors.shape == (10, 384)
    assert once_each(server) is False  # the refused five were sent again


def test_a_wrong_dimension_is_refused(server):
    server.faults.append(wrong(lambda v: v))
    with pytest.raises(StudyError, match=r"384 numbers for .* instead of 32; .*'dimensions'"):
        run(server, dimensions=32)


def test_an_answer_that_is_no_embedding_names_the_base_url(server):
    server.faults.append(lambda handler, texts: handler.send(200, b"<html>a proxy</html>"))
    with pytest.raises(StudyError, match=r"not of OpenAI's embeddings API .*'base_url'"):
        run(server)


def test_a_failed_run_resumes_without_paying_twice(server):
    server.faults.extend([lambda handler, texts: handler.answer(texts, {}), status(400)])
    with pytest.raises(StudyError):
        run(server, batch_texts=4)
    assert sum(server.answered.values()) == 4
    run(server, batch_texts=4)
    assert once_each(server)


def test_a_killed_run_resumes_without_paying_twice(server, repository):
    """The process dies by SIGKILL while the server works on its third batch."""
    server.faults.extend([lambda handler, texts: handler.answer(texts, {})] * 2 + [slow(60)])
    code = (
        "from test_embeddings_openai import *\n"
        f"embed('api', OpenAIEmbedding(provider='openai', base_url={server.url!r}, model=MODEL,"
        " key_variable='TEST_KEY', batch_texts=3), VOCABULARY, None)"
    )
    child = subprocess.Popen([sys.executable, "-c", code], cwd=repository / "tests")
    for _ in range(3):
        assert server.received.acquire(timeout=60)
    child.send_signal(signal.SIGKILL)
    child.wait()
    assert sum(server.answered.values()) == 6
    table = run(server, batch_texts=3)
    assert once_each(server)
    assert table.card.details["usage"]["texts"] == 4


def test_the_key_is_written_nowhere(server, tmp_path, capfd):
    table = run(server)
    table.write(tmp_path / "t.safetensors")
    written = [p for p in tmp_path.rglob("*") if p.is_file()]
    assert len(written) > 3
    assert not [p for p in written if KEY.encode() in p.read_bytes()]
    assert KEY not in "".join(capfd.readouterr())
    assert KEY not in repr(config(server))


def test_a_password_in_the_address_of_the_environment_is_shown_nowhere(server, monkeypatch):
    monkeypatch.setenv("OPENAI_BASE_URL", server.url.replace("http://", "http://user:hidden@"))
    made = OpenAIEmbedding(provider="openai", model="other", key_variable="TEST_KEY", retries=0)
    with pytest.raises(StudyError) as error:
        embed("api", made, VOCABULARY, None)
    assert "hidden" not in str(error.value)
    assert "127.0.0.1" in str(error.value)


def test_a_wrong_key_and_an_unknown_model_say_what_to_correct(server, monkeypatch):
    with pytest.raises(StudyError, match="knows no model 'gpt'"):
        run(server, model="gpt")
    monkeypatch.setenv("TEST_KEY", "sk-wrong")
    with pytest.raises(StudyError, match=r"refuses the key .*TEST_KEY") as error:
        run(server)
    assert "sk-wrong" not in str(error.value)


def test_a_missing_key_is_found_before_any_job(monkeypatch):
    monkeypatch.delenv("TEST_KEY")
    with pytest.raises(StudyError, match="variable TEST_KEY is not set"):
        check_embedding("api", config(None), VOCABULARY, None)


def test_an_unreachable_server_says_so():
    made = OpenAIEmbedding(
        provider="openai",
        model=MODEL,
        base_url="http://127.0.0.1:9/v1",
        key_variable="TEST_KEY",
        retries=0,
    )
    with pytest.raises(StudyError, match="cannot be reached"):
        embed("api", made, VOCABULARY, None)


def test_offline_uses_the_cache_or_fails_clearly(server, monkeypatch):
    with pytest.raises(StudyError, match="offline, and the cache lacks 10 text"):
        check_embedding("api", config(server, offline=True), VOCABULARY, None)
    online = run(server)
    monkeypatch.setenv("CONCEPT_TRANSFER_OFFLINE", "1")
    monkeypatch.delenv("TEST_KEY")
    check_embedding("api", config(server), VOCABULARY, None)
    np.testing.assert_array_equal(run(server).vectors, online.vectors)
    assert server.requests == 1


def test_the_bill_is_told_before_and_after(server, capfd):
    run(server, price=1000.0)
    told = capfd.readouterr().err
    estimate = sum(map(estimated_tokens, VOCABULARY.texts))
    assert f"10 texts to send to 127.0.0.1:{server.server_address[1]}" in told
    assert f"about {estimate} tokens, ${estimate * 1000 / 1e6:.4f}" in told
    assert "sent 10 texts, 40 tokens, $0.0400" in told


def test_texts_about_patients_are_never_sent(server):
    notes = TokenTexts(("the patient coughs",), ((0,),), "notes")
    with pytest.raises(StudyError, match="patients' notes"):
        vectors_of("api", config(server), notes)
    assert server.requests == 0


def test_batches_keep_both_limits_and_lose_no_text():
    texts = ["x" * size for size in (30, 30, 30, 300, 3, 3, 3, 3, 3)]
    made = list(batches(texts, 3, 25))
    assert [text for batch in made for text in batch] == texts
    assert max(map(len, made)) == 3
    assert [len(b) for b in made if sum(map(estimated_tokens, b)) > 25] == [1]


def test_two_jobs_at_once_send_each_text_once(server, repository):
    code = (
        "from test_embeddings_openai import *\n"
        f"embed('api', OpenAIEmbedding(provider='openai', base_url={server.url!r}, model=MODEL,"
        " key_variable='TEST_KEY', batch_texts=2), VOCABULARY, None)"
    )
    jobs = [
        subprocess.Popen([sys.executable, "-c", code], cwd=repository / "tests", env=os.environ)
        for _ in range(2)
    ]
    assert [job.wait(60) for job in jobs] == [0, 0]
    assert once_each(server)
