from __future__ import annotations

import logging
import socket
import threading
from collections.abc import Callable, Sequence
from itertools import count
from typing import Any

import pytest

from generation.engines.base import Conversation, SampledText, SamplingParameters
from generation.engines.errors import (
    AccessDenied,
    ContextOverflow,
    ConversationsFailed,
    DeadlinePassed,
    EndpointOverloaded,
    EndpointUnreachable,
    EngineError,
    MalformedReply,
    MissingChatTemplate,
    ModelNotServed,
    ReplyWithheld,
    RequestRejected,
    TooFewChoices,
)
from generation.engines.openai_engine import OpenAIEngine, discover_models
from generation.engines.openai_protocol import ServedModel
from generation.engines.retries import RetryPolicy
from tests.generation.engines.chat_server import Answer, Reply, chat_server, completion, echo
from tests.generation.engines.draining import drain

AT_ONCE = RetryPolicy(max_attempts=3, first_delay=0.001, max_delay=0.01)
PARAMETERS = SamplingParameters(temperature=0.7, top_p=0.9, max_new_tokens=20, seed=3, stop=("END",))
SECRET = "sk-very-secret"


def says(text: str) -> Conversation:
    return [{"role": "user", "content": text}]


def sample(
    url: str,
    *texts: str,
    num_completions: int = 2,
    parameters: SamplingParameters = PARAMETERS,
    seeds: Sequence[int] | None = None,
    **options: Any,
) -> dict[int, list[SampledText]]:
    engine = OpenAIEngine(url, "tiny", **{"retries": AT_ONCE, **options})
    try:
        conversations = [says(text) for text in texts]
        return dict(engine.sample(conversations, num_completions=num_completions, parameters=parameters, seeds=seeds))
    finally:
        engine.close()


def always(reply: Reply) -> Answer:
    return lambda path, body: reply


def first_then_echo(reply: Reply, *, times: int = 1) -> Answer:
    calls = count()
    return lambda path, body: reply if next(calls) < times else echo(path, body)


def unused_url() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{probe.getsockname()[1]}"


def test_every_conversation_gets_its_own_replies() -> None:
    with chat_server(echo) as server:
        replies = sample(server.url, *(f"p{number}" for number in range(30)), concurrency=4)
    assert {index: [reply.text for reply in own] for index, own in replies.items()} == {
        number: [f"p{number}/0", f"p{number}/1"] for number in range(30)
    }


def test_the_request_carries_the_parameters() -> None:
    with chat_server(echo) as server:
        sample(server.url, "hello", extra_body={"min_p": 0.1})
    (body,) = server.requests
    seed = body.pop("seed")
    assert 0 <= seed < 2**31
    assert body == {
        "model": "tiny",
        "messages": [{"role": "user", "content": "hello"}],
        "n": 2,
        "temperature": 0.7,
        "top_p": 0.9,
        "max_tokens": 20,
        "stop": ["END"],
        "min_p": 0.1,
    }


def test_a_seed_depends_on_the_conversation_and_not_on_its_neighbours() -> None:
    with chat_server(echo) as server:
        sample(server.url, "a", "b", concurrency=1)
        sample(server.url, "b", concurrency=1)
    first, second, alone = (body["seed"] for body in server.requests)
    assert first != second == alone


def test_no_more_requests_are_in_flight_than_allowed() -> None:
    barrier = threading.Barrier(3, timeout=10)

    def together(path: str, body: dict[str, Any]) -> Reply:
        barrier.wait()  # three requests at once are needed to go on
        return echo(path, body)

    with chat_server(together) as server:
        assert len(sample(server.url, *"abcdef", concurrency=3)) == 6
    assert server.max_in_flight == 3


def test_replies_can_be_asked_for_one_at_a_time() -> None:
    with chat_server(echo) as server:
        replies = sample(server.url, "a", num_completions=3, max_choices=1)
    assert len(replies[0]) == 3
    assert [body["n"] for body in server.requests] == [1, 1, 1]
    assert len({body["seed"] for body in server.requests}) == 3


def test_a_server_that_gives_one_reply_a_request_is_asked_again_and_then_one_by_one() -> None:
    def one(path: str, body: dict[str, Any]) -> Reply:
        return completion(f"{body['messages'][-1]['content']} {body['seed']}")

    with chat_server(one) as server:
        replies = sample(server.url, "a", "b", num_completions=3, seeds=[40, 50], concurrency=1)
    assert [[reply.text for reply in replies[index]] for index in (0, 1)] == [
        ["a 40", "a 41", "a 42"],
        ["b 50", "b 51", "b 52"],
    ]
    assert [body["n"] for body in server.requests] == [3, 1, 1, 1, 1, 1]


def test_what_the_server_says_it_is_and_how_long_it_took_are_reported() -> None:
    reply = completion("a", "b")
    reply.body.update(model="tiny-v2", system_fingerprint="build-7")
    with chat_server(always(reply)) as server:
        first, second = sample(server.url, "x")[0]
    assert first.model_revision == second.model_revision == "tiny-v2 build-7"
    assert first.latency_ms == second.latency_ms > 0


def test_tokens_and_the_reason_for_ending_are_reported() -> None:
    with chat_server(always(completion("abc", "a", finish_reason="length", tokens=8))) as server:
        long, short = sample(server.url, "x")[0]
    assert (long.finish_reason, long.num_prompt_tokens) == ("length", 5)
    assert (long.num_tokens, short.num_tokens) == (6, 2)  # the total of 8, shared by length of text


def test_exact_token_counts_are_used_where_the_server_lists_tokens() -> None:
    reply = completion("abc", "a", tokens=8)
    for choice, tokens in zip(reply.body["choices"], ([1, 2], [1, 2, 3, 4, 5, 6]), strict=True):
        choice["token_ids"] = tokens
    with chat_server(always(reply), vllm_version="0.32.0") as server:
        assert [one.num_tokens for one in sample(server.url, "x")[0]] == [2, 6]
    assert server.requests[0]["return_token_ids"]


def test_choices_are_put_in_order_and_a_reply_without_content_is_empty() -> None:
    reply = completion("first", "second")
    reply.body["choices"].reverse()
    reply.body["choices"][0]["message"]["content"] = None
    with chat_server(always(reply)) as server:
        assert [one.text for one in sample(server.url, "x")[0]] == ["first", ""]


def test_text_that_no_database_takes_is_made_harmless_in_both_directions() -> None:
    with chat_server(echo) as server:
        replies = sample(server.url, "a\ud800b\0c\udfff", num_completions=1)
    assert server.requests[0]["messages"][0]["content"] == "a\ufffdb\ufffdc"  # none at the end, see _sendable
    assert replies[0][0].text == "a\ufffdb\ufffdc/0"
    with chat_server(always(completion("x\ud800\0y"))) as server:
        assert sample(server.url, "a", num_completions=1)[0][0].text == "x\ufffd\ufffdy"


@pytest.mark.parametrize(
    "passing",
    [
        Reply(status=429, body={"error": {"message": "slow down"}}, headers={"Retry-After": "0"}),
        Reply(status=503, body=b"starting"),
        Reply(status=500, body=b"oops"),
        Reply(body=b'{"choices": [{"ind'),
        Reply(body=b'{"choices": [', claimed_length=500),
        Reply(body={"choices": "none"}),
        Reply(body=["not", "an", "object"]),
    ],
)
def test_what_may_pass_is_tried_again(passing: Reply) -> None:
    with chat_server(first_then_echo(passing, times=2)) as server:
        assert [reply.text for reply in sample(server.url, "a")[0]] == ["a/0", "a/1"]
    assert len(server.requests) == 3


@pytest.mark.parametrize(
    ("reply", "error", "message"),
    [
        (Reply(status=401, body={"error": {"message": "no key"}}), AccessDenied, "401: no key; check the API key"),
        (Reply(status=403, body=b""), AccessDenied, "403: nothing"),
        (
            Reply(status=404, body={"error": {"message": "The model `tiny` does not exist."}}),
            ModelNotServed,
            "'tiny' is not served there",
        ),
        (Reply(status=404, body={"detail": "Not Found"}), EndpointUnreachable, "OpenAI-compatible"),
        (Reply(status=307, headers={"Location": "http://10.0.0.1/"}), EndpointUnreachable, "not followed"),
        (Reply(status=429, body={"error": "busy"}), EndpointOverloaded, "429: busy"),
        (Reply(status=503, body=b"<html>"), EndpointOverloaded, "503: <html>"),
        (
            Reply(status=400, body={"error": {"message": "…, so you must provide a chat template if …"}}),
            MissingChatTemplate,
            "use the model's instruction-tuned variant",
        ),
    ],
)
def test_an_endpoint_that_cannot_serve_ends_the_sampling(reply: Reply, error: type[EngineError], message: str) -> None:
    with chat_server(always(reply)) as server, pytest.raises(error, match=message):
        sample(server.url, "a", "b", concurrency=1)
    assert {body["messages"][0]["content"] for body in server.requests} == {"a"}


@pytest.mark.parametrize(
    ("reply", "error", "message"),
    [
        (
            Reply(status=400, body={"error": {"message": "This model's maximum context length is 10 tokens."}}),
            ContextOverflow,
            "maximum context length is 10",
        ),
        (Reply(status=400, body={"message": "temperature?"}), RequestRejected, "400: temperature?"),
        (Reply(status=500, body=b"oops"), RequestRejected, "500: oops"),
        (Reply(body=b"{half"), MalformedReply, "not JSON: '{half'"),
        (Reply(body={"id": 3}), MalformedReply, "choices must be list, got None"),
        (Reply(body={"choices": ["x", "y"]}), MalformedReply, "with index, got str"),
        (completion(), TooFewChoices, "asked for 2 choices, got none"),
        (completion("a", "b", finish_reason="content_filter"), ReplyWithheld, "content filter"),
        (completion("a", "b", finish_reason="bored"), RequestRejected, "'bored'"),
        (Reply(body={"choices": [{"index": 0}, {"index": 1}]}), MalformedReply, "message must be dict, got None"),
        (Reply(body=b"[" * 100_000), MalformedReply, "not JSON"),
        (completion("a", "b", tokens=-3), MalformedReply, "completion_tokens must be a number of tokens, got -3"),
        (completion("a", "b", prompt_tokens=2**40), MalformedReply, "prompt_tokens must be a number of tokens"),
    ],
)
def test_one_failed_conversation_does_not_stop_the_others(reply: Reply, error: type[EngineError], message: str) -> None:
    def answer(path: str, body: dict[str, Any]) -> Reply:
        return reply if body["messages"][0]["content"] == "bad" else echo(path, body)

    with chat_server(answer) as server:
        engine = OpenAIEngine(server.url, "tiny", retries=AT_ONCE, concurrency=2)
        conversations = [says("bad"), says("good"), says("better")]
        sampled, failures = drain(engine.sample(conversations, num_completions=2, parameters=PARAMETERS))
        engine.close()
    assert set(sampled) == {1, 2}
    assert set(failures) == {0}
    assert type(failures[0]) is error
    assert message in str(failures[0])


def test_no_server_at_the_address_is_named() -> None:
    url = unused_url()
    with pytest.raises(EndpointUnreachable, match=f"no answer from {url}/v1/chat/completions: ConnectError"):
        sample(url, "a")
    with pytest.raises(EndpointUnreachable, match="/v1/models"):
        discover_models(url, retries=AT_ONCE)


def test_a_server_that_does_not_answer_in_time_is_named() -> None:
    released = threading.Event()

    def slow(path: str, body: dict[str, Any]) -> Reply:
        released.wait(10)
        return echo(path, body)

    with chat_server(slow) as server:
        with pytest.raises(ConversationsFailed, match="sent nothing for") as raised:
            sample(server.url, "a", timeout=0.05)
        released.set()
    assert isinstance(raised.value.failures[0], DeadlinePassed)


def test_stopping_early_asks_for_nothing_more() -> None:
    with chat_server(echo) as server:
        engine = OpenAIEngine(server.url, "tiny", concurrency=1)
        replies = engine.sample([says(text) for text in "abcdefgh"], num_completions=1, parameters=PARAMETERS)
        next(replies)
        replies.close()  # type: ignore[attr-defined]
        engine.close()
    assert len(server.requests) < 8


def key() -> str:
    return SECRET


@pytest.mark.parametrize("status", [401, 400])
def test_the_api_key_is_sent_and_appears_in_no_error_and_no_log(status: int, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    echoed = Reply(status=status, body={"error": {"message": f"Incorrect API key provided: {SECRET}"}})
    with chat_server(always(echoed)) as server, pytest.raises(EngineError, match=r"\[API key\]") as failed:
        sample(server.url, "a", api_key=key)
    assert server.headers[0]["Authorization"] == f"Bearer {SECRET}"
    assert SECRET not in str(failed.value)
    assert SECRET not in caplog.text


@pytest.mark.parametrize("no_key", [None, lambda: None])
def test_without_a_key_no_authorization_is_sent(no_key: Callable[[], str | None] | None) -> None:
    with chat_server(echo) as server:
        sample(server.url, "a", api_key=no_key)
    assert "Authorization" not in server.headers[0]


def test_the_models_of_a_server_are_discovered() -> None:
    listing = {"data": [{"id": "policy", "root": "/models/tiny", "max_model_len": 256}, {"id": "other"}]}

    def answer(path: str, body: dict[str, Any]) -> Reply:
        return Reply(body=listing) if path == "/v1/models" else Reply(status=404, body={})

    expected = [
        ServedModel(id="policy", root="/models/tiny", max_context=256),
        ServedModel(id="other", root=None, max_context=None),
    ]
    with chat_server(answer) as server:
        for base_url in (server.url, f"{server.url}/", f"{server.url}/v1", f"{server.url}/v1/"):
            assert discover_models(base_url) == expected


def test_a_listing_that_is_none_is_named() -> None:
    listing = always(Reply(body={"object": "list"}))
    with chat_server(listing) as server, pytest.raises(MalformedReply, match="data must be list"):
        discover_models(server.url)


@pytest.mark.parametrize("options", [{"concurrency": 0}, {"max_choices": 0}])
def test_impossible_options_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="1 or more"):
        OpenAIEngine("http://localhost", "tiny", **options)


def test_less_than_one_reply_is_refused() -> None:
    with pytest.raises(EngineError, match="num_completions"):
        sample("http://localhost", "a", num_completions=0)
