"""One server that speaks the OpenAI protocol: its address, key, connections and patience.

Redirects are not followed, proxies of the environment are not used, and the API key appears in no error and no log.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from threading import Event
from typing import Any, TypeVar

import httpx

from generation.engines import openai_protocol as protocol
from generation.engines.errors import (
    AccessDenied,
    ConnectionCut,
    ContextOverflow,
    DeadlinePassed,
    EndpointUnreachable,
    EngineError,
    MalformedReply,
    MissingChatTemplate,
)
from generation.engines.openai_protocol import ServedModel
from generation.engines.retries import Pause, RetryPolicy, TryAgain, parse_retry_after

Read = TypeVar("Read")
ApiKey = Callable[[], str | None]

DEFAULT_TIMEOUT = 600.0  # seconds for one reply, from the request to its last byte
_CONNECT_TIMEOUT = 10.0  # seconds
_MAX_BODY = 64 * 2**20  # bytes of one answer
_PASSING_STATUSES = frozenset({408, 409, 425, 429, 500, 502, 503, 504})
_PERMANENT = (AccessDenied, ContextOverflow, MissingChatTemplate)  # whatever status they came with


@dataclass(frozen=True, kw_only=True)
class Answer:
    """The JSON of a 200, and how long it took."""

    body: Any
    latency_ms: float


class Endpoint:
    """Used by many threads at once."""

    def __init__(
        self,
        base_url: str,
        *,
        api_key: ApiKey | None = None,
        timeout: float = DEFAULT_TIMEOUT,
        retries: RetryPolicy | None = None,
        transport: httpx.BaseTransport | None = None,
        connections: int = 1,
    ) -> None:
        self._root = protocol.api_root(base_url)
        self._api_key = api_key
        self._timeout = timeout
        self._retries = retries or RetryPolicy()
        self._pause = Pause()
        self._client = httpx.Client(
            timeout=httpx.Timeout(timeout, connect=min(timeout, _CONNECT_TIMEOUT), pool=None),
            limits=httpx.Limits(max_connections=connections, max_keepalive_connections=connections),
            headers={"Accept-Encoding": "identity"},  # a few kilobytes of JSON are not worth a bomb in gzip
            follow_redirects=False,
            trust_env=False,
            transport=transport,
        )

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def models(self) -> list[ServedModel]:
        """What is served. Raises an EngineError that says what is wrong."""
        return self._retries.call(lambda: protocol.parse_models(self._request("GET", f"{self._root}/models").body))

    def vllm_version(self) -> tuple[int, ...] | None:
        """The version of a vLLM server such as (0, 32, 0); None for other servers."""
        try:
            return protocol.parse_version(self._request("GET", f"{self._root.removesuffix('/v1')}/version").body)
        except (EngineError, TryAgain):
            return None

    def ask(self, body: Mapping[str, Any], read: Callable[[Answer], Read], *, stopped: Event) -> Read:
        """`read` of the answer to one chat request; gives up between two attempts once `stopped` is set."""
        return self._retries.call(lambda: self._ask_once(body, read, stopped), sleep=stopped.wait)

    def _ask_once(self, body: Mapping[str, Any], read: Callable[[Answer], Read], stopped: Event) -> Read:
        stopped.wait(self._pause.remaining())
        if stopped.is_set():
            raise EndpointUnreachable("the request was given up: sampling was stopped")
        answer = self._request("POST", f"{self._root}/chat/completions", body)
        try:
            return read(answer)
        except MalformedReply as error:
            raise TryAgain(error) from error

    def _request(self, method: str, url: str, body: Mapping[str, Any] | None = None) -> Answer:
        """The JSON of a 200. Raises TryAgain for what may pass, another EngineError for what will not."""
        key = self._api_key() if self._api_key else None
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        started = time.monotonic()
        try:
            with self._client.stream(method, url, json=body, headers=headers) as response:
                content = self._read(response, url, started + self._timeout)
        except httpx.ReadTimeout as error:
            raise DeadlinePassed(f"{url} sent nothing for {self._timeout:g} s; the reply was given up") from error
        except httpx.HTTPError as error:
            raise TryAgain(_broken(url, error)) from error
        except httpx.InvalidURL as error:
            raise EndpointUnreachable(f"{url} is no address: {error}") from error
        latency_ms = (time.monotonic() - started) * 1000
        text = content.decode("utf-8", errors="replace")
        if response.status_code != httpx.codes.OK:
            raise self._refusal(response, _without(key, text), model=str((body or {}).get("model", "")), url=url)
        try:
            return Answer(body=json.loads(text, strict=False), latency_ms=latency_ms)  # raw control characters pass
        except (ValueError, RecursionError) as error:
            shown = _without(key, text)[:200]
            raise TryAgain(MalformedReply(f"{url} answered something that is not JSON: {shown!r}")) from error

    def _read(self, response: httpx.Response, url: str, deadline: float) -> bytes:
        """The whole body, within its time and size: httpx's own time-out starts anew with every byte."""
        content = bytearray()
        for chunk in response.iter_bytes():
            content += chunk
            if len(content) > _MAX_BODY:
                raise MalformedReply(f"{url} answered more than {_MAX_BODY // 2**20} MiB, which is no reply")
            if time.monotonic() > deadline:
                raise DeadlinePassed(f"{url} was still sending after {self._timeout:g} s; the reply was given up")
        return bytes(content)

    def _refusal(self, response: httpx.Response, text: str, *, model: str, url: str) -> Exception:
        error = protocol.refusal(response.status_code, text, model=model, url=url)
        if response.status_code not in _PASSING_STATUSES or isinstance(error, _PERMANENT):
            return error
        retry_after = parse_retry_after(response.headers.get("Retry-After"))
        if retry_after is not None and retry_after <= self._retries.max_retry_after:
            self._pause.extend(retry_after)
        return TryAgain(error, retry_after=retry_after)


def _broken(url: str, error: httpx.HTTPError) -> EngineError:
    """Whether nobody was there, or somebody took the request and did not answer to its end."""
    if isinstance(error, httpx.ReadError | httpx.RemoteProtocolError | httpx.DecodingError):
        return ConnectionCut(f"no whole answer from {url}: {_named(error)}")
    return EndpointUnreachable(f"no answer from {url}: {_named(error)}")


def _named(error: httpx.HTTPError) -> str:
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__


def _without(key: str | None, text: str) -> str:
    """Servers like to repeat a wrong key; it must not reach a log."""
    return text.replace(key, "[API key]") if key else text
