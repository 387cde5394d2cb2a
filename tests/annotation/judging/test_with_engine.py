"""Judges with a real engine: a small model with random weights, whose replies are held to the choices."""

from __future__ import annotations

from math import exp

import pytest

from annotation.judging import JudgeCall, Reply, Template, judge_item, make_spec, plan
from generation.engines.base import SamplingParameters
from generation.engines.transformers_engine import TransformersEngine
from tests.annotation.judging.items import item_of
from tests.generation.engines.tiny_model import build_model, build_tokenizer

SHORT = Template(name="short", version=1, system="", user="{prompt}\n{replies}\n{code}\n{reply_form}")


@pytest.fixture(scope="module")
def engine() -> TransformersEngine:
    tokenizer = build_tokenizer(["Which reply is better, reply A or reply B?"])
    return TransformersEngine(build_model(tokenizer, max_length=2048), tokenizer)


def reply_of(engine: TransformersEngine, call: JudgeCall) -> Reply:
    parameters = SamplingParameters(
        temperature=call.temperature,
        top_p=call.top_p,
        max_new_tokens=call.max_new_tokens,
        json_schema=call.json_schema,
        choices=call.choices,
        num_logprobs=call.num_logprobs,
    )
    sampled = engine.sample([call.messages], num_completions=1, parameters=parameters, seeds=[call.seed])
    return next(sampled)[1][0]


def test_an_engines_reply_is_read_as_it_comes(engine: TransformersEngine) -> None:
    spec = make_spec("pairwise_verdict", template=SHORT, num_samples=3, temperature=1.0)
    judged = judge_item(spec, item_of(), source=lambda call: reply_of(engine, call))
    assert judged.answer is not None
    assert (judged.num_calls, judged.num_pairs) == (6, 1)


def test_an_engines_log_probabilities_are_a_soft_label_of_both_orders(engine: TransformersEngine) -> None:
    spec = make_spec("pairwise_logprobs", template=SHORT, conflict="mean", min_label_mass=0.99)
    judged = judge_item(spec, item_of(), source=lambda call: reply_of(engine, call))
    assert judged.probabilities is not None
    shares = (judged.probabilities.first, judged.probabilities.tie, judged.probabilities.second)
    assert sum(shares) == pytest.approx(1)
    assert min(shares) > 0
    first, second = (reply_of(engine, call) for call in plan(spec, item_of(), 0))
    assert judged.probabilities.first == pytest.approx(share_of(first, "A") / 2 + share_of(second, "B") / 2)


def share_of(reply: Reply, letter: str) -> float:
    """The probability of a letter as the first token, among all that the engine lists."""
    top = reply.logprobs[0].top
    return exp(top[letter]) / sum(exp(logprob) for logprob in top.values())
