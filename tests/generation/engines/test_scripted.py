from __future__ import annotations

import pytest

from generation.engines.base import Conversation, Engine, SampledText, SamplingParameters, TokenLogprob
from generation.engines.errors import ChoiceIgnored, ContextOverflow, ConversationsFailed, ParametersUnsupported
from generation.engines.scripted import ScriptedEngine
from tests.generation.engines.draining import drain


def shout(conversation: Conversation, number: int, seed: int) -> str:
    text = conversation[-1]["content"]
    if text == "too long":
        raise ContextOverflow("that is too long")
    return f"{text.upper()} {number} {seed}"


def says(text: str) -> Conversation:
    return [{"role": "user", "content": text}]


def test_replies_come_from_the_function() -> None:
    engine: Engine = ScriptedEngine(shout)
    parameters = SamplingParameters(seed=7)
    replies = dict(engine.sample([says("hi there"), says("you")], num_completions=2, parameters=parameters))
    engine.close()
    assert [reply.text for reply in replies[0]] == ["HI THERE 0 7", "HI THERE 1 7"]
    assert [reply.text for reply in replies[1]] == ["YOU 0 7", "YOU 1 7"]
    assert (replies[0][0].finish_reason, replies[0][0].num_prompt_tokens, replies[0][0].num_tokens) == ("stop", 2, 4)


def test_a_reply_ends_at_the_first_stop_text_or_at_the_limit() -> None:
    def sample(**parameters: object) -> tuple[str, str]:
        sampled = SamplingParameters(**parameters)  # type: ignore[arg-type]
        ((_, (reply,)),) = ScriptedEngine(shout).sample([says("a b c")], num_completions=1, parameters=sampled)
        return reply.text, reply.finish_reason

    assert sample(stop=("C", "B")) == ("A ", "stop")
    assert sample(max_new_tokens=2) == ("A B", "length")


def test_a_conversation_that_fails_does_not_stop_the_others() -> None:
    conversations = [says("too long"), says("fine")]
    sampled, failures = drain(
        ScriptedEngine(shout).sample(conversations, num_completions=1, parameters=SamplingParameters())
    )
    assert set(sampled) == {1}
    assert isinstance(failures[0], ContextOverflow)


def test_the_summary_of_failures_counts_them_and_names_the_first() -> None:
    failed = ConversationsFailed({4: ContextOverflow("late"), 2: ContextOverflow("early")})
    assert str(failed) == "2 conversations failed; the first, number 2: early"


def test_each_conversation_can_have_its_own_seed() -> None:
    replies = dict(
        ScriptedEngine(shout).sample(
            [says("a"), says("b")], num_completions=1, parameters=SamplingParameters(seed=7), seeds=[3, 4]
        )
    )
    assert [replies[index][0].text for index in (0, 1)] == ["A 0 3", "B 0 4"]


def test_a_script_can_give_the_whole_reply_with_its_log_probabilities() -> None:
    whole = SampledText(
        text="A",
        finish_reason="stop",
        num_prompt_tokens=9,
        num_tokens=1,
        logprobs=(TokenLogprob(token="A", logprob=-0.5, top={"A": -0.5, "B": -0.9}),),
    )
    parameters = SamplingParameters(num_logprobs=2, choices=("A", "B"))
    engine = ScriptedEngine(lambda conversation, number, seed: whole)
    assert list(engine.sample([says("?")], num_completions=1, parameters=parameters)) == [(0, [whole])]


def test_a_script_is_held_to_what_was_asked_for() -> None:
    for parameters, error in (
        (SamplingParameters(choices=("YES", "NO")), ChoiceIgnored),
        (SamplingParameters(num_logprobs=1), ParametersUnsupported),
    ):
        _, failures = drain(ScriptedEngine(shout).sample([says("a")], num_completions=1, parameters=parameters))
        assert type(failures[0]) is error
    with pytest.raises(ParametersUnsupported, match="adapter 'polite'"):
        drain(ScriptedEngine(shout).sample([], num_completions=1, parameters=SamplingParameters(adapter="polite")))
