"""Sampling from a server that speaks the OpenAI protocol, such as vLLM's.

The caller has already checked that the address may be called, and hands over a transport that connects only there.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import replace
from functools import cached_property
from itertools import islice
from threading import Event, Lock
from typing import Any

import httpx

from generation.engines import openai_protocol as protocol
from generation.engines.base import Conversation, SampledText, SamplingParameters, check_num_completions, check_seeds
from generation.engines.errors import (
    AccessDenied,
    ConnectionCut,
    ConversationsFailed,
    DeadlinePassed,
    EndpointOverloaded,
    EndpointUnreachable,
    EngineError,
    MissingChatTemplate,
    ModelNotServed,
    ParametersUnsupported,
)
from generation.engines.openai_endpoint import DEFAULT_TIMEOUT, Answer, ApiKey, Endpoint
from generation.engines.openai_protocol import ServedModel
from generation.engines.openai_replies import parse_completion
from generation.engines.retries import RetryPolicy

DEFAULT_CONCURRENCY = 64  # requests in flight: vLLM reaches its throughput from about here on
_DISCOVERY_TIMEOUT = 10.0  # seconds

# So many conversations in a row that a server does not answer to their end are no fault of theirs.
_MAX_UNANSWERED = 16
# After these, no other conversation would fare better.
_FATAL = (
    AccessDenied,
    EndpointOverloaded,
    EndpointUnreachable,
    MissingChatTemplate,
    ModelNotServed,
    ParametersUnsupported,
)


class OpenAIEngine:
    """Chat completions of one served model, with bounded concurrency and retries.

    The seed of each request depends on the conversation, so that a resumed run asks for what an uninterrupted one
    would have asked for; whether the same replies come back is up to the server. Reply number i of a request with seed
    s has the seed s + i, which is also how vLLM numbers the replies to a request with `n`.
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
        """`max_choices` bounds `n` of one request; servers that ignore `n` are found out and asked one by one.

        `extra_body` joins every request.
        """
        if concurrency < 1 or (max_choices is not None and max_choices < 1):
            raise ValueError(f"concurrency and max_choices must be 1 or more, got {concurrency} and {max_choices}")
        self._endpoint = Endpoint(
            base_url, api_key=api_key, timeout=timeout, retries=retries, transport=transport, connections=concurrency
        )
        self._model = model
        self._concurrency = concurrency
        self._max_choices = max_choices
        self._extra_body = dict(extra_body or {})
        self._lock = Lock()

    def sample(
        self,
        conversations: Sequence[Conversation],
        *,
        num_completions: int,
        parameters: SamplingParameters,
        seeds: Sequence[int] | None = None,
    ) -> Iterator[tuple[int, list[SampledText]]]:
        """See `Engine.sample`. In the order in which the server finishes."""
        check_num_completions(num_completions)
        check_seeds(seeds, len(conversations))
        failures: dict[int, EngineError] = {}
        waiting = iter(range(len(conversations)))
        running: dict[Future[list[SampledText]], int] = {}
        ending = _Ending()
        pool = ThreadPoolExecutor(self._concurrency, thread_name_prefix="openai-engine")
        try:
            while True:
                # Twice as many as are in flight: the server need not wait while the caller stores what came.
                for index in islice(waiting, 2 * self._concurrency - len(running)):
                    seed = seeds[index] if seeds else protocol.request_seed(parameters.seed, conversations[index])
                    work = (conversations[index], num_completions, replace(parameters, seed=seed), ending)
                    running[pool.submit(self._replies, *work)] = index
                if not running:
                    break
                finished, _ = wait(running, return_when=FIRST_COMPLETED)
                yield from _results({future: running.pop(future) for future in finished}, failures)
                if ending.error is not None:
                    raise ending.error
        finally:
            ending.stopped.set()
            pool.shutdown(wait=False, cancel_futures=True)
        if failures:
            raise ConversationsFailed(failures)

    def close(self) -> None:
        """Close the connections."""
        self._endpoint.close()

    def _replies(
        self, conversation: Conversation, num_completions: int, parameters: SamplingParameters, ending: _Ending
    ) -> list[SampledText]:
        try:
            replies = self._all_replies(conversation, num_completions, parameters, ending.stopped)
        except _FATAL as error:
            ending.because_of(error)
            raise
        except (ConnectionCut, DeadlinePassed) as error:
            ending.count_unanswered(error)
            raise
        except EngineError:
            ending.count_answered()
            raise
        ending.count_answered()
        return replies

    def _all_replies(
        self, conversation: Conversation, num_completions: int, parameters: SamplingParameters, stopped: Event
    ) -> list[SampledText]:
        replies: list[SampledText] = []
        while len(replies) < num_completions:
            wanted = min(num_completions - len(replies), self._max_choices or num_completions)
            seed = (parameters.seed + len(replies)) % 2**63
            came = self._ask(conversation, wanted, replace(parameters, seed=seed), stopped)
            if len(came) < wanted:
                self._max_choices = len(came)  # it ignores n, or bounds it: ask for no more at once from now on
            replies += came
        return replies

    def _ask(
        self, conversation: Conversation, wanted: int, parameters: SamplingParameters, stopped: Event
    ) -> list[SampledText]:
        """One request; from 1 up to `wanted` replies."""
        dialect = protocol.choice_dialect(self._vllm_version)
        body = protocol.chat_request(
            self._model, conversation, num_choices=wanted, parameters=parameters, dialect=dialect
        )

        def read(answer: Answer) -> list[SampledText]:
            texts = parse_completion(answer.body, num_choices=wanted, parameters=parameters, dialect=dialect)
            return [replace(text, latency_ms=answer.latency_ms) for text in texts]

        if self._vllm_version is not None:
            body["return_token_ids"] = True  # counts every reply's tokens, where the protocol has only their sum
        return self._endpoint.ask({**body, **self._extra_body}, read, stopped=stopped)

    @property
    def _vllm_version(self) -> tuple[int, ...] | None:
        with self._lock:  # many threads want to know at once; one asks
            return self._discovered_version

    @cached_property
    def _discovered_version(self) -> tuple[int, ...] | None:
        return self._endpoint.vllm_version()


def discover_models(
    base_url: str,
    *,
    api_key: ApiKey | None = None,
    timeout: float = _DISCOVERY_TIMEOUT,
    retries: RetryPolicy | None = None,
    transport: httpx.BaseTransport | None = None,
) -> list[ServedModel]:
    """What a server serves; also its health check. Raises an EngineError that says what is wrong."""
    endpoint = Endpoint(base_url, api_key=api_key, timeout=timeout, retries=retries, transport=transport)
    try:
        return endpoint.models()
    finally:
        endpoint.close()


class _Ending:
    """Why and whether the requests of one call end early. Used by many threads at once."""

    def __init__(self) -> None:
        self.stopped = Event()  # nobody waits for replies any more
        self.error: EngineError | None = None  # the first after which no other conversation would fare better
        self._num_unanswered = 0  # conversations in a row
        self._lock = Lock()

    def count_answered(self) -> None:
        """The server answered a conversation, whatever it said."""
        with self._lock:
            self._num_unanswered = 0

    def count_unanswered(self, error: EngineError) -> None:
        """A server that answers nobody to the end any more counts as unreachable."""
        with self._lock:
            self._num_unanswered += 1
            num_unanswered = self._num_unanswered
        if num_unanswered >= _MAX_UNANSWERED:
            self.because_of(EndpointUnreachable(f"{num_unanswered} requests in a row were not answered: {error}"))

    def because_of(self, error: EngineError) -> None:
        """Let no other request begin; only the first error counts, later ones follow from it."""
        with self._lock:
            if self.error is None and not self.stopped.is_set():
                self.error = error
            self.stopped.set()


def _results(
    finished: Mapping[Future[list[SampledText]], int], failures: dict[int, EngineError]
) -> Iterator[tuple[int, list[SampledText]]]:
    """What worked; failures of single conversations are noted."""
    for future, index in finished.items():
        try:
            yield index, future.result()
        except _FATAL:
            continue  # stands in the _Ending
        except EngineError as error:
            failures[index] = error
