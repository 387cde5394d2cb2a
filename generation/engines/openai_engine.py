"""Sampling from a server that speaks the OpenAI protocol, such as vLLM's.

The caller has already checked that the address may be called. Redirects are not followed, proxies of the environment
are not used, and the API key appears in no error and no log.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from itertools import islice
from threading import Event
from typing import Any

import httpx

from generation.engines import openai_protocol as protocol
from generation.engines.base import Conversation, SampledText, SamplingParameters, check_num_completions
from generation.engines.errors import (
    AccessDenied,
    ConversationsFailed,
    EndpointOverloaded,
    EndpointUnreachable,
    EngineError,
    MalformedReply,
    ModelNotServed,
)
from generation.engines.openai_protocol import ServedModel
from generation.engines.retries import RetryPolicy, TryAgain, parse_retry_after

ApiKey = Callable[[], str | None]

DEFAULT_CONCURRENCY = 64  # requests in flight: vLLM reaches its throughput from about here on
DEFAULT_TIMEOUT = 600.0  # seconds for one reply
_CONNECT_TIMEOUT = 10.0  # seconds
_PASSING_STATUSES = frozenset({408, 409, 425, 429, 500, 502, 503, 504})

# After these, no other conversation would fare better.
_FATAL = (AccessDenied, EndpointOverloaded, EndpointUnreachable, ModelNotServed)


class OpenAIEngine:
    """Chat completions of one served model, with bounded concurrency and retries.

    The seed of each request depends on the conversation, so that a resumed run asks for what an uninterrupted one
    would have asked for; whether the same replies come back is up to the server.
    """

    def __init__(
        self,
        base_url: str,
        model: str,
        *,
        api_key: ApiKey | None = None,
        concurrency: int = DEFAULT_CONCURRENCY,
        max_choices: int | None = None,
        extra_body: Mapping[str, Any] | None = None,
        timeout: float = DEFAULT_TIMEOUT,
        retries: RetryPolicy | None = None,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        """`max_choices` bounds `n` of one request (1 for servers that ignore it); `extra_body` joins every request.

        With vLLM, `extra_body={"return_token_ids": True}` makes the token counts exact.
        """
        if concurrency < 1 or (max_choices is not None and max_choices < 1):
            raise ValueError(f"concurrency and max_choices must be 1 or more, got {concurrency} and {max_choices}")
        self._endpoint = _Endpoint(
            base_url, api_key=api_key, timeout=timeout, retries=retries, transport=transport, connections=concurrency
        )
        self._model = model
        self._concurrency = concurrency
        self._max_choices = max_choices
        self._extra_body = dict(extra_body or {})

    def sample(
        self, conversations: Sequence[Conversation], *, num_completions: int, parameters: SamplingParameters
    ) -> Iterator[tuple[int, list[SampledText]]]:
        """See `Engine.sample`. In the order in which the server finishes."""
        check_num_completions(num_completions)
        failures: dict[int, EngineError] = {}
        waiting = iter(range(len(conversations)))
        running: dict[Future[list[SampledText]], int] = {}
        stopped = Event()  # nobody waits for the replies any more
        pool = ThreadPoolExecutor(self._concurrency, thread_name_prefix="openai-engine")
        try:
            while True:
                for index in islice(waiting, self._concurrency - len(running)):
                    work = (conversations[index], num_completions, parameters, stopped)
                    running[pool.submit(self._replies, *work)] = index
                if not running:
                    break
                finished, _ = wait(running, return_when=FIRST_COMPLETED)
                yield from _results({future: running.pop(future) for future in finished}, failures)
        finally:
            stopped.set()
            pool.shutdown(wait=False, cancel_futures=True)
        if failures:
            raise ConversationsFailed(failures)

    def close(self) -> None:
        """Close the connections."""
        self._endpoint.close()

    def _replies(
        self, conversation: Conversation, num_completions: int, parameters: SamplingParameters, stopped: Event
    ) -> list[SampledText]:
        replies: list[SampledText] = []
        while len(replies) < num_completions:
            wanted = min(num_completions - len(replies), self._max_choices or num_completions)
            seed = protocol.request_seed(parameters.seed, conversation, len(replies))
            body = protocol.chat_request(
                self._model, conversation, num_choices=wanted, seed=seed, parameters=parameters
            )
            replies += self._endpoint.complete({**body, **self._extra_body}, num_choices=wanted, stopped=stopped)
        return replies


def discover_models(
    base_url: str,
    *,
    api_key: ApiKey | None = None,
    timeout: float = _CONNECT_TIMEOUT,
    retries: RetryPolicy | None = None,
    transport: httpx.BaseTransport | None = None,
) -> list[ServedModel]:
    """What a server serves; also its health check. Raises an EngineError that says what is wrong."""
    endpoint = _Endpoint(
        base_url, api_key=api_key, timeout=timeout, retries=retries, transport=transport, connections=1
    )
    try:
        return endpoint.models()
    finally:
        endpoint.close()


class _Endpoint:
    """One server: its address, key, connections and patience. Used by many threads at once."""

    def __init__(
        self,
        base_url: str,
        *,
        api_key: ApiKey | None,
        timeout: float,
        retries: RetryPolicy | None,
        transport: httpx.BaseTransport | None,
        connections: int,
    ) -> None:
        self._root = protocol.api_root(base_url)
        self._api_key = api_key
        self._retries = retries or RetryPolicy()
        self._client = httpx.Client(
            timeout=httpx.Timeout(timeout, connect=min(timeout, _CONNECT_TIMEOUT), pool=None),
            limits=httpx.Limits(max_connections=connections, max_keepalive_connections=connections),
            follow_redirects=False,
            trust_env=False,
            transport=transport,
        )

    def close(self) -> None:
        self._client.close()

    def models(self) -> list[ServedModel]:
        return self._retries.call(lambda: protocol.parse_models(self._request("GET", "/models", None)))

    def complete(self, body: Mapping[str, Any], *, num_choices: int, stopped: Event) -> list[SampledText]:
        """The replies to one request; gives up between two attempts once `stopped` is set."""
        return self._retries.call(lambda: self._complete_once(body, num_choices, stopped), sleep=stopped.wait)

    def _complete_once(self, body: Mapping[str, Any], num_choices: int, stopped: Event) -> list[SampledText]:
        if stopped.is_set():
            raise EndpointUnreachable("the request was given up: sampling was stopped")
        answer = self._request("POST", "/chat/completions", body)
        try:
            return protocol.parse_completion(answer, num_choices=num_choices)
        except MalformedReply as error:
            raise TryAgain(error) from error

    def _request(self, method: str, path: str, body: Mapping[str, Any] | None) -> Any:
        """The JSON of a 200. Raises TryAgain for what may pass, another EngineError for what will not."""
        url, key = f"{self._root}{path}", self._api_key() if self._api_key else None
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        try:
            response = self._client.request(method, url, json=body, headers=headers)
            text = response.text
        except httpx.TransportError as error:
            raise TryAgain(EndpointUnreachable(f"no answer from {url}: {_named(error)}")) from error
        if response.status_code != httpx.codes.OK:
            raise _refusal(response, _without(key, text), model=str((body or {}).get("model", "")), url=url)
        try:
            return json.loads(text)
        except ValueError as error:
            shown = _without(key, text)[:200]
            raise TryAgain(MalformedReply(f"{url} answered something that is not JSON: {shown!r}")) from error


def _results(
    finished: Mapping[Future[list[SampledText]], int], failures: dict[int, EngineError]
) -> Iterator[tuple[int, list[SampledText]]]:
    """What worked; failures of single conversations are noted, all others raised once the rest is out."""
    fatal: EngineError | None = None
    for future, index in finished.items():
        try:
            yield index, future.result()
        except _FATAL as error:
            fatal = error
        except EngineError as error:
            failures[index] = error
    if fatal is not None:
        raise fatal


def _refusal(response: httpx.Response, text: str, *, model: str, url: str) -> Exception:
    error = protocol.refusal(response.status_code, text, model=model, url=url)
    if response.status_code in _PASSING_STATUSES:
        return TryAgain(error, retry_after=parse_retry_after(response.headers.get("Retry-After")))
    return error


def _named(error: httpx.TransportError) -> str:
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__


def _without(key: str | None, text: str) -> str:
    """Servers like to repeat a wrong key; it must not reach a log."""
    return text.replace(key, "[API key]") if key else text
