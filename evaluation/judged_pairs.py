"""Asking an evaluation's judge about pairs of completions, in chunks; a resumed run asks nothing again."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, cast

from django.db import transaction

from annotation.call_logs import Asked, Owner
from annotation.judge_calls import Asker
from annotation.judge_items import Work
from annotation.judges import spec_of
from annotation.judging import Item, Judged
from annotation.llm_judging import judge_all
from annotation.models import JudgeCall
from core import jobs
from evaluation.judge_engines import judge_engine
from evaluation.models import EvaluationRun, JudgedPair, PairCall
from evaluation.pair_verdicts import PAIRWISE, outcome_of, spec_in_both_orders, state_of
from generation.models import Completion, LanguageModel

CHUNK = 64  # pairs that are judged and stored together: their two orders keep 128 requests in flight
Completions = dict[tuple[int, int], Completion]  # (prompt, index) → completion


@dataclass(frozen=True)
class EvaluationLog:
    """The calls of an evaluation: each belongs to a pair."""

    job: EvaluationRun

    def columns(self, one: Asked) -> dict[str, Any]:
        return {"purpose": one.purpose}

    def owners(self, rows: Sequence[JudgeCall]) -> dict[int, Owner]:
        purposes = {row.pk: row.purpose for row in rows}
        links = PairCall.objects.filter(pair__run=self.job, call__in=purposes).values_list("call_id", "pair_id")
        return {call: (pair, purposes[call]) for call, pair in links}

    def store(self, given: Sequence[tuple[Asked, JudgeCall]]) -> None:
        JudgeCall.objects.bulk_create([row for _, row in given])
        PairCall.objects.bulk_create(PairCall(pair_id=cast(int, one.comparison), call=row) for one, row in given)


def add_pairs(run: EvaluationRun, subject: LanguageModel, ours: Completions, theirs: Completions) -> None:
    """A waiting pair for every prompt and index that both models have; those that are there stay as they are."""
    JudgedPair.objects.bulk_create(
        (
            JudgedPair(run=run, subject=subject, ours=ours[key], theirs=theirs[key])
            for key in sorted(ours.keys() & theirs.keys())
        ),
        ignore_conflicts=True,
    )


def judge_pairs(run: EvaluationRun) -> None:
    """Judge every waiting pair in both orders. Raises `JobFailed` with the engine's words."""
    rows = run.pairs.select_related("ours__prompt", "theirs").order_by("pk")
    waiting = list(rows.filter(state=JudgedPair.State.WAITING))
    num_pairs = run.pairs.count()
    jobs.beat(run, num_done=num_pairs - len(waiting), num_total=num_pairs)
    if not waiting:
        return
    assert run.judge_version is not None  # noqa: S101 -- scripted judges make no pairs
    spec = spec_in_both_orders(spec_of(run.judge_version), run.conflict)
    with judge_engine(run) as engine:
        asker = Asker(EvaluationLog(run), run.judge_version, engine)
        for start in range(0, len(waiting), CHUNK):
            chunk = waiting[start : start + CHUNK]
            _store(run, chunk, judge_all(asker, spec, [_work(pair) for pair in chunk]))


def _work(pair: JudgedPair) -> Work:
    prompt = pair.ours.prompt
    item = Item(
        prompt=tuple(prompt.messages),
        texts=(pair.ours.text, pair.theirs.text),
        question=PAIRWISE,
        reference=prompt.reference or None,
    )
    return Work(comparison=pair.pk, item=item)


def _store(run: EvaluationRun, pairs: Sequence[JudgedPair], judged: Iterable[Judged]) -> None:
    calls = _calls_of(pairs)
    for pair, found in zip(pairs, judged, strict=True):
        pair.outcome = outcome_of(found, run.conflict)
        pair.state = state_of(found, pair.outcome, calls[pair.pk])
        pair.is_flipped = found.flipped
        pair.reason = "" if pair.outcome is not None else (found.reason or "the two orders disagree")[:500]
        pair.details = found.to_json()
    with transaction.atomic():
        jobs.renew(run, num_done=run.num_done + len(pairs))
        JudgedPair.objects.bulk_update(pairs, ["outcome", "state", "is_flipped", "reason", "details"])
    jobs.beat(run)


def _calls_of(pairs: Sequence[JudgedPair]) -> dict[int, list[JudgeCall]]:
    """pair → its calls in the order they were made."""
    found: dict[int, list[JudgeCall]] = defaultdict(list)
    for link in PairCall.objects.filter(pair__in=pairs).select_related("call").order_by("call_id"):
        found[link.pair_id].append(link.call)
    return found
