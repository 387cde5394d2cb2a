"""The engine against a real vLLM server."""

from __future__ import annotations

import json
from collections.abc import Iterator
from math import exp
from pathlib import Path
from typing import Any

import pytest

from generation import endpoints
from generation.engines.base import Conversation, Engine, SampledText, SamplingParameters
from generation.engines.errors import ContextOverflow, ModelNotServed, RequestRejected
from generation.engines.openai_engine import OpenAIEngine
from generation.engines.transformers_engine import TransformersEngine
from generation.serving import ManagedServer
from tests.generation.engines.draining import drain

pytestmark = pytest.mark.vllm

CONVERSATIONS: list[Conversation] = [
    [{"role": "user", "content": text}] for text in ("Say cat twice.", "What is 3 plus 4?", "Grüße \0\ud800 🙂")
]
PARAMETERS = SamplingParameters(max_new_tokens=12, seed=1)


@pytest.fixture
def engine(vllm_server: ManagedServer) -> Iterator[Engine]:
    engine = vllm_server.engine()
    yield engine
    engine.close()


def sample(engine: Engine, **options: Any) -> dict[int, list[SampledText]]:
    wanted = {"num_completions": 3, "parameters": PARAMETERS, **options}
    sampled, failures = drain(engine.sample(CONVERSATIONS, **wanted))
    assert failures == {}
    return sampled


def test_every_conversation_gets_different_replies_with_their_counts(engine: Engine) -> None:
    replies = sample(engine)
    assert sorted(replies) == [0, 1, 2]
    assert len({reply.text for own in replies.values() for reply in own}) == 9
    assert all(1 <= reply.num_tokens <= 12 and reply.num_prompt_tokens > 3 for own in replies.values() for reply in own)
    assert all(reply.model_revision.startswith("tiny vllm-") for own in replies.values() for reply in own)


def test_the_same_seeds_give_the_same_replies_and_others_do_not(engine: Engine) -> None:
    first, again, other = (sample(engine, seeds=seeds) for seeds in ([1, 2, 3], [1, 2, 3], [4, 5, 6]))
    assert first == again
    assert all(first[index] != other[index] for index in first)


def test_replies_that_are_asked_for_one_by_one_are_those_of_one_request(vllm_server: ManagedServer) -> None:
    together, single = (OpenAIEngine(vllm_server.url, "tiny", max_choices=most) for most in (None, 1))
    texts = [
        {index: [reply.text for reply in own] for index, own in sample(engine, seeds=[7, 8, 9]).items()}
        for engine in (together, single)
    ]
    together.close()
    single.close()
    assert texts[0] == texts[1]


def test_the_tokens_of_every_reply_are_counted(engine: Engine) -> None:
    replies = sample(engine, num_completions=8)
    for reply in (reply for own in replies.values() for reply in own):
        assert (reply.num_tokens == 12) == (reply.finish_reason == "length")


def test_log_probabilities_are_those_that_transformers_computes(engine: Engine, tiny_model_folder: Path) -> None:
    parameters = SamplingParameters(max_new_tokens=6, temperature=0, num_logprobs=3)
    local = TransformersEngine.load(str(tiny_model_folder))
    served, loaded = (sample(one, num_completions=1, parameters=parameters) for one in (engine, local))
    for index in served:
        (theirs,), (ours,) = served[index], loaded[index]
        assert theirs.text == ours.text
        assert len(theirs.logprobs) == len(ours.logprobs) == 6
        for their, our in zip(theirs.logprobs, ours.logprobs, strict=True):
            assert their.logprob == pytest.approx(our.logprob, abs=1e-3)
            assert max(their.top.values()) == pytest.approx(max(our.top.values()), abs=1e-3)


def test_a_reply_is_one_of_the_choices_with_their_probabilities(engine: Engine) -> None:
    parameters = SamplingParameters(choices=("yes", "no"), max_new_tokens=8, num_logprobs=4)
    replies = [reply for own in sample(engine, num_completions=8, parameters=parameters).values() for reply in own]
    assert {reply.text for reply in replies} == {"yes", "no"}
    assert sum(exp(logprob) for logprob in replies[0].logprobs[0].top.values()) == pytest.approx(1.0, abs=1e-3)


def test_choices_weigh_the_same_in_this_process(engine: Engine, tiny_model_folder: Path) -> None:
    parameters = SamplingParameters(choices=("A", "B"), max_new_tokens=8, num_logprobs=2, temperature=0)
    local = TransformersEngine.load(str(tiny_model_folder))
    served, loaded = (sample(one, num_completions=1, parameters=parameters) for one in (engine, local))
    for index in served:
        assert served[index][0].logprobs[0].top == pytest.approx(loaded[index][0].logprobs[0].top, abs=1e-3)


def test_a_reply_follows_its_schema(engine: Engine) -> None:
    schema = {
        "type": "object",
        "properties": {"verdict": {"enum": ["A", "B", "tie"]}, "sure": {"type": "boolean"}},
        "required": ["verdict", "sure"],
        "additionalProperties": False,
    }
    replies = sample(engine, parameters=SamplingParameters(json_schema=schema, max_new_tokens=60))
    for reply in (reply for own in replies.values() for reply in own):
        said = json.loads(reply.text)
        assert said["verdict"] in {"A", "B", "tie"}
        assert isinstance(said["sure"], bool)


def test_a_prompt_with_half_a_character_at_its_end_does_not_leak_into_the_reply(engine: Engine) -> None:
    parameters = SamplingParameters(choices=("yes", "no"), max_new_tokens=8)
    conversations: list[Conversation] = [[{"role": "user", "content": "Say yes \ufffd\ufffd"}]]
    ((_, (reply,)),) = engine.sample(conversations, num_completions=1, parameters=parameters)
    assert reply.text in parameters.choices


def test_more_prompts_at_once_than_fit_a_step_do_not_end_the_server(engine: Engine) -> None:
    """vLLM on a CPU ends at once if it reads a prompt of a seeded request in two parts."""
    conversations: list[Conversation] = [
        [{"role": "user", "content": f"{number}: " + "What is 3 plus 4? " * 12}] for number in range(64)
    ]
    parameters = SamplingParameters(max_new_tokens=4)
    assert len(list(engine.sample(conversations, num_completions=4, parameters=parameters))) == 64


def test_what_is_served_is_discovered(vllm_server: ManagedServer, tiny_model_folder: Path) -> None:
    (model,) = endpoints.models_at(vllm_server.url)
    assert (model.id, model.root, model.max_context, model.parent) == ("tiny", str(tiny_model_folder), 1024, None)
    assert endpoints.check_health(vllm_server.url, name="tiny").is_up
    assert "serves tiny" in endpoints.check_health(vllm_server.url, name="other").problem


def test_a_model_that_is_not_served_is_named(vllm_server: ManagedServer) -> None:
    engine = OpenAIEngine(vllm_server.url, "other")
    with pytest.raises(ModelNotServed, match="'other' is not served there"):
        sample(engine)
    engine.close()


def test_a_prompt_that_does_not_fit_fails_alone(engine: Engine) -> None:
    conversations = [CONVERSATIONS[0], [{"role": "user", "content": "Zebra " * 600}]]
    sampled, failures = drain(engine.sample(conversations, num_completions=1, parameters=PARAMETERS))
    assert set(sampled) == {0}
    assert isinstance(failures[1], ContextOverflow)
    assert "maximum context length is 1024" in str(failures[1])


def test_a_reply_that_may_not_fit_is_refused(engine: Engine) -> None:
    too_long = SamplingParameters(max_new_tokens=1200)
    _, failures = drain(engine.sample(CONVERSATIONS, num_completions=1, parameters=too_long))
    assert {type(error) for error in failures.values()} == {ContextOverflow}


def test_a_schema_that_is_none_fails_with_the_words_of_the_server(engine: Engine) -> None:
    wrong = SamplingParameters(json_schema={"type": "obj"})
    _, failures = drain(engine.sample(CONVERSATIONS, num_completions=1, parameters=wrong))
    assert {type(error) for error in failures.values()} == {RequestRejected}
    assert "obj" in str(failures[0])
