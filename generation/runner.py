"""Carries out a sampling run: what is finished is committed in chunks, and a resumed run repeats nothing."""

from collections.abc import Iterable, Sequence

from django.db import transaction

from core import jobs
from core.jobs import JobFailed
from generation.candidate_marking import mark_candidates
from generation.engine_choice import open_engine
from generation.engines.base import Engine, SampledText, storable
from generation.engines.errors import ConversationsFailed, EngineError
from generation.models import Completion, Prompt, SamplingArm, SamplingRun
from generation.sampling_plan import arm_conversation, prompt_seed

Finished = tuple[Prompt, list[SampledText]]
CHUNK_PROMPTS = 32  # prompts whose completions are committed together


def sample(run: SamplingRun) -> None:
    """Sample what is missing of every arm, then mark what is remarkable. Raises `JobFailed` with the engine's words."""
    prompts = run.prompt_set.prompts.in_split(run.split, held_out_fraction=run.prompt_set.held_out_fraction)
    prompts = prompts[: run.max_prompts]
    arms = list(run.arms.select_related("model"))
    num_done = run.completions.values("prompt_id", "arm_id").distinct().count()
    jobs.beat(run, num_done=num_done, num_total=len(prompts) * len(arms))
    for of_one_model in _by_model(arms):
        _sample_arms(run, of_one_model, prompts)
    mark_candidates(run)
    jobs.beat(run)


def _by_model(arms: Sequence[SamplingArm]) -> list[list[SamplingArm]]:
    """Arms that one loaded model can sample one after another, in the order of the first of each."""
    groups: dict[int, list[SamplingArm]] = {}
    for arm in arms:
        groups.setdefault(arm.model_id, []).append(arm)
    return list(groups.values())


def _sample_arms(run: SamplingRun, arms: Sequence[SamplingArm], prompts: Sequence[Prompt]) -> None:
    """All arms of one model."""
    missing = {arm: _missing(arm, prompts) for arm in arms}
    if not any(missing.values()):
        return
    try:
        engine = open_engine(arms[0].model)
        try:
            for arm in arms:
                _sample_arm(run, arm, engine, missing[arm])
        finally:
            engine.close()
    except EngineError as error:
        raise JobFailed(f"{arms[0].model}: {error}", failure_kind=type(error).__name__) from error


def _missing(arm: SamplingArm, prompts: Sequence[Prompt]) -> list[Prompt]:
    done = set(arm.completions.values_list("prompt_id", flat=True))
    return [prompt for prompt in prompts if prompt.pk not in done]


def _sample_arm(run: SamplingRun, arm: SamplingArm, engine: Engine, prompts: Sequence[Prompt]) -> None:
    replies = engine.sample(
        [arm_conversation(prompt.messages, arm.system_prompt) for prompt in prompts],
        num_completions=arm.num_completions,
        parameters=arm.parameters(),
        seeds=[prompt_seed(run.seed, prompt.fingerprint, arm.position) for prompt in prompts],
    )
    try:
        _commit_in_chunks(run, arm, ((prompts[index], texts) for index, texts in replies))
    except ConversationsFailed as error:
        raise JobFailed(_failures_in_words(arm, prompts, error), failure_kind="prompts-failed") from error


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
            arm=arm,
            model=arm.model,
            index=index,
            text=storable(text.text),
            finish_reason=text.finish_reason,
            num_tokens=text.num_tokens,
            seed=prompt_seed(run.seed, prompt.fingerprint, arm.position) + index,
        )
        for prompt, texts in finished
        for index, text in enumerate(texts)
    ]
    with transaction.atomic():
        jobs.renew(run, num_done=run.num_done + len(finished))
        Completion.objects.bulk_create(rows)
    jobs.beat(run)


def _failures_in_words(arm: SamplingArm, prompts: Sequence[Prompt], error: ConversationsFailed) -> str:
    some = list(error.failures.items())[:3]
    words = "; ".join(f"prompt {prompts[index].pk}: {reason}" for index, reason in some)
    return f"{arm} could not answer {len(error.failures)} of {len(prompts)} prompts ({words})."
