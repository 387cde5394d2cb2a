"""One comparison from end to end: plan, ask, read, ask again, combine. Whoever answers is a function."""

from __future__ import annotations

from collections.abc import Callable

from annotation.judging.calls import Item, JudgeCall, Reply
from annotation.judging.combining import combine
from annotation.judging.outcomes import Judged, Outcome, Verdict
from annotation.judging.planning import plan, retry
from annotation.judging.reading import read
from annotation.judging.spec import JudgeSpec

Source = Callable[[JudgeCall], Reply | None]  # None: this call was never made


def judge_item(spec: JudgeSpec, item: Item, *, source: Source, seed: int = 0) -> Judged:
    """The judgment of one comparison, with as many retries of each call as the judge has. Raises CannotJudge."""
    outcomes: list[tuple[JudgeCall, Outcome]] = []
    for call in plan(spec, item, seed):
        outcomes += ask(call, source=source, num_retries=spec.num_retries)
    return combine(spec, item, outcomes)


def ask(call: JudgeCall, *, source: Source, num_retries: int) -> list[tuple[JudgeCall, Outcome]]:
    """The call and its retries with their outcomes, until one is a verdict; empty if the call was never made."""
    outcomes: list[tuple[JudgeCall, Outcome]] = []
    while (reply := source(call)) is not None:
        outcome = read(call, reply)
        outcomes.append((call, outcome))
        if isinstance(outcome, Verdict) or len(outcomes) > num_retries:
            break
        call = retry(call, outcome)
    return outcomes
