"""Pruned calls: the words go, verdicts and figures stay."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from io import StringIO

import pytest
from django.conf import LazySettings
from django.core.management import call_command
from django.test import Client
from django.utils import timezone

from annotation import judge_report, reply_retention, rereading, runner, services
from annotation.models import JudgeCall, JudgeVerdict, JudgingRun
from core import jobs
from tests.annotation.judge_server import JudgeServer
from tests.factory import Factory
from tests.generation.engines.chat_server import ChatServer, chat_server

OLD = timedelta(days=31)


@pytest.fixture
def judge_server() -> JudgeServer:
    return JudgeServer()


@pytest.fixture
def server(judge_server: JudgeServer, settings: LazySettings) -> Iterator[ChatServer]:
    settings.ALLOWED_PRIVATE_HOSTS = ("127.0.0.1",)
    with chat_server(judge_server.answer) as running:
        yield running


@pytest.fixture
def judged(factory: Factory, server: ChatServer) -> JudgingRun:
    """Two comparisons judged a month ago."""
    campaign = factory.campaign(annotators=[])
    for texts in (("one", "two +"), ("three +", "four")):
        prompt = factory.prompt()
        factory.comparison(campaign, prompt, completions=factory.completions(prompt, texts))
    run = services.start_judging_run(campaign=campaign, annotator=factory.llm_judge(url=server.url))
    jobs.perform(JudgingRun, run.pk, runner.judge)
    run.refresh_from_db()
    JudgeCall.objects.update(created_at=timezone.now() - OLD)
    return run


def test_words_go_and_verdicts_and_figures_stay(judged: JudgingRun) -> None:
    verdicts = list(JudgeVerdict.objects.values("answer", "preference", "margin", "details"))
    costs = list(JudgeCall.objects.order_by("pk").values_list("outcome", "cost", "num_tokens", "latency_ms"))
    report = judge_report.compute(judged.campaign, judged.annotator, judged.version)
    assert reply_retention.prune(30) == 4
    assert not any(call.reply or call.call["messages"] for call in JudgeCall.objects.all())
    assert list(JudgeVerdict.objects.values("answer", "preference", "margin", "details")) == verdicts
    assert list(JudgeCall.objects.order_by("pk").values_list("outcome", "cost", "num_tokens", "latency_ms")) == costs
    after = judge_report.compute(judged.campaign, judged.annotator, judged.version)
    assert (after.cost, after.outcomes, after.num_judged) == (report.cost, report.outcomes, report.num_judged)
    assert reply_retention.prune(30) == 0


def test_reading_again_leaves_what_was_pruned_alone(judged: JudgingRun) -> None:
    answers = list(JudgeVerdict.objects.order_by("pk").values_list("answer", flat=True))
    reply_retention.prune(30)
    assert rereading.reread(judged).num_calls == 0
    assert list(JudgeVerdict.objects.order_by("pk").values_list("answer", flat=True)) == answers


@pytest.mark.parametrize(("is_pruned", "num_asked"), [(False, 1), (True, 2)])
def test_a_pruned_call_serves_no_cache(
    factory: Factory, judged: JudgingRun, judge_server: JudgeServer, is_pruned: bool, num_asked: int
) -> None:
    if is_pruned:
        reply_retention.prune(30)
    campaign = factory.campaign(annotators=[])
    for comparison in judged.campaign.comparisons.all():
        rows = comparison.candidates.order_by("position").select_related("completion")
        factory.comparison(campaign, comparison.prompt, completions=[row.completion for row in rows])
    again = services.start_judging_run(campaign=campaign, annotator=judged.annotator)
    jobs.perform(JudgingRun, again.pk, runner.judge)
    assert set(judge_server.asked.values()) == {num_asked}


def test_young_calls_and_those_of_running_jobs_stay(judged: JudgingRun) -> None:
    assert reply_retention.prune(32) == 0
    JudgingRun.objects.update(status="running")
    assert reply_retention.prune(30) == 0


def test_calls_of_evaluations_are_pruned_too(factory: Factory) -> None:
    factory.llm_evaluation()
    JudgeCall.objects.update(created_at=timezone.now() - OLD)
    assert reply_retention.prune(30) == 1


def test_the_command_says_what_it_would_do_and_does_it(judged: JudgingRun) -> None:
    said = StringIO()
    call_command("prune_judge_replies", "--days", "30", "--dry-run", stdout=said)
    assert JudgeCall.objects.exclude(pruned_at=None).count() == 0
    call_command("prune_judge_replies", "--days", "30", stdout=said)
    assert "4 calls with replies of" in said.getvalue()
    assert "4 calls were pruned." in said.getvalue()


def test_the_page_of_calls_says_that_words_were_pruned(judged: JudgingRun, factory: Factory, client: Client) -> None:
    reply_retention.prune(30)
    client.force_login(factory.alice())
    page = client.get(f"/judging-runs/{judged.pk}/calls/").content.decode()
    assert page.count("Request and reply were pruned on") == 4
