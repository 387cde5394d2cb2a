"""Carries out a guard run: verdicts are committed in chunks, and a resumed run asks nothing twice."""

from __future__ import annotations

from collections.abc import Sequence

from core import jobs
from core.jobs import JobFailed
from generation import guard_services as services
from generation.engine_choice import open_engine
from generation.engines.base import Engine, SamplingParameters, storable
from generation.engines.errors import ConversationsFailed, EngineError
from generation.guards.model_guard import guard_conversation, read_guard_reply
from generation.guards.rules import RuleGuard, RuleReading, rules_from_json
from generation.models import Completion, GuardRun, GuardVerdict, Prompt

CHUNK = 64  # items whose verdicts are committed together
MAX_NEW_TOKENS = 48  # "unsafe" and every category
Item = Prompt | Completion


def check(run: GuardRun) -> None:
    """Ask about what has no verdict yet. Raises `JobFailed` with the engine's words."""
    missing: list[Item] = list(
        services.unchecked_prompts(run) if run.prompt_set else services.unchecked_completions(run)
    )
    num_done = run.verdicts.count()
    jobs.beat(run, num_done=num_done, num_total=num_done + len(missing))
    if num_done:  # an earlier attempt may have died before it told of its last flags
        services.tell_of_flagged(run=run)
    if run.guard is None:
        _check_by_rules(run, missing)
        return
    try:
        engine = open_engine(run.guard)
        try:
            _check_by_model(run, engine, missing)
        finally:
            engine.close()
    except EngineError as error:
        raise JobFailed(f"{run.guard}: {error}", failure_kind=type(error).__name__) from error


def _check_by_rules(run: GuardRun, items: Sequence[Item]) -> None:
    guard = RuleGuard(rules_from_json(run.rules))
    for start in range(0, len(items), CHUNK):
        verdicts = []
        for item in items[start : start + CHUNK]:
            found = guard.read(item.text if isinstance(item, Completion) else _whole_text(item))
            verdicts.append(_by_rules(run, item, found))
        services.record_verdicts(run=run, verdicts=verdicts)
        jobs.beat(run)


def _by_rules(run: GuardRun, item: Item, found: RuleReading) -> GuardVerdict:
    """A pattern that took too long leaves open whether there was something to flag."""
    words = "; ".join(f"the pattern {one} took too long and was given up" for one in found.given_up)
    is_flagged = True if found.labels else None if found.given_up else False
    return _verdict(run, item, is_flagged=is_flagged, labels=found.labels, reply=words)


def _check_by_model(run: GuardRun, engine: Engine, items: Sequence[Item]) -> None:
    """What cannot be asked or read is a verdict too: of nothing, with the reason."""
    parameters = SamplingParameters(temperature=0.0, max_new_tokens=MAX_NEW_TOKENS)
    for start in range(0, len(items), CHUNK):
        chunk = items[start : start + CHUNK]
        questions = [_question(item, run.style) for item in chunk]
        verdicts: list[GuardVerdict] = []
        try:
            for index, [reply] in engine.sample(questions, num_completions=1, parameters=parameters):
                verdicts.append(_read(run, chunk[index], reply.text))
        except ConversationsFailed as error:
            verdicts += [_verdict(run, chunk[index], reply=str(why)) for index, why in error.failures.items()]
        services.record_verdicts(run=run, verdicts=verdicts)
        jobs.beat(run)


def _question(item: Item, style: str) -> list[dict[str, str]]:
    if isinstance(item, Completion):
        return guard_conversation(item.prompt.messages, item.text, style)
    return guard_conversation(item.messages, None, style)


def _read(run: GuardRun, item: Item, reply: str) -> GuardVerdict:
    found = read_guard_reply(reply)
    return _verdict(run, item, is_flagged=found.is_flagged, labels=list(found.labels), reply=reply)


def _verdict(
    run: GuardRun, item: Item, *, is_flagged: bool | None = None, labels: Sequence[str] = (), reply: str = ""
) -> GuardVerdict:
    about = {"completion": item} if isinstance(item, Completion) else {"prompt": item}
    return GuardVerdict(run=run, is_flagged=is_flagged, labels=list(labels), reply=storable(reply), **about)


def _whole_text(prompt: Prompt) -> str:
    return "\n".join(str(turn["content"]) for turn in prompt.messages)
