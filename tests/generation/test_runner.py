from __future__ import annotations

import socket
import subprocess
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from django.conf import LazySettings

from core import jobs
from core.jobs import JobFailed
from generation import runner, serving
from generation.engines.base import Conversation, SampledText, SamplingParameters
from generation.engines.errors import EndpointUnreachable, MalformedReply
from generation.engines.retries import RetryPolicy
from generation.engines.scripted import ScriptedEngine
from generation.models import Completion, LanguageModel, SamplingArm, SamplingRun
from generation.sampling_plan import prompt_seed
from generation.serving import ManagedServer
from tests.factory import Factory
from tests.generation.engines import chat_server, tiny_model

ENGINE_FAILS_AFTER = 40  # prompts: one whole chunk and a part of the next


class FailingEngine:
    """Answers `num_prompts` prompts, then raises `error`. Remembers what it was asked."""

    def __init__(self, num_prompts: int, error: Exception) -> None:
        self.num_prompts, self.error = num_prompts, error
        self.is_closed = False

    def sample(
        self,
        conversations: Sequence[Conversation],
        *,
        num_completions: int,
        parameters: SamplingParameters,
        seeds: Sequence[int] | None = None,
    ) -> Iterator[tuple[int, list[SampledText]]]:
        engine = ScriptedEngine(numbered)
        for index, texts in engine.sample(
            conversations, num_completions=num_completions, parameters=parameters, seeds=seeds
        ):
            if index == self.num_prompts:
                raise self.error
            yield index, texts

    def close(self) -> None:
        self.is_closed = True


def numbered(conversation: Conversation, number: int, seed: int) -> str:
    return f"{conversation[-1]['content']} Reply {number} of seed {seed}"


def claimed(run: SamplingRun) -> SamplingRun:
    """The run as the worker that has it would see it."""
    SamplingRun.objects.filter(pk=run.pk).update(status="queued")
    held = jobs.claim(SamplingRun, run.pk)
    assert held is not None
    return held


@pytest.fixture(autouse=True)
def is_impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits before another attempt."""
    monkeypatch.setattr(runner, "FIRST_DELAY", 0.0)
    monkeypatch.setattr(RetryPolicy, "delay", lambda policy, attempt, retry_after: 0.0)


@pytest.fixture
def use_engine(monkeypatch: pytest.MonkeyPatch) -> Callable[[object], None]:
    """`use_engine(engine)` makes every model speak through this engine."""
    return lambda engine: monkeypatch.setattr(runner, "open_engine", lambda model: engine)


@pytest.fixture
def run(factory: Factory) -> SamplingRun:
    """A run of 70 prompts, two completions each."""
    return factory.sampling_run(factory.prompt_set(num_prompts=70), status="queued")


def keys(run: SamplingRun) -> list[tuple[int, int]]:
    return list(run.completions.order_by("pk").values_list("prompt_id", "index"))


def test_every_prompt_gets_its_completions(run: SamplingRun, use_engine: Callable[[object], None]) -> None:
    use_engine(ScriptedEngine(numbered))
    held = claimed(run)
    runner.sample(held)
    assert len(keys(run)) == len(set(keys(run))) == 140
    assert (held.num_done, held.num_total) == (70, 70)
    one = run.completions.earliest("pk")
    assert (one.origin, one.finish_reason, one.num_tokens) == ("sampled", "stop", 10)
    assert one.seed == prompt_seed(0, one.prompt.fingerprint, 0)
    assert len(set(run.completions.values_list("seed", flat=True))) == 140


def test_a_failing_engine_keeps_what_it_sampled_and_the_next_attempt_repeats_nothing(
    run: SamplingRun, use_engine: Callable[[object], None]
) -> None:
    engine = FailingEngine(ENGINE_FAILS_AFTER, EndpointUnreachable("nobody answers at http://gone"))
    use_engine(engine)
    SamplingRun.objects.filter(pk=run.pk).update(max_attempts=1)
    with pytest.raises(JobFailed, match="nobody answers") as raised:
        runner.sample(claimed(run))
    assert raised.value.failure_kind == "EndpointUnreachable"
    assert engine.is_closed
    before = keys(run)
    assert len(before) == 2 * ENGINE_FAILS_AFTER
    use_engine(ScriptedEngine(numbered))
    runner.sample(claimed(run))
    assert keys(run)[: len(before)] == before
    assert Counter(prompt for prompt, _ in keys(run)) == dict.fromkeys({prompt for prompt, _ in keys(run)}, 2)
    assert len(keys(run)) == 140


def test_candidates_are_marked_while_others_are_still_sampled(
    run: SamplingRun, use_engine: Callable[[object], None]
) -> None:
    marked: list[int] = []

    class WatchingEngine(ScriptedEngine):
        def sample(
            self, conversations: Sequence[Conversation], **wanted: Any
        ) -> Iterator[tuple[int, list[SampledText]]]:
            for one in super().sample(conversations, **wanted):
                marked.append(run.diversities.count())
                yield one

    use_engine(WatchingEngine(numbered))
    runner.sample(claimed(run))
    assert sorted(set(marked)) == [0, runner.CHUNK_PROMPTS, 2 * runner.CHUNK_PROMPTS]
    assert run.diversities.count() == 70


def test_what_a_killed_attempt_left_unmarked_is_marked_by_the_next(
    run: SamplingRun, use_engine: Callable[[object], None]
) -> None:
    use_engine(FailingEngine(ENGINE_FAILS_AFTER, RuntimeError("killed")))
    with pytest.raises(RuntimeError, match="killed"):
        runner.sample(claimed(run))
    Completion.objects.filter(sampling_run=run, index=1).update(text="I'm sorry, but I can't help with that.")
    run.diversities.all().delete()  # as if it had been killed between storing and marking
    use_engine(ScriptedEngine(numbered))
    runner.sample(claimed(run))
    flagged = run.completions.filter(flags__kind="refusal")
    assert (run.diversities.count(), flagged.count()) == (70, runner.CHUNK_PROMPTS)


def test_a_prompt_whose_first_arm_answers_late_is_marked_with_all_its_candidates(
    factory: Factory, use_engine: Callable[[object], None]
) -> None:
    trouble = [MalformedReply("half a body")]

    def reply(conversation: Conversation, number: int, seed: int) -> str:
        if trouble:
            raise trouble.pop()
        return "The same."

    use_engine(ScriptedEngine(reply))
    run = factory.sampling_run(factory.prompt_set(num_prompts=1), status="queued", num_completions=1)
    run.arms.create(position=1, model=run.arms.get().model, name="Again", num_completions=1)
    runner.sample(claimed(run))
    in_time, late = run.completions.order_by("pk")
    assert [in_time.arm, late.arm] == list(run.arms.order_by("-position"))
    assert late.duplicate_of == in_time


def test_an_engine_that_passes_over_prompts_leaves_no_run_that_looks_whole(
    run: SamplingRun, use_engine: Callable[[object], None]
) -> None:
    class ForgetfulEngine(ScriptedEngine):
        def sample(
            self, conversations: Sequence[Conversation], **wanted: Any
        ) -> Iterator[tuple[int, list[SampledText]]]:
            return (one for one in super().sample(conversations, **wanted) if "What is" not in one[1][0].text)

    use_engine(ForgetfulEngine(numbered))
    with pytest.raises(JobFailed, match="70 prompts came back with neither") as raised:
        runner.sample(claimed(run))
    assert raised.value.failure_kind == "replies-missing"


def test_a_crash_loses_no_more_than_a_chunk(run: SamplingRun, use_engine: Callable[[object], None]) -> None:
    use_engine(FailingEngine(ENGINE_FAILS_AFTER, RuntimeError("a bug")))
    with pytest.raises(RuntimeError, match="a bug"):
        runner.sample(claimed(run))
    assert len(keys(run)) == 2 * runner.CHUNK_PROMPTS


def test_a_run_given_to_another_worker_writes_nothing_more(
    run: SamplingRun, use_engine: Callable[[object], None]
) -> None:
    use_engine(ScriptedEngine(numbered))
    old = claimed(run)
    claimed(run)
    with pytest.raises(jobs.StaleAttempt):
        runner.sample(old)
    assert keys(run) == []


def test_a_cancelled_run_stops_after_its_chunk(run: SamplingRun, use_engine: Callable[[object], None]) -> None:
    def reply(conversation: Conversation, number: int, seed: int) -> str:
        SamplingRun.objects.filter(pk=run.pk).update(is_cancel_requested=True)
        return numbered(conversation, number, seed)

    use_engine(ScriptedEngine(reply))
    with pytest.raises(jobs.JobCancelled):
        runner.sample(claimed(run))
    assert len(keys(run)) == 2 * runner.CHUNK_PROMPTS


def test_only_the_wanted_split_and_number_of_prompts_is_sampled(
    factory: Factory, use_engine: Callable[[object], None]
) -> None:
    use_engine(ScriptedEngine(numbered))
    prompt_set = factory.prompt_set(num_prompts=40, held_out_fraction=0.5)
    held_out = prompt_set.prompts.in_split("held_out", held_out_fraction=0.5)
    run = factory.sampling_run(prompt_set, status="queued", split="held_out")
    SamplingRun.objects.filter(pk=run.pk).update(max_prompts=5)
    runner.sample(claimed(run))
    assert sorted({prompt for prompt, _ in keys(run)}) == [prompt.pk for prompt in held_out[:5]]


def test_equal_replies_end_up_marked(factory: Factory, use_engine: Callable[[object], None]) -> None:
    use_engine(ScriptedEngine(lambda conversation, number, seed: "The same\x00"))
    run = factory.sampling_run(factory.prompt_set(num_prompts=2), status="queued", num_completions=3)
    runner.sample(claimed(run))
    assert run.completions.filter(text="The same\ufffd").count() == 6
    assert run.completions.distinct_texts().count() == 2


def test_an_address_where_nobody_listens_is_a_named_failure(factory: Factory, settings: LazySettings) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{probe.getsockname()[1]}/v1"
    settings.ALLOWED_PRIVATE_HOSTS = ("127.0.0.1",)
    model = factory.model(source="served", endpoint_url=url)
    run = factory.sampling_run(factory.prompt_set(num_prompts=1), models=[model], status="queued")
    with pytest.raises(JobFailed) as raised:
        runner.sample(claimed(run))
    assert raised.value.failure_kind == "EndpointUnreachable"


def test_a_served_model_is_asked_over_http(factory: Factory, settings: LazySettings) -> None:
    settings.ALLOWED_PRIVATE_HOSTS = ("127.0.0.1",)
    with chat_server.chat_server(chat_server.echo) as server:
        model = factory.model(source="served", endpoint_url=server.url)
        run = factory.sampling_run(factory.prompt_set(num_prompts=2), models=[model], status="queued")
        runner.sample(claimed(run))
    prompts = run.prompt_set.prompts.order_by("pk")
    expected = {f"{prompt.last_turn}/{number}" for prompt in prompts for number in (0, 1)}
    assert set(run.completions.values_list("text", flat=True)) == expected


def test_a_model_folder_is_sampled_in_this_process(factory: Factory, tmp_path: Path) -> None:
    tokenizer = tiny_model.build_tokenizer(["What is 1 plus 1?"])
    tiny_model.save(tmp_path, tiny_model.build_model(tokenizer), tokenizer)
    model = factory.model(location=tmp_path)
    run = factory.sampling_run(factory.prompt_set(num_prompts=3), models=[model], status="queued")
    run.arms.update(max_new_tokens=4)
    runner.sample(claimed(run))
    assert Completion.objects.filter(sampling_run=run, num_tokens__lte=4).count() == 6


def test_a_folder_that_has_gone_is_a_named_failure(factory: Factory) -> None:
    run = factory.sampling_run(factory.prompt_set(num_prompts=1), status="queued")
    with pytest.raises(JobFailed, match="there is no folder") as raised:
        runner.sample(claimed(run))
    assert raised.value.failure_kind == "ModelFolderInvalid"


def test_arms_of_one_model_differ_in_system_prompt_and_seed(
    factory: Factory, use_engine: Callable[[object], None]
) -> None:
    asked: list[tuple[str, str, int]] = []

    def reply(conversation: Conversation, number: int, seed: int) -> str:
        asked.append((conversation[0]["content"], conversation[-1]["content"], seed))
        return numbered(conversation, number, seed)

    use_engine(ScriptedEngine(reply))
    run = factory.sampling_run(factory.prompt_set(num_prompts=3), status="queued", num_completions=1)
    arm = run.arms.get()
    SamplingArm.objects.create(run=run, position=1, model=arm.model, name="Brief", system_prompt="Be brief.")
    runner.sample(claimed(run))
    prompts = list(run.prompt_set.prompts.all())
    assert Counter(run.completions.values_list("arm__position", flat=True)) == {0: 3, 1: 12}
    assert {(first, last) for first, last, _ in asked[3:]} == {("Be brief.", prompt.last_turn) for prompt in prompts}
    assert len({seed for _, _, seed in asked}) == 6


def test_another_order_of_prompts_draws_the_same(factory: Factory, use_engine: Callable[[object], None]) -> None:
    use_engine(ScriptedEngine(numbered))
    prompt_set = factory.prompt_set(num_prompts=3)
    texts = []
    for is_resumed in (False, True):
        run = factory.sampling_run(prompt_set, models=[factory.model()], status="queued")
        if is_resumed:  # the first prompt is there already
            factory.sampled(run.arms.get(), prompt_set.prompts.all()[0], index=0, text="by an earlier attempt")
        runner.sample(claimed(run))
        texts.append(run.completions.order_by("prompt", "index").values_list("prompt", "text"))
    assert list(texts[0])[2:] == list(texts[1])[1:]


def test_arms_of_one_model_share_a_server_that_runs_for_them_alone(
    factory: Factory, settings: LazySettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[str] = []

    @contextmanager
    def server_for(model: LanguageModel, *, job: SamplingRun, adapters: list[str]) -> Iterator[ManagedServer]:
        started.append(model.name)
        with chat_server.chat_server(chat_server.echo) as server, subprocess.Popen(["true"]) as process:
            yield ManagedServer(url=server.url, served_name="x", log=Path("/dev/null"), process=process)
        started.append("stopped")

    settings.ALLOWED_PRIVATE_HOSTS = ("127.0.0.1",)
    monkeypatch.setattr(serving, "managed_server", server_for)
    model = factory.model("Tiny")
    run = factory.sampling_run(factory.prompt_set(num_prompts=2), models=[model], status="queued")
    run.arms.create(position=1, model=model, name="Brief", system_prompt="Be brief.", num_completions=1)
    run.arms.update(uses_managed_server=True)
    runner.sample(claimed(run))
    assert started == ["Tiny", "stopped"]
    assert list(run.arms.values_list("engine", flat=True)) == ["vllm", "vllm"]
    assert run.completions.count() == 6


def test_a_server_that_cannot_be_started_fails_its_arm(
    factory: Factory, settings: LazySettings, tmp_path: Path
) -> None:
    settings.VLLM_DIR = tmp_path
    run = factory.sampling_run(factory.prompt_set(num_prompts=1), status="queued")
    run.arms.update(uses_managed_server=True)
    with pytest.raises(JobFailed, match="make vllm") as raised:
        runner.sample(claimed(run))
    assert raised.value.failure_kind == run.arms.get().failure_kind == "vllm-missing"
