"""Servers that misbehave below the protocol: they trickle, flood, break off or ask for patience."""

from __future__ import annotations

import gzip
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pytest

from generation.engines import openai_endpoint
from generation.engines.base import SamplingParameters
from generation.engines.errors import (
    ConnectionCut,
    DeadlinePassed,
    EndpointOverloaded,
    EndpointUnreachable,
    EngineError,
    MalformedReply,
)
from generation.engines.openai_engine import OpenAIEngine
from generation.engines.retries import RetryPolicy
from tests.generation.engines.chat_server import Reply, chat_server, echo
from tests.generation.engines.draining import Sampled, drain

AT_ONCE = RetryPolicy(max_attempts=2, first_delay=0.001, max_delay=0.01)
HEADERS = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 1000000\r\n\r\n"


@contextmanager
def raw_server(serve: Callable[[socket.socket, threading.Event], None]) -> Iterator[str]:
    """`serve(connection, ended)` talks to everybody who connects, byte by byte if it likes."""
    ended = threading.Event()

    def accept() -> None:
        while not ended.is_set():
            with suppress(OSError):
                connection, _ = listener.accept()
                connection.recv(65536)
                threading.Thread(target=talk, args=[connection], daemon=True).start()

    def talk(connection: socket.socket) -> None:
        with connection, suppress(OSError):
            serve(connection, ended)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            ended.set()
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()


def says(body: dict[str, Any]) -> str:
    return str(body["messages"][0]["content"])


def ask(url: str, *, num_conversations: int = 1, **options: Any) -> tuple[Sampled, dict[int, EngineError]]:
    engine = OpenAIEngine(url, "tiny", **{"retries": AT_ONCE, **options})
    conversations = [[{"role": "user", "content": str(number)}] for number in range(num_conversations)]
    try:
        return drain(engine.sample(conversations, num_completions=1, parameters=SamplingParameters()))
    finally:
        engine.close()


def test_a_reply_that_trickles_in_for_ever_is_given_up() -> None:
    def trickle(connection: socket.socket, ended: threading.Event) -> None:
        connection.sendall(HEADERS)
        while not ended.wait(0.02):
            connection.sendall(b" ")

    with raw_server(trickle) as url:
        _, failures = ask(url, timeout=0.3)
    assert isinstance(failures[0], DeadlinePassed)
    assert "still sending after 0.3 s" in str(failures[0])


def test_a_reply_without_end_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(openai_endpoint, "_MAX_BODY", 2**20)
    with chat_server(lambda path, body: Reply(body=b"x" * (2**20 + 1))) as server:
        _, failures = ask(server.url)
    assert isinstance(failures[0], MalformedReply)
    assert "more than 1 MiB" in str(failures[0])
    assert len(server.requests) == 1


@pytest.mark.parametrize("sent", [b"", b"not HTTP at all\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n{"])
def test_a_connection_that_breaks_off_is_no_answer(sent: bytes) -> None:
    def break_off(connection: socket.socket, ended: threading.Event) -> None:
        connection.sendall(sent)

    with raw_server(break_off) as url:
        _, failures = ask(url)
    assert isinstance(failures[0], ConnectionCut)
    assert f"no whole answer from {url}" in str(failures[0])


def test_a_compressed_answer_that_is_damaged_is_no_answer() -> None:
    damaged = Reply(body=gzip.compress(b"{}")[:-9] + b"123456789", headers={"Content-Encoding": "gzip"})
    with chat_server(lambda path, body: damaged) as server:
        _, failures = ask(server.url)
    assert isinstance(failures[0], ConnectionCut)
    assert "DecodingError" in str(failures[0])


def test_a_connection_cut_by_one_conversation_leaves_the_others_alone() -> None:
    cut = Reply(body={}, claimed_length=100)
    with chat_server(lambda path, body: cut if says(body) == "5" else echo(path, body)) as server:
        sampled, failures = ask(server.url, num_conversations=40)
    assert set(sampled) == set(range(40)) - {5}
    assert isinstance(failures[5], ConnectionCut)


def test_a_server_that_answers_nobody_to_the_end_counts_as_unreachable() -> None:
    cut = Reply(body={}, claimed_length=100)
    with (
        chat_server(lambda path, body: cut) as server,
        pytest.raises(EndpointUnreachable, match="16 requests in a row were not answered"),
    ):
        ask(server.url, num_conversations=40, concurrency=4)
    assert len(server.requests) < 2 * 40


def test_raw_control_characters_and_broken_utf8_pass_as_text() -> None:
    body = (
        b'{"choices": [{"index": 0, "finish_reason": "stop", "message": {"content": "a\tb\x01c\xff\\u0000\\ud800"}}]}'
    )
    with chat_server(lambda path, _: Reply(body=body)) as server:
        sampled, _ = ask(server.url)
    assert sampled[0][0].text == "a\tb\x01c\ufffd\ufffd\ufffd"


def test_who_is_asked_to_wait_too_long_gives_up_and_says_what_the_server_said() -> None:
    busy = Reply(status=429, body={"error": {"message": "come back tomorrow"}}, headers={"Retry-After": "86400"})
    with chat_server(lambda path, body: busy) as server, pytest.raises(EndpointOverloaded, match="tomorrow"):
        ask(server.url)
    assert len(server.requests) == 1


def test_everybody_waits_when_the_server_asks_one_to() -> None:
    """Two requests, the first of which is told to wait: the second is not sent before the wait is over."""
    order: list[str] = []
    waits: list[float] = []

    def answer(path: str, body: dict[str, Any]) -> Reply:
        order.append(says(body))
        return Reply(status=429, body={}, headers={"Retry-After": "0.3"}) if len(order) == 1 else echo(path, body)

    with chat_server(answer) as server:
        endpoint = openai_endpoint.Endpoint(server.url, retries=RetryPolicy(max_attempts=1))
        body = {"messages": [{"content": "a"}], "n": 1}
        with pytest.raises(EndpointOverloaded):
            endpoint.ask(body, lambda answer: answer, stopped=threading.Event())

        class Stopped(threading.Event):
            def wait(self, timeout: float | None = None) -> bool:
                waits.append(timeout or 0.0)
                return False

        endpoint.ask(body, lambda answer: answer, stopped=Stopped())
        endpoint.close()
    assert 0 < waits[0] <= 0.3
