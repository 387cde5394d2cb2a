"""Connections go where the guard has looked, and keys where the operator sends them."""

from __future__ import annotations

import logging
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest
from django.conf import LazySettings

from core import outbound, urlguard
from core.outbound import ApiKeyMissing, PinnedTransport
from core.urlguard import GuardedUrl, UrlRefused

OPENSSL = (
    *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=test"),
    *("-addext", "subjectAltName=DNS:models.example.org"),
)


class Server:
    """A local web server that remembers the Host header of each request."""

    def __init__(self, ip: str, port: int = 0, context: ssl.SSLContext | None = None) -> None:
        hosts: list[str] = []
        self.hosts = hosts

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                hosts.append(self.headers["Host"])
                self.send_response(302 if self.path == "/away" else 200)
                self.send_header("Location", "http://169.254.169.254/")
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:
                pass

        self._http = ThreadingHTTPServer((ip, port), Handler)
        self._http.daemon_threads = True
        if context:
            self._http.socket = context.wrap_socket(self._http.socket, server_side=True)
        self.port = self._http.server_address[1]
        self._thread = threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()


@pytest.fixture
def serve() -> Iterator[Callable[..., Server]]:
    """`serve(ip, port, context)` starts a server; all are stopped at the end."""
    with ExitStack() as stack:

        def start(*arguments: Any) -> Server:
            server = Server(*arguments)
            stack.callback(server.close)
            return server

        yield start


@pytest.fixture
def resolver(monkeypatch: pytest.MonkeyPatch, settings: LazySettings) -> dict[str, list[str]]:
    """Names of this test and the address that each look-up takes from the front; numbers resolve as ever."""
    settings.ALLOWED_PRIVATE_HOSTS = ("models.example.org", "other.example.org")
    known: dict[str, list[str]] = {}
    real = socket.getaddrinfo

    def getaddrinfo(host: Any, port: Any, *arguments: Any, **options: Any) -> Any:
        if host not in known:
            return real(host, port, *arguments, **options)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (ip, port)) for ip in known[host].pop(0).split()]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    return known


def get(guarded: GuardedUrl, url: str) -> httpx.Response:
    with httpx.Client(transport=PinnedTransport(guarded), trust_env=False, follow_redirects=False) as client:
        return client.get(url)


def test_a_name_that_resolves_anew_leads_nowhere_else(
    resolver: dict[str, list[str]], serve: Callable[..., Server]
) -> None:
    checked = serve("127.0.0.1")
    inner = serve("127.0.0.2", checked.port)
    resolver["models.example.org"] = ["127.0.0.1", "127.0.0.2"]
    url = f"http://models.example.org:{checked.port}/"

    get(urlguard.check(url), url)

    assert (checked.hosts, inner.hosts) == ([f"models.example.org:{checked.port}"], [])
    assert resolver["models.example.org"] == ["127.0.0.2"]  # was asked once, by the guard


def test_the_next_checked_address_is_tried_where_nobody_listens_on_the_first(
    resolver: dict[str, list[str]], serve: Callable[..., Server]
) -> None:
    server = serve("127.0.0.2")
    resolver["models.example.org"] = ["127.0.0.1 127.0.0.2"]
    url = f"http://models.example.org:{server.port}/"
    guarded = urlguard.check(url)
    with httpx.Client(transport=PinnedTransport(guarded), trust_env=False) as client:
        assert client.get(url).status_code == client.get(url).status_code == 200
    assert len(server.hosts) == 2


def test_when_nobody_listens_at_all_that_is_the_error(resolver: dict[str, list[str]]) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    resolver["models.example.org"] = ["127.0.0.1 127.0.0.2"]
    url = f"http://models.example.org:{port}/"
    with pytest.raises(httpx.ConnectError):
        get(urlguard.check(url), url)


@pytest.mark.parametrize(
    "other",
    ["http://169.254.169.254:{port}/", "http://models.example.org:1/", "https://models.example.org:{port}/"],
)
def test_another_address_is_refused_by_the_connection_itself(
    resolver: dict[str, list[str]], serve: Callable[..., Server], other: str
) -> None:
    server = serve("127.0.0.1")
    resolver["models.example.org"] = ["127.0.0.1"]
    guarded = urlguard.check(f"http://models.example.org:{server.port}/")
    with pytest.raises(UrlRefused, match="not the address that was checked"):
        get(guarded, other.format(port=server.port))
    assert server.hosts == []


def test_a_redirect_is_not_followed(resolver: dict[str, list[str]], serve: Callable[..., Server]) -> None:
    server = serve("127.0.0.1")
    resolver["models.example.org"] = ["127.0.0.1"]
    url = f"http://models.example.org:{server.port}/away"
    assert get(urlguard.check(url), url).status_code == 302
    assert len(server.hosts) == 1


@pytest.fixture
def certificate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ssl.SSLContext:
    """A server's side of TLS for models.example.org, whose certificate this process trusts."""
    key, cert = tmp_path / "key.pem", tmp_path / "cert.pem"
    subprocess.run(
        [*OPENSSL, "-keyout", str(key), "-out", str(cert)],
        check=True,
        capture_output=True,
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    monkeypatch.setenv("SSL_CERT_FILE", str(cert))
    return context


def test_the_certificate_must_be_for_the_name_and_not_for_the_address(
    resolver: dict[str, list[str]], serve: Callable[..., Server], certificate: ssl.SSLContext
) -> None:
    server = serve("127.0.0.1", 0, certificate)
    resolver |= {"models.example.org": ["127.0.0.1"], "other.example.org": ["127.0.0.1"]}
    right, wrong = (f"https://{name}.example.org:{server.port}/" for name in ("models", "other"))

    assert get(urlguard.check(right), right).status_code == 200
    with pytest.raises(httpx.ConnectError, match=r"not valid for 'other\.example\.org'"):
        get(urlguard.check(wrong), wrong)
    assert server.hosts == [f"models.example.org:{server.port}"]


def guarded(host: str = "api.example.org", port: int = 443) -> GuardedUrl:
    return GuardedUrl(url=f"https://{host}:{port}", scheme="https", host=host, port=port, ips=("93.184.216.34",))


def test_a_key_goes_to_its_host_alone(settings: LazySettings, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.ENDPOINT_API_KEYS = {"api.example.org": "EXAMPLE_KEY", "gpu.internal:8000": "GPU_KEY"}
    monkeypatch.setenv("EXAMPLE_KEY", " sk-very-secret\n")
    monkeypatch.setenv("GPU_KEY", "gpu")

    assert outbound.api_key_of(guarded())() == "sk-very-secret"
    assert outbound.api_key_of(guarded("gpu.internal", 8000))() == "gpu"
    for other in (guarded("evil.example.org"), guarded("gpu.internal", 9000), guarded("api.example.org.evil.org")):
        assert outbound.api_key_of(other)() is None


@pytest.mark.parametrize(("key", "said"), [("", "is empty"), ("  ", "is empty"), ("sk-ü-secret", "no HTTP header")])
def test_a_key_that_cannot_be_sent_is_named_by_its_variable(
    settings: LazySettings,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    key: str,
    said: str,
) -> None:
    caplog.set_level(logging.DEBUG)
    settings.ENDPOINT_API_KEYS = {"api.example.org": "EXAMPLE_KEY"}
    monkeypatch.setenv("EXAMPLE_KEY", key)
    with pytest.raises(ApiKeyMissing, match=f"EXAMPLE_KEY.*{said}") as missing:
        outbound.api_key_of(guarded())
    assert "secret" not in str(missing.value) + caplog.text


def test_many_threads_may_use_one_transport_at_once() -> None:
    guarded = GuardedUrl(
        url="http://models.example.org/",
        scheme="http",
        host="models.example.org",
        port=80,
        ips=tuple(f"127.0.0.{number}" for number in range(1, 9)),
    )
    transport = PinnedTransport(guarded, inner=httpx.MockTransport(lambda request: httpx.Response(200)))
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)  # threads take turns in the middle of everything
    try:
        with ThreadPoolExecutor(16) as pool:
            requests = [httpx.Request("GET", guarded.url) for _ in range(3_000)]
            replies = list(pool.map(transport.handle_request, requests))
    finally:
        sys.setswitchinterval(interval)
    assert {reply.status_code for reply in replies} == {200}
