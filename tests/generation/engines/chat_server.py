"""A real HTTP server that speaks the OpenAI protocol and answers as a test tells it."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Reply:
    """What the server sends: a JSON value, or bytes as they are."""

    status: int = 200
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    claimed_length: int | None = None  # a Content-Length that promises more than is sent

    def content(self) -> bytes:
        return self.body if isinstance(self.body, bytes) else json.dumps(self.body).encode()


@dataclass
class ChatServer:
    """Its address, and what it was asked."""

    url: str
    requests: list[dict[str, Any]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    max_in_flight: int = 0


Answer = Callable[[str, dict[str, Any]], Reply]  # (path, JSON body) → reply


def completion(*texts: str, finish_reason: str = "stop", prompt_tokens: int = 5, tokens: int = 12) -> Reply:
    choices = [
        {"index": index, "message": {"role": "assistant", "content": text}, "finish_reason": finish_reason}
        for index, text in enumerate(texts)
    ]
    return Reply(body={"choices": choices, "usage": {"prompt_tokens": prompt_tokens, "completion_tokens": tokens}})


def echo(path: str, body: dict[str, Any]) -> Reply:
    """As many choices as asked for, each naming the prompt and its number."""
    prompt = body["messages"][-1]["content"]
    return completion(*(f"{prompt}/{number}" for number in range(body["n"])))


@contextmanager
def chat_server(answer: Answer, *, vllm_version: str | None = None) -> Iterator[ChatServer]:
    """A server on loopback; with `vllm_version` it says that it is that vLLM."""
    lock = threading.Lock()
    in_flight = 0

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            if self.path == "/version":
                version = {"version": vllm_version}
                self._send(Reply(body=version) if vllm_version else Reply(status=404, body={}))
            else:
                self._send(answer(self.path, {}))

        def do_POST(self) -> None:
            nonlocal in_flight
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            with lock:
                in_flight += 1
                server.max_in_flight = max(server.max_in_flight, in_flight)
                server.requests.append(body)
                server.headers.append(dict(self.headers))
            try:
                self._send(answer(self.path, body))
            finally:
                with lock:
                    in_flight -= 1

        def _send(self, reply: Reply) -> None:
            content = reply.content()
            self.send_response(reply.status)
            for name, value in reply.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(reply.claimed_length or len(content)))
            self.end_headers()
            self.wfile.write(content)
            self.close_connection = reply.claimed_length is not None

        def log_message(self, format: str, *args: object) -> None:
            pass

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    http.daemon_threads = True
    server = ChatServer(url=f"http://127.0.0.1:{http.server_address[1]}")
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        http.shutdown()
        http.server_close()
        thread.join()
