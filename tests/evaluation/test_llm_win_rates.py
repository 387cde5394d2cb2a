"""Win rates by judges with a language model, behind a real HTTP server."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from django.conf import LazySettings

from annotation import judge_versions, services
from annotation import runner as judging_runner
from annotation.models import JudgeCall, JudgingRun
from core import jobs
from core.jobs import JobFailed
from evaluation import runner
from evaluation.models import EvaluationRun, JudgedPair, PairCall
from evaluation.services import EvaluationRefused
from generation.engines.retries import RetryPolicy
from generation.models import Prompt
from tests.annotation.judge_server import JudgeServer
from tests.evaluation.contests import carry_out, start_contest
from tests.factory import Factory
from tests.generation.engines.chat_server import ChatServer, Reply, chat_server

MIXED = [("one", "two +"), ("three", "four +"), ("five +", "six"), ("seven", "eight")]  # won, won, lost, level


@dataclass
class Judging(JudgeServer):
    """A server whose replies about texts with a § end for a reason of their own."""

    marked_finish_reason: str = "stop"

    def answer(self, path: str, body: dict[str, Any]) -> Reply:
        reply = super().answer(path, body)
        if "§" in str(body["messages"]):
            reply.body["choices"][0]["finish_reason"] = self.marked_finish_reason
        return reply


@pytest.fixture
def judge_server() -> Judging:
    return Judging()


@pytest.fixture
def server(judge_server: Judging, settings: LazySettings, monkeypatch: pytest.MonkeyPatch) -> Iterator[ChatServer]:
    settings.ALLOWED_PRIVATE_HOSTS = ("127.0.0.1",)
    monkeypatch.setattr(RetryPolicy, "delay", lambda policy, attempt, retry_after: 0.0)
    with chat_server(judge_server.answer) as running:
        yield running


def values_of(run: EvaluationRun) -> dict[str, tuple[float, int]]:
    """metric → (value, n)."""
    return {result.metric: (result.value, result.num_items) for result in run.results.all()}


def test_each_pair_is_judged_in_both_orders_and_ties_count_half(factory: Factory, server: ChatServer) -> None:
    run = carry_out(start_contest(factory, MIXED, judge=factory.llm_judge(url=server.url)))
    result = run.results.get(metric="win_rate")
    assert result.value == pytest.approx((1 + 1 + 0 + 0.5) / 4)
    assert result.low < result.value < result.high
    assert (result.num_items, result.num_prompts) == (4, 4)
    assert {name: result.details[name] for name in ("wins", "losses", "ties", "unparsed", "refused", "conflict")} == {
        "wins": 2,
        "losses": 1,
        "ties": 1,
        "unparsed": 0,
        "refused": 0,
        "conflict": 0,
    }
    orders = [tuple(call.display_order) for call in JudgeCall.objects.filter(evaluation__pair__run=run)]
    assert sorted(orders) == [(0, 1)] * 4 + [(1, 0)] * 4
    assert (run.num_done, run.num_total) == (4, 4)


def test_flips_position_and_length_are_figures_of_their_own(
    factory: Factory, server: ChatServer, judge_server: Judging
) -> None:
    # Two pairs are decided by their pluses: the reply shown first wins one order each. The third judges by place.
    replies = [("b", "aaaa +"), ("bbbb +", "a"), ("one", "two")]
    judge_server.say = lambda shown: "B" if "+" in shown["B"] else "A"
    run = carry_out(start_contest(factory, replies, judge=factory.llm_judge(url=server.url)))
    assert values_of(run) == {
        "win_rate": (pytest.approx((1 + 0 + 0.5) / 3), 3),
        "no_verdict_rate": (0.0, 3),
        "flip_rate": (pytest.approx(1 / 3), 3),
        "first_place_rate": (pytest.approx((1 + 1 + 2) / 6), 6),
        "longer_preferred": (1.0, 2),
    }
    assert run.results.get(metric="flip_rate").details["opposite_sides"] == 1
    lengths = run.results.get(metric="longer_preferred").details
    assert lengths["mean_characters"] == pytest.approx((6 + 1 + 3) / 3, abs=0.1)
    assert lengths["mean_characters_of_the_baseline"] == pytest.approx((1 + 6 + 3) / 3, abs=0.1)


@pytest.mark.parametrize(
    ("conflict", "outcomes", "num_left_out"),
    [("tie", [1.0, 1.0, 0.5], 0), ("abstain", [1.0, 1.0, None], 1), ("keep_both", [1.0, 1.0, 0.75], 0)],
)
def test_the_conflict_policy_is_the_runs_own(
    factory: Factory,
    server: ChatServer,
    judge_server: Judging,
    conflict: str,
    outcomes: list[float | None],
    num_left_out: int,
) -> None:
    """The last pair is won by the subject in one order and level in the other."""
    replies = [("one", "two +"), ("three", "four +"), ("five", "six §")]
    judge_server.say = lambda shown: "C" if "§" in shown["B"] else "B" if "+" in shown["B"] else "A"
    run = carry_out(start_contest(factory, replies, judge=factory.llm_judge(url=server.url), conflict=conflict))
    assert list(run.pairs.order_by("pk").values_list("outcome", flat=True)) == outcomes
    details = run.results.get(metric="win_rate").details
    assert details["conflict"] == num_left_out
    assert run.pairs.filter(state="conflict").count() == num_left_out


@pytest.mark.parametrize(
    ("said", "finish_reason", "state"),
    [
        ("I'm sorry, but I can't compare these.", "stop", "refused"),
        ("[[A]] and also [[B]]", "stop", "unparsed"),
        ('{"verdict": "A', "length", "truncated"),
    ],
)
def test_what_is_no_verdict_is_counted_apart_and_is_no_tie(
    factory: Factory, server: ChatServer, judge_server: Judging, said: str, finish_reason: str, state: str
) -> None:
    def say(shown: dict[str, str]) -> str:
        verdict = {"reasoning": "", "verdict": "B" if "+" in shown["B"] else "A"}
        return said if "§" in "".join(shown.values()) else json.dumps(verdict)

    judge_server.say, judge_server.marked_finish_reason = say, finish_reason
    replies = [("one", "two +"), ("three", "four +"), ("five", "six §")]
    judge = factory.llm_judge(url=server.url, protocol="pairwise_reasoning")
    run = carry_out(start_contest(factory, replies, judge=judge))
    assert list(run.pairs.order_by("pk").values_list("state", "outcome")) == [
        ("judged", 1.0),
        ("judged", 1.0),
        (state, None),
    ]
    assert f"6 {state}" in run.pairs.get(state=state).reason
    win_rate = run.results.get(metric="win_rate")
    assert (win_rate.value, win_rate.num_items, win_rate.details[state]) == (1.0, 2, 1)
    assert run.results.get(metric="no_verdict_rate").value == pytest.approx(1 / 3)


def test_a_judge_that_says_nothing_readable_gives_no_win_rate(
    factory: Factory, server: ChatServer, judge_server: Judging
) -> None:
    judge_server.say = lambda replies: "hm"
    held = jobs.claim(EvaluationRun, start_contest(factory, MIXED, judge=factory.llm_judge(url=server.url)).pk)
    assert held is not None
    with pytest.raises(JobFailed, match=r"nothing was compared \(4 unparsed\)") as raised:
        runner.evaluate(held)
    assert raised.value.failure_kind == "too-few-prompts"
    assert set(held.pairs.values_list("state", flat=True)) == {"unparsed"}


def test_the_same_evaluation_twice_asks_once_and_gives_the_same_table(
    factory: Factory, server: ChatServer, judge_server: Judging
) -> None:
    judge = factory.llm_judge(url=server.url)
    first = carry_out(start_contest(factory, MIXED, judge=judge))
    again = EvaluationRun.objects.get(pk=first.pk)
    again.pk, again.name, again.status = None, "Again", "queued"
    again.save()
    again.subjects.set(first.subjects.all())
    second = carry_out(again)
    columns = ("metric", "value", "low", "high", "num_items", "details")
    assert list(second.results.values_list(*columns)) == list(first.results.values_list(*columns))
    assert set(judge_server.asked.values()) == {1}
    copies = JudgeCall.objects.filter(evaluation__pair__run=second)
    assert copies.count() == 8
    assert not copies.filter(cached_from=None).exists()


def test_what_a_campaign_asked_is_not_asked_again_by_an_evaluation(
    factory: Factory, server: ChatServer, judge_server: Judging
) -> None:
    judge = factory.llm_judge(url=server.url)
    evaluation = start_contest(factory, MIXED, judge=judge)
    campaign = factory.campaign(annotators=[])
    for prompt in Prompt.objects.filter(completions__sampling_run=evaluation.sampling_run).distinct():
        factory.comparison(campaign, prompt, completions=list(prompt.completions.order_by("-model__name")))
    judging = services.start_judging_run(campaign=campaign, annotator=judge)
    jobs.perform(JudgingRun, judging.pk, judging_runner.judge)
    num_asked = sum(judge_server.asked.values())
    carry_out(evaluation)
    assert (num_asked, sum(judge_server.asked.values())) == (8, 8)


def test_a_second_attempt_asks_only_for_what_the_first_has_not_understood(
    factory: Factory, server: ChatServer, judge_server: Judging
) -> None:
    run = start_contest(factory, MIXED, judge=factory.llm_judge(url=server.url))
    carry_out(run)
    last = run.pairs.latest("pk")
    JudgedPair.objects.filter(pk=last.pk).update(state="waiting", outcome=None)
    JudgeCall.objects.filter(evaluation__pair=last).earliest("pk").delete()
    EvaluationRun.objects.filter(pk=run.pk).update(status="queued")
    carry_out(run)
    assert sum(judge_server.asked.values()) == 9
    assert PairCall.objects.filter(pair__run=run).count() == 8
    assert not run.pairs.filter(state="waiting").exists()


def test_an_endpoint_that_is_down_fails_the_run_with_the_engines_words(factory: Factory) -> None:
    held = jobs.claim(
        EvaluationRun, start_contest(factory, MIXED, judge=factory.llm_judge(url="http://10.0.0.1/v1")).pk
    )
    assert held is not None
    with pytest.raises(Exception, match=r"10\.0\.0\.1"):
        runner.evaluate(held)


# What is refused


def test_a_judge_is_named_by_itself_or_by_its_version(factory: Factory) -> None:
    judge = factory.llm_judge(conflict="abstain")
    old = judge.versions.get()
    new = judge_versions.add_version(judge=judge, model=old.model, parameters={"conflict": "tie"})
    by_judge = start_contest(factory, MIXED, judge=judge)
    assert (by_judge.judge_version, by_judge.conflict) == (new, "tie")


def test_an_older_version_judges_with_its_own_policy(factory: Factory) -> None:
    judge = factory.llm_judge(conflict="abstain")
    old = judge.versions.get()
    judge_versions.add_version(judge=judge, model=old.model, parameters={"conflict": "tie"})
    run = start_contest(factory, MIXED, judge_version=old)
    assert (run.judge, run.judge_version, run.conflict) == (judge, old, "abstain")


def test_versions_and_policies_that_do_not_fit_are_refused(factory: Factory) -> None:
    judge, other = factory.llm_judge(), factory.llm_judge()
    with pytest.raises(EvaluationRefused, match="is no version of"):
        start_contest(factory, MIXED, judge=judge, judge_version=other.versions.get())


def test_a_panel_is_refused_and_its_members_named_instead(factory: Factory) -> None:
    panel = judge_versions.create_panel(
        workspace=factory.workspace(), name="Panel", members=[factory.llm_judge(), factory.llm_judge()]
    )
    with pytest.raises(EvaluationRefused, match="each of its members"):
        start_contest(factory, MIXED, judge=panel)


def test_a_scripted_judge_has_no_conflict_policy_to_choose(factory: Factory) -> None:
    with pytest.raises(EvaluationRefused, match="judges with a language model"):
        start_contest(factory, MIXED, judge=factory.judge(), conflict="tie")


def test_an_unknown_conflict_policy_is_refused(factory: Factory) -> None:
    with pytest.raises(EvaluationRefused, match="conflict must be one of tie, abstain"):
        start_contest(factory, MIXED, judge=factory.llm_judge(), conflict="fight")
