"""Carries out a revision run: rounds are committed in chunks, and a resumed run repeats none."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from django.db import transaction

from core import jobs
from core.jobs import JobFailed
from generation.constitutions.principles import Principle, drawn_principles, principles_from_json
from generation.constitutions.rounds import Conversation, critique_conversation, revision_conversation
from generation.engine_choice import open_engine
from generation.engines.base import Engine, SampledText, SamplingParameters, storable
from generation.engines.errors import ConversationsFailed, EngineError
from generation.models import Completion, Revision, RevisionRun

CHUNK = 32  # replies whose round is committed together


@dataclass(frozen=True, kw_only=True)
class Round:
    """The next round of one reply."""

    original: Completion
    current: Completion  # the reply as the rounds before left it
    step: int
    principle: Principle


def revise(run: RevisionRun) -> None:
    """Every missing round, step by step. Raises `JobFailed` with the engine's words."""
    originals = originals_of(run)
    plans = {original.pk: _principles(run, original) for original in originals}
    jobs.beat(run, num_done=run.revisions.count(), num_total=sum(map(len, plans.values())))
    failures: dict[int, str] = {}
    try:
        engine = open_engine(run.model)
        try:
            for step in range(max(map(len, plans.values()), default=0)):
                rounds = _rounds(run, [one for one in originals if one.pk not in failures], plans, step)
                for start in range(0, len(rounds), CHUNK):
                    failures |= _carry_out(run, engine, rounds[start : start + CHUNK])
        finally:
            engine.close()
    except EngineError as error:
        raise JobFailed(f"{run.model}: {error}", failure_kind=type(error).__name__) from error
    if failures:
        some = "; ".join(f"completion {pk}: {reason}" for pk, reason in list(failures.items())[:3])
        raise JobFailed(
            f"{run.model} could not revise {len(failures)} of {len(originals)} replies ({some}).",
            failure_kind="revisions-failed",
        )


def originals_of(run: RevisionRun) -> list[Completion]:
    """The first `num_per_prompt` completions of each prompt that say something and repeat no other."""
    rows = run.sampling_run.completions.distinct_texts().exclude(text="").select_related("prompt")
    seen: Counter[int] = Counter()
    kept = []
    for completion in rows.order_by("prompt_id", "pk"):
        seen[completion.prompt_id] += 1
        if seen[completion.prompt_id] <= run.num_per_prompt:
            kept.append(completion)
    return kept


def _principles(run: RevisionRun, original: Completion) -> list[Principle]:
    principles = principles_from_json(run.version.principles)
    return drawn_principles(principles, number=run.num_principles, seed=run.seed, key=original.pk)


def _rounds(
    run: RevisionRun, originals: Sequence[Completion], plans: dict[int, list[Principle]], step: int
) -> list[Round]:
    """The rounds of this step that are missing, of replies whose rounds before are there."""
    done = run.revisions.filter(step=step).values_list("original_id", flat=True)
    before = run.revisions.filter(step=step - 1).select_related("completion")
    current = {revision.original_id: revision.completion for revision in before} if step else {}
    finished = set(done)
    return [
        Round(
            original=original,
            current=current.get(original.pk, original),
            step=step,
            principle=plans[original.pk][step],
        )
        for original in originals
        if original.pk not in finished and step < len(plans[original.pk]) and (not step or original.pk in current)
    ]


def _carry_out(run: RevisionRun, engine: Engine, rounds: Sequence[Round]) -> dict[int, str]:
    """Critiques, then revisions, then one commit; returns why some originals failed."""
    asked = [critique_conversation(one.original.prompt.messages, one.current.text, one.principle) for one in rounds]
    critiques, failures = _sample(run, engine, rounds, asked)
    criticised = [one for one in rounds if one.original.pk in critiques]
    again = [
        revision_conversation(
            one.original.prompt.messages, one.current.text, one.principle, critiques[one.original.pk].text
        )
        for one in criticised
    ]
    revised, failed = _sample(run, engine, criticised, again)
    _commit(run, [one for one in criticised if one.original.pk in revised], critiques, revised)
    return failures | failed


def _sample(
    run: RevisionRun, engine: Engine, rounds: Sequence[Round], asked: Sequence[Conversation]
) -> tuple[dict[int, SampledText], dict[int, str]]:
    """Replies, and reasons where there is none, by the original's id. A reply without text is none."""
    parameters = SamplingParameters(temperature=run.temperature, max_new_tokens=run.max_new_tokens, seed=run.seed)
    replies: dict[int, SampledText] = {}
    failures: dict[int, str] = {}
    try:
        for index, [text] in engine.sample(asked, num_completions=1, parameters=parameters):
            replies[rounds[index].original.pk] = text
    except ConversationsFailed as error:
        failures = {rounds[index].original.pk: str(reason) for index, reason in error.failures.items()}
    for pk in [pk for pk, text in replies.items() if not text.text.strip()]:
        del replies[pk]
        failures[pk] = "the model said nothing"
    return replies, failures


def _commit(
    run: RevisionRun,
    rounds: Sequence[Round],
    critiques: dict[int, SampledText],
    revised: dict[int, SampledText],
) -> None:
    """The new completions with their links to what they were made from."""
    with transaction.atomic():
        jobs.renew(run, num_done=run.num_done + len(rounds))
        completions = Completion.objects.bulk_create(
            [_completion(run, one, revised[one.original.pk]) for one in rounds]
        )
        Revision.objects.bulk_create(
            [
                Revision(
                    run=run,
                    original=one.original,
                    parent=one.current,
                    completion=completion,
                    step=one.step,
                    principle=one.principle.name,
                    critique=storable(critiques[one.original.pk].text),
                )
                for one, completion in zip(rounds, completions, strict=True)
            ]
        )
    jobs.beat(run)


def _completion(run: RevisionRun, one: Round, text: SampledText) -> Completion:
    return Completion(
        prompt=one.original.prompt,
        origin=Completion.Origin.REVISED,
        model=run.model,
        index=one.step,
        text=storable(text.text).strip(),
        finish_reason=text.finish_reason,
        num_tokens=text.num_tokens,
        seed=run.seed,
    )
