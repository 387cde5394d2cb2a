"""Carries out a sampling run: what is finished is committed in chunks, and a resumed run repeats nothing."""

from collections.abc import Iterable

from django.db import transaction

from core import jobs
from core.jobs import JobFailed
from generation.candidate_marking import mark_candidates
from generation.engine_choice import open_engine
from generation.engines.base import SampledText, SamplingParameters
from generation.engines.errors import ConversationsFailed, EngineError
from generation.models import Completion, Prompt, SamplingArm, SamplingRun

Finished = tuple[Prompt, list[SampledText]]
CHUNK_PROMPTS = 32  # prompts whose completions are committed together


def sample(run: SamplingRun) -> None:
    """Sample what is missing of every arm, then mark what is remarkable. Raises `JobFailed` with the engine's words."""
    prompts = run.prompt_set.prompts.in_split(run.split, held_out_fraction=run.prompt_set.held_out_fraction)
    prompts = prompts[: run.max_prompts]
    arms = list(run.arms.select_related("model"))
    num_done = run.completions.values("prompt_id", "model_id").distinct().count()
    jobs.beat(run, num_done=num_done, num_total=len(prompts) * len(arms))
    for arm in arms:
        _sample_arm(run, arm, prompts)
    mark_candidates(run)
    jobs.beat(run)


def _sample_arm(run: SamplingRun, arm: SamplingArm, prompts: list[Prompt]) -> None:
    done = set(run.completions.filter(model=arm.model).values_list("prompt_id", flat=True))
    missing = [prompt for prompt in prompts if prompt.pk not in done]
    if not missing:
        return
    parameters = SamplingParameters(
        temperature=arm.temperature, top_p=arm.top_p, max_new_tokens=arm.max_new_tokens, seed=run.seed
    )
    try:
        engine = open_engine(arm.model)
        try:
            replies = engine.sample(
                [prompt.messages for prompt in missing], num_completions=arm.num_completions, parameters=parameters
            )
            _commit_in_chunks(run, arm, ((missing[index], texts) for index, texts in replies))
        finally:
            engine.close()
    except ConversationsFailed as error:
        raise JobFailed(_failures_in_words(arm, missing, error), failure_kind="prompts-failed") from error
    except EngineError as error:
        raise JobFailed(f"{arm.model}: {error}", failure_kind=type(error).__name__) from error


def _commit_in_chunks(run: SamplingRun, arm: SamplingArm, finished: Iterable[Finished]) -> None:
    """What was sampled before an error is committed too."""
    chunk: list[Finished] = []
    try:
        for prompt_and_texts in finished:
            chunk.append(prompt_and_texts)
            if len(chunk) == CHUNK_PROMPTS:
                _commit(run, arm, chunk)
                chunk = []
    except EngineError:
        _commit(run, arm, chunk)
        raise
    _commit(run, arm, chunk)


def _commit(run: SamplingRun, arm: SamplingArm, finished: list[Finished]) -> None:
    """All completions of some prompts at once, provided that this attempt still owns the run."""
    rows = [
        Completion(
            prompt=prompt,
            origin=Completion.Origin.SAMPLED,
            sampling_run=run,
            model=arm.model,
            index=index,
            text=text.text.replace("\x00", ""),
            finish_reason=text.finish_reason,
            num_tokens=text.num_tokens,
            seed=run.seed,
        )
        for prompt, texts in finished
        for index, text in enumerate(texts)
    ]
    with transaction.atomic():
        jobs.renew(run, num_done=run.num_done + len(finished))
        Completion.objects.bulk_create(rows)
    jobs.beat(run)


def _failures_in_words(arm: SamplingArm, prompts: list[Prompt], error: ConversationsFailed) -> str:
    some = list(error.failures.items())[:3]
    words = "; ".join(f"prompt {prompts[index].pk}: {reason}" for index, reason in some)
    return f"{arm.model} could not answer {len(error.failures)} of {len(prompts)} prompts ({words})."
