"""Servers and prompts that misbehave: each ends in a recorded, explained state."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
from django.conf import LazySettings

from core import jobs
from core.jobs import JobFailed
from generation import runner, services
from generation.engines.openai_engine import OpenAIEngine
from generation.engines.retries import RetryPolicy
from generation.models import LanguageModel, SamplingRun
from generation.prompt_lines import NewPrompt
from generation.sampling_figures import figures_of
from generation.services import SamplingRefused
from tests.factory import Factory
from tests.generation.engines import chat_server
from tests.generation.engines.chat_server import Reply, completion, echo

Answer = Callable[[str, dict[str, Any]], Reply]
BAD = "What is 1 divided by 0?"
OVERFLOW = {"error": {"message": "This model's maximum context length is 8 tokens."}}


@pytest.fixture(autouse=True)
def is_impatient(monkeypatch: pytest.MonkeyPatch, settings: LazySettings) -> None:
    """Nobody waits before another attempt; servers of ours may be called."""
    monkeypatch.setattr(runner, "FIRST_DELAY", 0.0)
    monkeypatch.setattr(RetryPolicy, "delay", lambda policy, attempt, retry_after: 0.0)
    settings.ALLOWED_PRIVATE_HOSTS = ("127.0.0.1",)


@pytest.fixture
def run(factory: Factory) -> SamplingRun:
    """Three prompts, one of them the bad one, two completions each, from a server that is yet to come."""
    prompt_set = factory.prompt_set(num_prompts=2)
    services.add_prompts(
        prompt_set=prompt_set, prompts=[NewPrompt(messages=[{"role": "user", "content": BAD}], reference="")]
    )
    model = factory.model("Served", source="served", endpoint_url="http://127.0.0.1:1")
    return factory.sampling_run(prompt_set, models=[model], status="queued")


def carry_out(
    run: SamplingRun, answer: Answer, *, when_ended: Callable[[], object] = lambda: None
) -> chat_server.ChatServer:
    """The run as a worker carries it out, against a server that answers like this."""
    with chat_server.chat_server(answer) as server:
        LanguageModel.objects.filter(name="Served").update(endpoint_url=server.url)
        try:
            jobs.perform(SamplingRun, run.pk, runner.sample)
        finally:
            when_ended()
            run.refresh_from_db()
    return server


def bad_only(reply: Reply) -> Answer:
    """This reply to the bad prompt, a good one to all others."""
    return lambda path, body: reply if body["messages"][-1]["content"] == BAD else echo(path, body)


@pytest.mark.parametrize(
    ("reply", "kind", "num_attempts", "words"),
    [
        (Reply(body=b'{"choices": [{"ind'), "MalformedReply", 3, "not JSON"),
        (Reply(body={"choices": "none"}), "MalformedReply", 3, "choices"),
        (completion(), "TooFewChoices", 3, "asked for 2 choices, got none"),
        (Reply(status=400, body=OVERFLOW), "ContextOverflow", 1, "shorten the prompt"),
        (Reply(status=422, body={"error": "no"}), "RequestRejected", 1, "422: no"),
        (completion("", "", finish_reason="content_filter"), "ReplyWithheld", 1, "filter"),
        (Reply(body={}, claimed_length=100), "ConnectionCut", 3, "no whole answer"),
    ],
)
def test_a_prompt_that_fails_is_recorded_and_the_others_are_kept(
    run: SamplingRun, reply: Reply, kind: str, num_attempts: int, words: str
) -> None:
    carry_out(run, bad_only(reply))
    failure = run.failures.get()
    assert (run.status, run.num_done, run.num_total) == ("finished", 3, 3)
    assert (failure.kind, failure.num_attempts, failure.prompt.last_turn) == (kind, num_attempts, BAD)
    assert words in failure.message
    assert run.completions.count() == 4


def test_a_failure_that_passes_leaves_nothing_behind(run: SamplingRun) -> None:
    bad: list[str] = []

    def answer(path: str, body: dict[str, Any]) -> Reply:
        if body["messages"][-1]["content"] == BAD and len(bad) < RetryPolicy.max_attempts:
            bad.append(path)
            return Reply(body=b"{")
        return echo(path, body)

    carry_out(run, answer)
    assert (run.status, run.failures.count(), run.completions.count()) == ("finished", 0, 6)
    assert len(bad) == RetryPolicy.max_attempts


def test_a_busy_server_is_asked_again_after_the_time_it_names(run: SamplingRun) -> None:
    num_refused = iter(range(4))

    def answer(path: str, body: dict[str, Any]) -> Reply:
        is_busy = bool(body) and next(num_refused, None) is not None
        return Reply(status=429, body={}, headers={"Retry-After": "0"}) if is_busy else echo(path, body)

    carry_out(run, answer)
    assert (run.status, run.failures.count(), run.completions.count()) == ("finished", 0, 6)


def test_fewer_choices_than_asked_for_are_made_up_one_by_one(run: SamplingRun) -> None:
    carry_out(run, lambda path, body: completion(f"seed {body['seed']}"))
    assert (run.status, run.completions.count()) == ("finished", 6)
    for one in run.completions.all():
        assert one.text == f"seed {one.seed}"


def test_control_characters_and_half_surrogates_are_stored_as_replacements(run: SamplingRun) -> None:
    body = b'{"choices": [{"index": 0, "message": {"content": "a\\u0000b\\ud800c\x07"}, "finish_reason": "stop"}]}'
    carry_out(run, lambda path, asked: Reply(body=body))
    assert set(run.completions.values_list("text", flat=True)) == {"a\ufffdb\ufffdc\x07"}


@pytest.mark.parametrize(
    ("reply", "kind", "words"),
    [
        (Reply(status=404, body={"error": "The model `/x/Served` does not exist."}), "ModelNotServed", "not served"),
        (Reply(status=503, body={"error": "loading"}), "EndpointOverloaded", "loading"),
        (Reply(status=401, body={}), "AccessDenied", "API key"),
    ],
)
def test_a_server_that_cannot_go_on_fails_its_arm_with_the_cause(
    run: SamplingRun, reply: Reply, kind: str, words: str
) -> None:
    with pytest.raises(JobFailed):
        carry_out(run, lambda path, body: reply)
    arm = run.arms.get()
    assert (run.status, run.failure_kind, arm.failure_kind) == ("failed", kind, kind)
    assert words in run.error
    assert words in arm.error


def test_a_prompt_that_is_answered_too_late_is_recorded_and_the_others_are_kept(
    run: SamplingRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    goes_on = threading.Event()

    def slow(path: str, body: dict[str, Any]) -> Reply:
        if body and body["messages"][-1]["content"] == BAD:
            goes_on.wait(30)
        return echo(path, body)

    def impatient(model: LanguageModel) -> OpenAIEngine:
        return OpenAIEngine(model.endpoint_url, "x", timeout=1.0)

    monkeypatch.setattr(runner, "open_engine", impatient)
    SamplingRun.objects.filter(pk=run.pk).update(max_attempts=2)
    carry_out(run, slow, when_ended=goes_on.set)
    failure = run.failures.get()
    assert (run.status, run.num_done, run.completions.count()) == ("finished", 3, 4)
    assert (failure.kind, failure.num_attempts, failure.prompt.last_turn) == ("DeadlinePassed", 2, BAD)
    assert "sent nothing for 1 s" in failure.message


def test_an_arm_that_cannot_go_on_does_not_stop_the_others(factory: Factory, run: SamplingRun) -> None:
    with chat_server.chat_server(echo) as healthy:
        other = factory.model("Other", source="served", endpoint_url=healthy.url)
        second = run.arms.create(position=1, model=other, num_completions=1)
        run.arms.filter(position=0).update(adapter="not there")
        with pytest.raises(JobFailed, match=r"Served \+ not there: .*not served there"):
            carry_out(run, lambda path, body: Reply(status=404, body={"error": f"no {body['model']}"}))
    assert second.completions.count() == 3
    assert list(run.arms.values_list("failure_kind", flat=True)) == ["ModelNotServed", ""]


def test_a_run_of_which_no_prompt_was_answered_has_failed(run: SamplingRun) -> None:
    with pytest.raises(JobFailed, match="No prompt at all"):
        carry_out(run, lambda path, body: Reply(status=400, body=OVERFLOW))
    assert (run.failure_kind, run.failures.count()) == ("prompts-failed", 3)


def test_an_address_that_the_guard_refuses_fails_the_arm(run: SamplingRun, settings: LazySettings) -> None:
    settings.ALLOWED_PRIVATE_HOSTS = ()
    with pytest.raises(JobFailed, match="ALLOWED_PRIVATE_HOSTS"):
        carry_out(run, echo)
    assert run.failure_kind == "url-refused"


def test_retrying_asks_for_what_is_missing_and_for_nothing_else(run: SamplingRun) -> None:
    carry_out(run, bad_only(Reply(status=400, body=OVERFLOW)))
    services.retry_sampling(run=run)
    server = carry_out(run, echo)
    assert [body["messages"][-1]["content"] for body in server.requests] == [BAD]
    assert (run.status, run.attempt, run.failures.count(), run.completions.count()) == ("finished", 2, 0, 6)
    with pytest.raises(SamplingRefused, match="is complete"):
        services.retry_sampling(run=run)


def test_what_fails_again_after_a_retry_is_recorded_again(run: SamplingRun) -> None:
    answer = bad_only(Reply(status=400, body=OVERFLOW))
    carry_out(run, answer)
    services.retry_sampling(run=run)
    carry_out(run, answer)
    assert (run.status, run.failures.get().num_attempts) == ("finished", 1)


def test_what_was_said_and_what_it_took_is_kept(run: SamplingRun) -> None:
    run.arms.update(prompt_price=3, completion_price=10)

    def answer(path: str, body: dict[str, Any]) -> Reply:
        reply = completion("one", "two", prompt_tokens=7, tokens=12)
        return Reply(body=reply.body | {"model": "llama", "system_fingerprint": "fp_1"})

    carry_out(run, answer)
    one = run.completions.earliest("pk")
    assert (one.num_prompt_tokens, one.model_revision) == (7, "llama fp_1")
    assert one.latency_ms is not None
    arm = SamplingRun.objects.with_figures().get(pk=run.pk).arms.all()[0]
    figures = figures_of(arm)
    assert (figures.num_completions, figures.num_prompt_tokens, figures.num_tokens) == (6, 21, 36)
    assert float(figures.cost or 0) == pytest.approx((21 * 3 + 36 * 10) / 1e6)
    assert figures.latency_p50_ms is not None
    assert figures.latency_p95_ms is not None
    assert figures.latency_p50_ms <= figures.latency_p95_ms
    assert figures.tokens_per_second == pytest.approx(36 / arm.sampling_seconds)
    assert arm.engine == "endpoint"
