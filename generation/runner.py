"""Carries out a sampling run: what is finished is committed in chunks, and a resumed run repeats nothing.

A prompt that cannot be sampled is recorded with its cause, and does not stop the others; an arm whose model or server
cannot go on is, and the other arms are sampled all the same. Both are tried again as `attempt_policy` says.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager

from django.db import transaction
from django.db.models import F
from django.utils import timezone

from core import jobs
from core.errors import ConcordError
from core.jobs import JobFailed
from generation import serving
from generation.attempt_policy import AttemptPolicy
from generation.candidate_marking import Marking
from generation.engine_choice import open_engine
from generation.engines.base import Engine, SampledText, storable
from generation.engines.errors import ConversationsFailed, EngineError
from generation.models import Completion, LanguageModel, Prompt, SamplingArm, SamplingFailure, SamplingRun
from generation.sampling_plan import arm_conversation, prompt_seed

Finished = tuple[Prompt, list[SampledText]]
CHUNK_PROMPTS = 32  # prompts whose completions are committed together
CHUNK_SECONDS = 10.0  # or those that finished in this time, where that is fewer
FIRST_DELAY = AttemptPolicy.first_delay  # seconds before what failed is tried again
_BEAT_SECONDS = 1.0  # while waiting


def sample(run: SamplingRun) -> None:
    """Sample what is missing of every arm, and mark what is remarkable: most of it while the last arm still samples.

    Raises `JobFailed` with the engine's words if an arm could not go on, or if no prompt at all could be sampled.
    """
    prompts = run.prompt_set.prompts.in_split(run.split, held_out_fraction=run.prompt_set.held_out_fraction)
    prompts = prompts[: run.max_prompts]
    arms = list(run.arms.select_related("model"))
    jobs.beat(run, num_done=_num_done(run), num_total=len(prompts) * len(arms))
    run.arms.update(failure_kind="", error="")
    marking, groups = Marking(run), _sampled_alike(arms)
    for alike in groups:
        _sample_arms(run, alike, prompts, marking if alike is groups[-1] else None)
    marking.finish()
    jobs.beat(run)
    _conclude(run)


def _sampled_alike(arms: Sequence[SamplingArm]) -> list[list[SamplingArm]]:
    """Arms that one loaded model or server can sample one after another, in the order of the first of each."""
    groups: dict[tuple[int, bool], list[SamplingArm]] = {}
    for arm in arms:
        groups.setdefault((arm.model_id, arm.uses_managed_server), []).append(arm)
    return list(groups.values())


def _sample_arms(
    run: SamplingRun, arms: Sequence[SamplingArm], prompts: Sequence[Prompt], marking: Marking | None
) -> None:
    """Until nothing is missing that another attempt might bring. `marking` marks what the last arm is through with."""
    policy = _policy(run)
    for attempt in range(1, policy.max_attempts + 1):
        if not any(_missing(run, arm, prompts) for arm in arms):
            return
        if attempt > 1:
            _wait(run, policy.delay(attempt - 1))
        try:
            with _engine(run, arms) as engine:
                for arm in arms:
                    for prompt_ids in _sample_arm(run, arm, engine, _missing(run, arm, prompts)):
                        if marking and arm is arms[-1]:
                            marking.mark(prompt_ids)
        except (EngineError, ConcordError) as error:
            kind, message = _described(error)
            if policy.gives_up(kind, attempt):
                unfinished = [arm.pk for arm in arms if _missing(run, arm, prompts)]
                run.arms.filter(pk__in=unfinished).update(failure_kind=kind, error=message)
                return
    for arm in arms:
        _check_explained(run, arm, prompts)


def _check_explained(run: SamplingRun, arm: SamplingArm, prompts: Sequence[Prompt]) -> None:
    """An engine that passes over prompts without a word must not leave a run that looks whole."""
    failed = set(arm.failures.values_list("prompt_id", flat=True))
    if unexplained := [prompt for prompt in _missing(run, arm, prompts) if prompt.pk not in failed]:
        words = f"{len(unexplained)} prompts came back with neither replies nor a reason."
        run.arms.filter(pk=arm.pk).update(failure_kind="replies-missing", error=words)


@contextmanager
def _engine(run: SamplingRun, arms: Sequence[SamplingArm]) -> Iterator[Engine]:
    """The engine for the model of arms that are sampled alike, with a server of their own if they want one."""
    model = arms[0].model
    with ExitStack() as stack:
        if arms[0].uses_managed_server:
            adapters = [arm.adapter for arm in arms]
            engine = stack.enter_context(serving.managed_server(model, job=run, adapters=adapters)).engine()
        else:
            engine = open_engine(model)
        stack.callback(engine.close)
        yield engine


def _missing(run: SamplingRun, arm: SamplingArm, prompts: Sequence[Prompt]) -> list[Prompt]:
    """The prompts without completions that have not been given up."""
    policy = _policy(run)
    failed = arm.failures.values_list("prompt_id", "kind", "num_attempts")
    settled = {prompt for prompt, kind, num_attempts in failed if policy.gives_up(kind, num_attempts)}
    settled.update(arm.completions.values_list("prompt_id", flat=True))
    return [prompt for prompt in prompts if prompt.pk not in settled]


def _sample_arm(run: SamplingRun, arm: SamplingArm, engine: Engine, prompts: Sequence[Prompt]) -> Iterator[list[int]]:
    """Yields the prompts whose completions were committed, chunk by chunk."""
    if not prompts:
        return
    run.arms.filter(pk=arm.pk).update(engine=_engine_name(arm))
    replies = engine.sample(
        [arm_conversation(prompt.messages, arm.system_prompt) for prompt in prompts],
        num_completions=arm.num_completions,
        parameters=arm.parameters(),
        seeds=[prompt_seed(run.seed, prompt.fingerprint, arm.position) for prompt in prompts],
    )
    try:
        yield from _commit_in_chunks(run, arm, ((prompts[index], texts) for index, texts in replies))
    except ConversationsFailed as error:
        _record(run, arm, {prompts[index]: reason for index, reason in error.failures.items()})


def _engine_name(arm: SamplingArm) -> SamplingArm.Engine:
    if arm.uses_managed_server:
        return SamplingArm.Engine.VLLM
    is_served = arm.model.source == LanguageModel.Source.SERVED
    return SamplingArm.Engine.ENDPOINT if is_served else SamplingArm.Engine.TRANSFORMERS


def _commit_in_chunks(run: SamplingRun, arm: SamplingArm, finished: Iterable[Finished]) -> Iterator[list[int]]:
    """Yields the prompts of each chunk once it is committed. What was sampled before an error is committed too."""
    chunk: list[Finished] = []
    since = time.monotonic()
    try:
        for prompt_and_texts in finished:
            chunk.append(prompt_and_texts)
            seconds = time.monotonic() - since
            if len(chunk) == CHUNK_PROMPTS or seconds > CHUNK_SECONDS:
                yield _commit(run, arm, chunk, seconds)
                chunk, since = [], since + seconds
    except EngineError:
        yield _commit(run, arm, chunk, time.monotonic() - since)
        raise
    yield _commit(run, arm, chunk, time.monotonic() - since)


def _commit(run: SamplingRun, arm: SamplingArm, finished: list[Finished], seconds: float) -> list[int]:
    """All completions of some prompts at once, provided that this attempt still owns the run."""
    rows = [
        _completion(run, arm, prompt, index, text) for prompt, texts in finished for index, text in enumerate(texts)
    ]
    prompts = [prompt.pk for prompt, _ in finished]
    with transaction.atomic():
        jobs.renew(run, num_done=run.num_done + len(finished))
        Completion.objects.bulk_create(rows)
        arm.failures.filter(prompt__in=prompts).delete()
        run.arms.filter(pk=arm.pk).update(sampling_seconds=F("sampling_seconds") + seconds)
    jobs.beat(run)
    return prompts


def _completion(run: SamplingRun, arm: SamplingArm, prompt: Prompt, index: int, text: SampledText) -> Completion:
    return Completion(
        prompt=prompt,
        origin=Completion.Origin.SAMPLED,
        sampling_run=run,
        arm=arm,
        model=arm.model,
        index=index,
        text=storable(text.text),
        finish_reason=text.finish_reason,
        num_prompt_tokens=text.num_prompt_tokens,
        num_tokens=text.num_tokens,
        latency_ms=text.latency_ms or None,
        model_revision=storable(text.model_revision)[:200],
        seed=prompt_seed(run.seed, prompt.fingerprint, arm.position) + index,
    )


def _record(run: SamplingRun, arm: SamplingArm, failures: Mapping[Prompt, EngineError]) -> None:
    """One row for each prompt that has no completions, with its newest cause."""
    before = dict(arm.failures.values_list("prompt_id", "num_attempts"))
    rows = []
    for prompt, error in failures.items():
        kind, message = _described(error)
        num_attempts = before.get(prompt.pk, 0) + 1
        rows.append(
            SamplingFailure(
                run=run,
                arm=arm,
                prompt=prompt,
                kind=kind,
                message=message,
                num_attempts=num_attempts,
                last_at=timezone.now(),
            )
        )
    with transaction.atomic():
        jobs.renew(run)
        SamplingFailure.objects.bulk_create(
            rows,
            batch_size=1000,
            update_conflicts=True,
            unique_fields=["arm", "prompt"],
            update_fields=["kind", "message", "num_attempts", "last_at"],
        )
    jobs.beat(run, num_done=_num_done(run))


def _num_done(run: SamplingRun) -> int:
    """Prompts of arms that have their completions, or have been given up."""
    policy = _policy(run)
    given_up = sum(policy.gives_up(*failed) for failed in run.failures.values_list("kind", "num_attempts"))
    return int(run.completions.values("prompt_id", "arm_id").distinct().count()) + given_up


def _conclude(run: SamplingRun) -> None:
    """Raises `JobFailed` if the run is not what was asked for, a few failed prompts excepted."""
    broken = list(run.arms.exclude(failure_kind="").select_related("model"))
    if broken:
        words = " ".join(f"{arm}: {arm.error}" for arm in broken)
        raise JobFailed(words, failure_kind=broken[0].failure_kind)
    if run.failures.exists() and not run.completions.exists():
        some = "; ".join(f"prompt {one.prompt_id}: {one.message}" for one in run.failures.all()[:3])
        raise JobFailed(f"No prompt at all was answered ({some}).", failure_kind="prompts-failed")


def _policy(run: SamplingRun) -> AttemptPolicy:
    return AttemptPolicy(max_attempts=run.max_attempts, first_delay=FIRST_DELAY)


def _wait(run: SamplingRun, seconds: float) -> None:
    """Sleep, but notice within a second that the run is to stop."""
    ends_at = time.monotonic() + seconds
    while (left := ends_at - time.monotonic()) > 0:
        jobs.beat(run)
        time.sleep(min(left, _BEAT_SECONDS))


def _described(error: EngineError | ConcordError) -> tuple[str, str]:
    """Its kind and its words, as rows hold them."""
    if isinstance(error, ConcordError):
        return error.kind, storable(error.detail)
    return type(error).__name__, storable(str(error))
