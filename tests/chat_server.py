"""A real HTTP server on loopback that speaks OpenAI's chat API; what it answers, the test says."""

from __future__ import annotations

import json
import threading
from collections import Counter, deque
from collections.abc import Callable
from http.server import ThreadingHTTPServer

from embedding_server import KEY, Handler, Server

MODEL = "small-talk"


class ChatServer(Server):
    """`reply`: prompt -> answer; `prompts`: all that were answered, in order."""

    def __init__(self, reply: Callable[[str], str]) -> None:
        ThreadingHTTPServer.__init__(self, ("127.0.0.1", 0), ChatHandler)
        self.reply = reply
        self.faults = deque()
        self.requests = 0
        self.answered = Counter()
        self.prompts: list[str] = []
        self.turn = threading.Lock()


class ChatHandler(Handler):
    server: ChatServer

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        prompt = body["messages"][0]["content"]
        with self.server.turn:
            self.server.requests += 1
            fault = self.server.faults.popleft() if self.server.faults else None
        if fault is not None:
            fault(self, [prompt])
        elif self.headers["Authorization"] != f"Bearer {KEY}":
            self.refuse(401, f"Incorrect API key provided: {self.headers['Authorization']}")
        elif body["model"] != MODEL:
            self.refuse(404, f"The model {body['model']} does not exist")
        else:
            text = self.server.reply(prompt)
            message = {"role": "assistant", "content": text}
            choice = {"index": 0, "message": message, "finish_reason": "stop"}
            sent, received = len(prompt.split()), len(text.split())
            usage = {
                "prompt_tokens": sent,
                "completion_tokens": received,
                "total_tokens": sent + received,
            }
            answer = {"id": "1", "object": "chat.completion", "created": 0, "model": MODEL}
            whole = {**answer, "choices": [choice], "usage": usage}
            self.send(200, json.dumps(whole).encode())
            with self.server.turn:
                self.server.prompts.append(prompt)
