"""Asking a judge's model: from the cache where the same request was understood before, otherwise from the engine.

Every reply is stored word for word before anything is made of it, in batches, so that a killed worker loses a batch at
most and a resumed run asks nothing again that was understood.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from decimal import Decimal
from math import isfinite
from typing import Any

from django.db import transaction

from annotation import judging
from annotation.call_logs import Asked, CallLog
from annotation.judging import Outcome, Refused, TextReply, Truncated, Unparsed, Verdict
from annotation.judging.calls import ReplyToken
from annotation.judging.canonical import content_hash
from annotation.models import JudgeCall, JudgeVersion
from core import jobs
from core.jobs import JobFailed
from core.models import Job
from generation import serving
from generation.engine_choice import open_engine
from generation.engines.base import Engine, SampledText, SamplingParameters, storable
from generation.engines.errors import (
    ChoiceIgnored,
    ConversationsFailed,
    EngineError,
    ParametersUnsupported,
    ReplyWithheld,
)

BATCH = 32  # replies that are committed together
OUTCOMES = {Verdict: "verdict", Unparsed: "unparsed", Refused: "refused", Truncated: "truncated"}
SCHEMA_IGNORED = "The server did not hold the model to the JSON schema; the reply was read as free text."
MILLION = Decimal(1_000_000)


class Asker:
    """Asks one version of a judge within one job."""

    def __init__(self, calls: CallLog, version: JudgeVersion, engine: Engine) -> None:
        self._log, self._version, self._engine = calls, version, engine
        self._revision = newest_revision(version)
        self._holds_to_schemas = self._holds_to_choices = True

    def ask(self, asked: Sequence[Asked], *, on_batch: Callable[[], object] = lambda: None) -> list[JudgeCall]:
        """The stored row of each call; `outcome_of` reads it.

        `on_batch` is called after every commit. Raises `JobFailed` with the engine's words if nothing can be asked.
        """
        found: dict[int, JudgeCall] = self._from_cache(asked)
        missing = [place for place in range(len(asked)) if place not in found]
        firsts = {asked[place].call.key: place for place in reversed(missing)}  # the same request is made once
        for rows in self._batches(asked, sorted(firsts.values())):
            self._commit([(asked[place], row) for place, row in rows])
            found |= dict(rows)
            on_batch()
        found |= self._from_cache([asked[place] for place in missing], missing)
        rest = [place for place in missing if place not in found]  # their first one was no verdict: ask each for itself
        for rows in self._batches(asked, rest):
            self._commit([(asked[place], row) for place, row in rows])
            found |= dict(rows)
            on_batch()
        return [found[place] for place in range(len(asked))]

    def _from_cache(self, asked: Sequence[Asked], places: Sequence[int] | None = None) -> dict[int, JudgeCall]:
        """place → the row of a call whose very request was understood before, by this job or an earlier one."""
        numbers = list(range(len(asked))) if places is None else list(places)
        keys = {number: self._key(one.call, self._revision) for number, one in zip(numbers, asked, strict=True)}
        rows = JudgeCall.objects.filter(
            key__in=set(keys.values()),
            outcome=JudgeCall.Outcome.VERDICT,
            pruned_at=None,
            version__judge__workspace=self._version.judge.workspace_id,
        )
        known = list(rows.order_by("-pk"))
        oldest = {row.key: row for row in known}
        owners = self._log.owners(known)
        own: dict[tuple[object, ...], JudgeCall] = {
            (row.key, *owners[row.pk], *_place(judging.JudgeCall.from_json(row.call))): row
            for row in reversed(known)
            if row.pk in owners
        }
        found: dict[int, JudgeCall] = {}
        copies: dict[int, JudgeCall] = {}
        for number, one in zip(numbers, asked, strict=True):
            mine = own.get((keys[number], one.comparison, one.purpose, *_place(one.call)))
            if mine is not None:
                found[number] = mine
            elif keys[number] in oldest:
                copies[number] = self._copy(oldest[keys[number]], one)
        if copies:
            self._commit(
                [(one, copies[number]) for number, one in zip(numbers, asked, strict=True) if number in copies]
            )
        return found | copies

    def _copy(self, row: JudgeCall, one: Asked) -> JudgeCall:
        """A call that cost nothing: the same request was answered before."""
        return JudgeCall(
            **self._columns(one),
            key=row.key,
            model_revision=row.model_revision,
            reply=row.reply,
            finish_reason=row.finish_reason,
            logprobs=row.logprobs,
            num_prompt_tokens=row.num_prompt_tokens,
            num_tokens=row.num_tokens,
            cost=0,
            cached_from_id=row.cached_from_id or row.pk,
            **read(one.call, reply_of(row)),
        )

    def _batches(self, asked: Sequence[Asked], places: Sequence[int]) -> Iterator[list[tuple[int, JudgeCall]]]:
        """Rows as the replies come, in lists of `BATCH`; what came before an error is given out before it is raised."""
        batch: list[tuple[int, JudgeCall]] = []
        try:
            for alike in _alike(asked, places):
                for place, row in self._rows(asked, alike):
                    batch.append((place, row))
                    if len(batch) == BATCH:
                        yield batch
                        batch = []
        except EngineError as error:
            if batch:
                yield batch
            raise JobFailed(f"{self._version.model}: {error}", failure_kind=type(error).__name__) from error
        if batch:
            yield batch

    def _rows(self, asked: Sequence[Asked], places: Sequence[int]) -> Iterator[tuple[int, JudgeCall]]:
        """One row for each place; requests that fail by themselves become rows without a reply."""
        calls = [asked[place].call for place in places]
        try:
            for index, text in self._sampled(calls):
                yield places[index], self._replied(asked[places[index]], text)
        except ConversationsFailed as error:
            for index, reason in error.failures.items():
                if isinstance(reason, ChoiceIgnored) and not calls[index].num_logprobs:
                    self._holds_to_choices = False  # retries are read as free text
                yield places[index], self._failed(asked[places[index]], reason)

    def _sampled(self, calls: Sequence[judging.JudgeCall]) -> Iterator[tuple[int, SampledText]]:
        """Replies to calls with the same parameters; without their schema where the engine knows none."""
        messages, seeds = [call.messages for call in calls], [call.seed for call in calls]
        try:
            replies = self._engine.sample(
                messages, num_completions=1, parameters=self._parameters(calls[0]), seeds=seeds
            )
            for index, [text] in replies:
                yield index, text
        except ParametersUnsupported:
            if calls[0].json_schema is None or not self._holds_to_schemas:
                raise
            self._holds_to_schemas = False
            yield from self._sampled(calls)

    def _parameters(self, call: judging.JudgeCall) -> SamplingParameters:
        return SamplingParameters(
            temperature=call.temperature,
            top_p=call.top_p,
            max_new_tokens=call.max_new_tokens,
            json_schema=call.json_schema if self._holds_to_schemas else None,
            choices=call.choices if self._holds_to_choices or call.num_logprobs else (),
            num_logprobs=call.num_logprobs,
            adapter=self._version.adapter,
        )

    def _replied(self, one: Asked, text: SampledText) -> JudgeCall:
        row = JudgeCall(
            **self._columns(one),
            key=self._key(one.call, text.model_revision),
            model_revision=text.model_revision[:300],
            reply=storable(text.text),
            finish_reason=text.finish_reason,
            logprobs=[
                {
                    "token": storable(token.token),
                    "logprob": token.logprob,
                    "top": {storable(name): value for name, value in token.top.items() if isfinite(value)},
                }
                for token in text.logprobs
                if isfinite(token.logprob)
            ],
            num_prompt_tokens=text.num_prompt_tokens,
            num_tokens=text.num_tokens,
            latency_ms=text.latency_ms,
            cost=cost_of(self._version, text.num_prompt_tokens, text.num_tokens),
        )
        for name, value in read(one.call, reply_of(row)).items():
            setattr(row, name, value)
        if text.follows_schema is False and not row.reason:
            row.reason = SCHEMA_IGNORED
        self._revision = row.model_revision
        return row

    def _failed(self, one: Asked, error: EngineError) -> JudgeCall:
        """A request without a reply. What a filter kept back is a refusal, what is none of the choices is unparsed."""
        kinds = {ReplyWithheld: JudgeCall.Outcome.REFUSED, ChoiceIgnored: JudgeCall.Outcome.UNPARSED}
        return JudgeCall(
            **self._columns(one),
            key=self._key(one.call, self._revision),
            outcome=kinds.get(type(error), JudgeCall.Outcome.FAILED),
            reason=storable(f"{type(error).__name__}: {error}")[:2000],
        )

    def _columns(self, one: Asked) -> dict[str, Any]:
        return {
            **self._log.columns(one),
            "version": self._version,
            "call": one.call.to_json(),
            "seed": one.call.seed,
            "display_order": list(one.call.display_order),
            "attempt": one.call.attempt,
        }

    def _key(self, call: judging.JudgeCall, revision: str) -> str:
        model = self._version.model
        name = f"{model.endpoint_url} {model.location}"
        return judging.cache_key(call, model=name, model_revision=revision[:300], adapter=self._version.adapter)

    def _commit(self, given: Sequence[tuple[Asked, JudgeCall]]) -> None:
        with transaction.atomic():
            jobs.renew(self._log.job)
            self._log.store(given)
        jobs.beat(self._log.job)


@contextmanager
def opened(version: JudgeVersion, *, server_for: Job | None = None) -> Iterator[Engine]:
    """The engine of the version's model, with a vLLM server of its own if a job is named that wants one.

    Raises `JobFailed` with the engine's words, what the guard refuses, or what `serving.managed_server` raises.
    """
    with ExitStack() as stack:
        try:
            if server_for is None:
                engine = open_engine(version.model)
            else:
                server = serving.managed_server(version.model, job=server_for, adapters=[version.adapter])
                engine = stack.enter_context(server).engine()
        except EngineError as error:
            raise JobFailed(f"{version.model}: {error}", failure_kind=type(error).__name__) from error
        stack.callback(engine.close)
        yield engine


def newest_revision(version: JudgeVersion) -> str:
    """What the model last said that it is; a reply that says otherwise is kept under its own name."""
    rows = JudgeCall.objects.filter(version__model=version.model_id, cached_from=None).exclude(finish_reason="")
    return rows.order_by("-pk").values_list("model_revision", flat=True).first() or ""


def cost_of(version: JudgeVersion, num_prompt_tokens: int, num_tokens: int) -> Decimal | None:
    """In the currency of the version's prices; None where it has none."""
    if version.prompt_price is None or version.reply_price is None:
        return None
    return (version.prompt_price * num_prompt_tokens + version.reply_price * num_tokens) / MILLION


def reply_of(row: JudgeCall) -> TextReply:
    """The stored reply, as reading wants it."""
    tokens = tuple(ReplyToken(**token) for token in row.logprobs)
    return TextReply(text=row.reply, finish_reason=row.finish_reason, logprobs=tokens)


def read(call: judging.JudgeCall, reply: TextReply) -> dict[str, str]:
    """The columns that say how a reply is understood."""
    outcome = judging.read(call, reply)
    reason = "" if isinstance(outcome, Verdict) else outcome.reason
    return {"outcome": OUTCOMES[type(outcome)], "reason": storable(reason)}


def outcome_of(row: JudgeCall) -> Outcome | None:
    """What a stored call came to; None for a request that went wrong."""
    if row.finish_reason:
        return judging.read(judging.JudgeCall.from_json(row.call), reply_of(row))
    if row.outcome == JudgeCall.Outcome.REFUSED:
        return Refused(reason=row.reason)
    return Unparsed(reason=row.reason) if row.outcome == JudgeCall.Outcome.UNPARSED else None


def _place(call: judging.JudgeCall) -> tuple[object, ...]:
    """What a call is for; two replies with the same words are asked about twice in one request's words."""
    return call.display_order, call.round, call.part, call.sample


def _alike(asked: Sequence[Asked], places: Sequence[int]) -> list[list[int]]:
    """Places by what is sent beside the messages: an engine takes one set of parameters at a time."""
    groups: dict[str, list[int]] = {}
    for place in places:
        call = asked[place].call
        sent = (call.json_schema, call.choices, call.num_logprobs, call.max_new_tokens, call.temperature, call.top_p)
        groups.setdefault(content_hash(list(sent)), []).append(place)
    return list(groups.values())
