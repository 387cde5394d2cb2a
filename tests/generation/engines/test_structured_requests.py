"""Choices, schemas, log-probabilities and adapters over the OpenAI protocol, by the dialect of each server."""

from __future__ import annotations

import json
from typing import Any

import pytest

from generation.engines.base import SampledText, SamplingParameters
from generation.engines.errors import ChoiceIgnored, MalformedReply, ParametersUnsupported
from generation.engines.openai_engine import OpenAIEngine
from generation.engines.retries import RetryPolicy
from tests.generation.engines.chat_server import Answer, Reply, chat_server, completion
from tests.generation.engines.draining import drain

AT_ONCE = RetryPolicy(max_attempts=2, first_delay=0.001, max_delay=0.01)
PARAMETERS = SamplingParameters(choices=("yes", "no"), max_new_tokens=8, seed=3)


def always(reply: Reply) -> Answer:
    return lambda path, body: reply


def ask(url: str, parameters: SamplingParameters) -> tuple[SampledText | None, Exception | None]:
    """The reply to one question, or why there is none."""
    engine = OpenAIEngine(url, "tiny", retries=AT_ONCE)
    conversations = [[{"role": "user", "content": "Is it?"}]]
    sampled, failures = drain(engine.sample(conversations, num_completions=1, parameters=parameters))
    engine.close()
    return (sampled[0][0] if sampled else None), failures.get(0)


def logprobs(*tokens: tuple[str, float, dict[str, float]]) -> dict[str, Any]:
    return {
        "content": [
            {
                "token": token,
                "logprob": logprob,
                "top_logprobs": [{"token": t, "logprob": value} for t, value in top.items()],
            }
            for token, logprob, top in tokens
        ]
    }


@pytest.mark.parametrize(
    ("version", "field", "value"),
    [
        ("0.32.0", "structured_outputs", {"choice": ["yes", "no"]}),
        ("0.11.0rc1", "structured_outputs", {"choice": ["yes", "no"]}),
        ("0.10.2", "guided_choice", ["yes", "no"]),
    ],
)
def test_vllm_is_asked_for_choices_in_the_words_of_its_version(version: str, field: str, value: object) -> None:
    with chat_server(always(completion("no")), vllm_version=version) as server:
        reply, _ = ask(server.url, PARAMETERS)
    assert reply is not None
    assert reply.text == "no"
    assert server.requests[0][field] == value
    assert "response_format" not in server.requests[0]


def test_other_servers_are_asked_for_an_object_with_the_choice() -> None:
    with chat_server(always(completion('{"choice": "no"}'))) as server:
        reply, _ = ask(server.url, PARAMETERS)
    assert reply is not None
    assert reply.text == "no"
    schema = server.requests[0]["response_format"]["json_schema"]["schema"]
    assert schema["properties"] == {"choice": {"type": "string", "enum": ["yes", "no"]}}


@pytest.mark.parametrize("said", ["Well, no.", '{"choice": "maybe"}', '{"choice": ["no"]}', "[]", ""])
@pytest.mark.parametrize("version", ["0.32.0", None])
def test_a_server_that_ignores_the_choices_is_found_out(version: str | None, said: str) -> None:
    with chat_server(always(completion(said)), vllm_version=version) as server:
        reply, failure = ask(server.url, PARAMETERS)
    assert reply is None
    assert isinstance(failure, ChoiceIgnored)
    assert "none of yes, no" in str(failure)


def test_a_bare_word_is_taken_from_a_server_that_does_not_know_schemas() -> None:
    with chat_server(always(completion(" yes\n"))) as server:
        reply, _ = ask(server.url, PARAMETERS)
    assert reply is not None
    assert reply.text == "yes"


def test_a_choice_that_was_cut_off_goes_out_as_cut_off() -> None:
    with chat_server(always(completion("ye", finish_reason="length")), vllm_version="0.32.0") as server:
        reply, _ = ask(server.url, PARAMETERS)
    assert reply is not None
    assert (reply.text, reply.finish_reason) == ("ye", "length")


def test_a_schema_is_asked_for_in_the_words_that_all_servers_know() -> None:
    schema = {"type": "object", "properties": {"score": {"type": "integer"}}}
    with chat_server(always(completion('{"score": 3}')), vllm_version="0.32.0") as server:
        reply, _ = ask(server.url, SamplingParameters(json_schema=schema))
    assert reply is not None
    assert json.loads(reply.text) == {"score": 3}
    assert server.requests[0]["response_format"] == {
        "type": "json_schema",
        "json_schema": {"name": "reply", "strict": True, "schema": schema},
    }


@pytest.mark.parametrize(
    ("text", "finish_reason", "follows"),
    [
        ('{"score": 3}', "stop", True),
        ('{"score": 3, "why": "so"}', "stop", True),
        ("I would say 3.", "stop", False),
        ('{"points": 3}', "stop", False),
        ("[3]", "stop", False),
        ('{"score": ', "length", None),
    ],
)
def test_a_server_that_ignores_a_schema_is_found_out_by_its_reply(
    text: str, finish_reason: str, follows: bool | None
) -> None:
    schema = {"type": "object", "properties": {"score": {"type": "integer"}}, "required": ["score"]}
    with chat_server(always(completion(text, finish_reason=finish_reason))) as server:
        reply, _ = ask(server.url, SamplingParameters(json_schema=schema))
        unasked, _ = ask(server.url, SamplingParameters())
    assert reply is not None
    assert unasked is not None
    assert (reply.text, reply.follows_schema, unasked.follows_schema) == (text, follows, None)


def test_an_adapter_is_asked_for_as_a_model() -> None:
    with chat_server(always(completion("Yes, please."))) as server:
        ask(server.url, SamplingParameters(adapter="polite"))
    assert server.requests[0]["model"] == "polite"


def test_log_probabilities_come_with_their_alternatives() -> None:
    reply = completion("no")
    reply.body["choices"][0]["logprobs"] = logprobs(
        ("n", -0.2, {"n": -0.2, "y": -1.7, "\ufffd": -4.0}),
        ("o", 1e-7, {"o": 0.0, "e": -9999.0}),
    )
    with chat_server(always(reply)) as server:
        said, _ = ask(server.url, SamplingParameters(num_logprobs=3))
    assert said is not None
    first, second = said.logprobs
    assert (first.token, first.logprob, first.top) == ("n", -0.2, {"n": -0.2, "y": -1.7, "\ufffd": -4.0})
    assert (second.token, second.logprob, second.top) == ("o", 0.0, {"o": 0.0})  # what cannot come is left out
    assert (server.requests[0]["logprobs"], server.requests[0]["top_logprobs"]) == (True, 3)


def test_tokens_that_read_alike_count_once_with_the_likelier() -> None:
    reply = completion("\ufffd")
    reply.body["choices"][0]["logprobs"] = {
        "content": [
            {
                "token": "\udc80",
                "logprob": -1.0,
                "top_logprobs": [{"token": "\udc81", "logprob": -2.0}, {"token": "\udc80", "logprob": -1.0}],
            }
        ]
    }
    with chat_server(always(reply)) as server:
        said, _ = ask(server.url, SamplingParameters(num_logprobs=2))
    assert said is not None
    assert (said.logprobs[0].token, said.logprobs[0].top) == ("\ufffd", {"\ufffd": -1.0})


@pytest.mark.parametrize("wrong", ["likely", None, True, float("nan"), 3.0])
def test_a_log_probability_that_is_none_is_named(wrong: object) -> None:
    reply = completion("no")
    reply.body["choices"][0]["logprobs"] = {"content": [{"token": "n", "logprob": wrong}]}
    with chat_server(always(reply)) as server:
        _, failure = ask(server.url, SamplingParameters(num_logprobs=1))
    assert isinstance(failure, MalformedReply)
    assert "logprob must be a number up to 0" in str(failure)


def test_a_server_that_gives_no_log_probabilities_ends_the_sampling() -> None:
    with chat_server(always(completion("no"))) as server, pytest.raises(ParametersUnsupported, match="any"):
        ask(server.url, SamplingParameters(num_logprobs=1))
