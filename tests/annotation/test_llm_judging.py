"""Judges with a language model behind a real HTTP server: slots in, judgments with soft labels out."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from io import StringIO
from typing import Any

import pytest
from django.conf import LazySettings
from django.core.management import call_command

from annotation import judge_calls, judge_versions, llm_judging, quality_pauses, queue, rereading, runner, services
from annotation.judges import JudgeInvalid
from annotation.models import Annotator, Campaign, JudgeCall, JudgeVerdict, JudgingRun, Judgment, Skip
from annotation.question import pairwise, ranking
from core import jobs
from core.jobs import JobFailed
from generation.engines.retries import RetryPolicy
from tests.annotation.judge_server import JudgeServer
from tests.factory import Factory
from tests.generation.engines.chat_server import ChatServer, Reply, chat_server


@pytest.fixture
def judge_server() -> JudgeServer:
    return JudgeServer()


@pytest.fixture
def server(judge_server: JudgeServer, settings: LazySettings, monkeypatch: pytest.MonkeyPatch) -> Iterator[ChatServer]:
    settings.ALLOWED_PRIVATE_HOSTS = ("127.0.0.1",)
    monkeypatch.setattr(RetryPolicy, "delay", lambda policy, attempt, retry_after: 0.0)
    with chat_server(judge_server.answer) as running:
        yield running


def campaign_of(factory: Factory, *texts: tuple[str, str], **fields: object) -> Campaign:
    """A campaign that nobody labels in, with a comparison of each pair of replies."""
    campaign = factory.campaign(annotators=[], **fields)  # type: ignore[arg-type] # the test's own words
    for pair in texts:
        prompt = factory.prompt()
        factory.comparison(campaign, prompt, completions=factory.completions(prompt, pair))
    return campaign


def claimed(campaign: Campaign, judge: Annotator, **fields: object) -> JudgingRun:
    run = services.start_judging_run(campaign=campaign, annotator=judge, **fields)  # type: ignore[arg-type] # likewise
    held = jobs.claim(JudgingRun, run.pk)
    assert held is not None
    return held


def judge(campaign: Campaign, judge: Annotator, **fields: object) -> JudgingRun:
    run = claimed(campaign, judge, **fields)
    runner.judge(run)
    jobs.finish(run)
    return run


def test_a_judges_answers_are_judgments_like_any_other(factory: Factory, server: ChatServer) -> None:
    campaign = campaign_of(factory, ("one +", "two ++"), ("three +++", "four +"), ("five", "six"))
    run = judge(campaign, factory.llm_judge(url=server.url))
    judgments = Judgment.objects.filter(comparison__campaign=campaign).order_by("comparison")
    assert [row.answer["tiers"] for row in judgments] == [[[1], [0]], [[0], [1]], [[0, 1]]]
    verdicts = run.verdicts.order_by("comparison")
    assert [row.judgment for row in verdicts] == list(judgments)
    assert [(row.preference, row.margin, row.is_flipped) for row in verdicts] == [
        (0.0, 1.0, False),
        (1.0, 1.0, False),
        (0.5, 1.0, False),
    ]
    assert (run.num_done, run.num_total) == (3, 3)


def test_a_server_that_ignores_the_schema_is_noted_with_every_call(
    factory: Factory, server: ChatServer, judge_server: JudgeServer
) -> None:
    judge_server.say = lambda replies: "The first one is better. [[A]]"
    campaign = campaign_of(factory, ("one +", "two ++"))
    run = judge(campaign, factory.llm_judge(url=server.url, protocol="pairwise_reasoning"))
    assert set(run.calls.values_list("outcome", "reason")) == {("verdict", judge_calls.SCHEMA_IGNORED)}


def test_every_call_is_kept_word_for_word_with_what_it_cost(factory: Factory, server: ChatServer) -> None:
    campaign = campaign_of(factory, ("one +", "two ++"))
    run = judge(campaign, factory.llm_judge(url=server.url))
    first, second = run.calls.order_by("pk")
    assert sorted([first.reply, second.reply]) == ["A", "B"]
    assert sorted([first.display_order, second.display_order]) == [[0, 1], [1, 0]]
    assert first.cost == Decimal("0.00028")
    assert first.call["template_hash"] == run.version.template_hash  # type: ignore[union-attr] # it has one
    assert (first.outcome, first.num_prompt_tokens, first.num_tokens, first.attempt) == ("verdict", 100, 10, 0)
    assert first.latency_ms > 0


def test_a_judge_that_follows_the_place_flips_and_ties(
    factory: Factory, server: ChatServer, judge_server: JudgeServer
) -> None:
    judge_server.say = lambda replies: "A"
    run = judge(campaign_of(factory, ("one", "two")), factory.llm_judge(url=server.url))
    verdict = run.verdicts.get()
    assert verdict.is_flipped
    assert verdict.judgment is not None
    assert verdict.judgment.answer == {"tiers": [[0, 1]]}


@pytest.mark.parametrize(
    ("said", "finish_reason", "outcome"),
    [
        ("I'm sorry, but I can't compare these.", "stop", "refused"),
        ("[[A]] and also [[B]]", "stop", "unparsed"),
        ('{"verdict": "A', "length", "truncated"),
        ("", "stop", "unparsed"),
    ],
)
def test_what_is_no_verdict_is_asked_again_and_never_counts_as_a_tie(
    factory: Factory, server: ChatServer, judge_server: JudgeServer, said: str, finish_reason: str, outcome: str
) -> None:
    judge_server.say, judge_server.finish_reason = lambda replies: said, finish_reason
    campaign, spoken = (
        campaign_of(factory, ("one", "two")),
        factory.llm_judge(url=server.url, protocol="pairwise_reasoning"),
    )
    run = judge(campaign, spoken)
    assert not Judgment.objects.exists()
    assert list(run.calls.values_list("outcome", "attempt").order_by("attempt", "pk")) == [
        (outcome, attempt) for attempt in (0, 0, 1, 1, 2, 2)
    ]
    verdict = run.verdicts.get()
    assert verdict.answer is None
    assert f"6 {outcome}" in verdict.reason
    assert Skip.objects.get(annotator=spoken).reason == verdict.reason
    slot = campaign.slots.get()
    assert (slot.annotator, slot.withdrawn_at) == (None, None)
    judge_server.say, judge_server.finish_reason = lambda replies: '{"reasoning": "", "verdict": "A"}', "stop"
    judge(campaign, spoken)
    assert Judgment.objects.count() == 1


def test_letters_that_are_not_held_to_the_choices_are_read_from_free_text(
    factory: Factory, server: ChatServer, judge_server: JudgeServer
) -> None:
    judge_server.say = lambda replies: f"Final verdict: {'A' if '++' in replies['A'] else 'B'}"
    run = judge(campaign_of(factory, ("one", "two ++")), factory.llm_judge(url=server.url))
    assert Judgment.objects.get().answer["tiers"] == [[1], [0]]
    assert outcomes_of(run) == {"unparsed": 2, "verdict": 2}


def outcomes_of(run: JudgingRun) -> dict[str, int]:
    outcomes = list(run.calls.values_list("outcome", flat=True))
    return {name: outcomes.count(name) for name in set(outcomes)}


def test_the_same_request_is_asked_once_for_all_campaigns_and_runs(
    factory: Factory, server: ChatServer, judge_server: JudgeServer
) -> None:
    spoken = factory.llm_judge(url=server.url)
    prompt = factory.prompt()
    pair = factory.completions(prompt, ("one +", "two ++"))
    first, second = (factory.campaign(annotators=[]) for _ in range(2))
    for campaign in (first, second):
        factory.comparison(campaign, prompt, completions=pair)
        judge(campaign, spoken)
    assert sum(judge_server.asked.values()) == 2
    copies = JudgeCall.objects.filter(run__campaign=second)
    assert [(row.cached_from_id is not None, row.cost) for row in copies] == [(True, 0), (True, 0)]
    assert Judgment.objects.count() == 2


def test_two_replies_with_the_same_words_are_asked_about_once_and_read_in_each_order(
    factory: Factory, server: ChatServer, judge_server: JudgeServer
) -> None:
    judge_server.say = lambda replies: "B"
    run = judge(campaign_of(factory, ("same", "same")), factory.llm_judge(url=server.url))
    assert sum(judge_server.asked.values()) == 1
    assert run.verdicts.get().is_flipped


def test_a_run_that_died_after_its_replies_asks_nothing_again(
    factory: Factory, server: ChatServer, judge_server: JudgeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    campaign = campaign_of(factory, ("one +", "two ++"), ("three", "four +"))
    run = claimed(campaign, factory.llm_judge(url=server.url))

    def die(*args: object) -> None:
        raise SystemExit

    with monkeypatch.context() as patched:
        patched.setattr(llm_judging, "store_answers", die)
        with pytest.raises(SystemExit):
            runner.judge(run)
    assert (Judgment.objects.count(), run.calls.count()) == (0, 4)
    runner.judge(run)
    assert (Judgment.objects.count(), run.calls.count()) == (2, 4)
    assert set(judge_server.asked.values()) == {1}


def test_an_endpoint_that_is_down_fails_the_run_by_name_and_the_next_run_goes_on(
    factory: Factory, server: ChatServer, judge_server: JudgeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    campaign = campaign_of(factory, ("one +", "two ++"))
    spoken = factory.llm_judge(url="http://127.0.0.1:9")
    with pytest.raises(JobFailed) as failure:
        runner.judge(claimed(campaign, spoken))
    assert failure.value.failure_kind == "EndpointUnreachable"
    assert not Judgment.objects.exists()
    model = spoken.versions.get().model
    model.endpoint_url = server.url
    model.save()
    judge(campaign, spoken)
    assert Judgment.objects.count() == 1


def test_texts_that_do_not_fit_the_model_are_recorded_and_their_task_goes_back(
    factory: Factory, settings: LazySettings
) -> None:
    settings.ALLOWED_PRIVATE_HOSTS = ("127.0.0.1",)
    body = {"error": {"message": "This model's maximum context length is 10 tokens.", "code": 400}}
    with chat_server(lambda path, asked: Reply(status=400, body=body)) as server:
        run = judge(campaign_of(factory, ("one", "two")), factory.llm_judge(url=server.url))
    assert {(row.outcome, row.finish_reason) for row in run.calls.all()} == {("failed", "")}
    assert "ContextOverflow" in run.verdicts.get().reason
    assert "ContextOverflow" in Skip.objects.get().reason
    assert not Judgment.objects.exists()


def test_a_judge_that_is_paused_stops_before_its_next_chunk(
    factory: Factory, server: ChatServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    campaign, spoken = campaign_of(factory, ("one", "two")), factory.llm_judge(url=server.url)
    run = claimed(campaign, spoken)
    quality_pauses.pause(campaign=campaign, annotator=spoken, kind="manager", reason="it drifts")
    with pytest.raises(JobFailed, match="it drifts") as failure:
        runner.judge(run)
    assert failure.value.failure_kind == "judge-paused"


def test_sixty_four_requests_are_in_flight(factory: Factory, server: ChatServer, judge_server: JudgeServer) -> None:
    judge_server.num_together = 64
    campaign = campaign_of(factory, *((f"one {number}", "two +") for number in range(64)))
    judge(campaign, factory.llm_judge(url=server.url))
    assert Judgment.objects.count() == 64
    assert server.max_in_flight == 64


def test_a_calibration_takes_no_slot_and_counts_nowhere(factory: Factory, server: ChatServer) -> None:
    campaign = campaign_of(factory, ("one +", "two ++"), ("three", "four"))
    slot = campaign.slots.earliest("pk")
    factory.judgment(slot)
    run = judge(campaign, factory.llm_judge(url=server.url), kind="calibrate")
    assert Judgment.objects.count() == 1
    verdict = run.verdicts.get()
    assert (verdict.comparison_id, verdict.judgment, verdict.answer) == (
        slot.comparison_id,
        None,
        {"tiers": [[1], [0]]},
    )


def test_the_injection_test_leaves_its_rates_with_the_run(factory: Factory, server: ChatServer) -> None:
    spoken = factory.llm_judge(url=server.url, protocol="pairwise_verdict", orders="balanced")
    run = judge(campaign_of(factory), spoken, kind="attack")
    run.refresh_from_db()
    assert run.report["controls"]["value"] == 0.5  # of two pairs of replies, one has a plus in the good one
    assert run.report["won"]["n"] == run.report["controls"]["n"] / 2
    assert not run.verdicts.exists()


def test_a_new_version_is_made_only_of_something_new(factory: Factory) -> None:
    spoken = factory.llm_judge()
    first = spoken.versions.get()
    same = {"judge": spoken, "model": first.model, "prompt_price": "2", "reply_price": 8}
    assert judge_versions.add_version(**same) == first  # type: ignore[arg-type] # columns of a version
    second = judge_versions.add_version(**same, parameters={"conflict": "abstain"})  # type: ignore[arg-type] # likewise
    assert (second.number, second.spec["conflict"]) == (2, "abstain")
    assert second.template_hash == first.template_hash


@pytest.mark.parametrize(
    ("protocol", "parameters", "words"),
    [
        ("oracle", {}, "protocol must be one of"),
        ("pairwise_verdict", {"temperature": 7}, "Temperature must be"),
        ("pairwise_verdict", {"mood": "good"}, "Unknown fields"),
        ("pairwise_verdict", {"template": {"name": "x"}}, "A template has"),
        ("aspects", {}, "aspect"),
    ],
)
def test_what_makes_no_judge_is_refused_by_name(
    factory: Factory, protocol: str, parameters: dict[str, Any], words: str
) -> None:
    with pytest.raises(JudgeInvalid, match=words):
        factory.llm_judge(protocol=protocol, **parameters)


def test_a_judge_is_refused_where_it_cannot_answer(factory: Factory) -> None:
    with pytest.raises(JudgeInvalid, match="cannot answer this question"):
        services.start_judging_run(campaign=factory.campaign(question=ranking(3)), annotator=factory.llm_judge())


def test_a_panel_says_what_most_of_its_members_say(
    factory: Factory, server: ChatServer, judge_server: JudgeServer
) -> None:
    campaign = campaign_of(factory, ("one +", "two ++"), overlap=4)
    members = []
    for guidelines, say in (("a", None), ("b", None), ("c", lambda replies: "A" if "++" not in replies["A"] else "B")):
        judge_server.say = say or judge_server.say
        members.append(factory.llm_judge(url=server.url, guidelines=guidelines))
        judge(campaign, members[-1])
    panel = judge_versions.create_panel(workspace=campaign.workspace, name="Panel", members=members)
    judge(campaign, panel)
    assert Judgment.objects.get(annotator=panel).answer["tiers"] == [[1], [0]]
    assert JudgeVerdict.objects.get(run__annotator=panel).preference == pytest.approx(1 / 3)


def test_a_stored_reply_is_read_again_without_a_call(
    factory: Factory, server: ChatServer, judge_server: JudgeServer
) -> None:
    campaign = campaign_of(factory, ("one +", "two ++"))
    run = judge(campaign, factory.llm_judge(url=server.url))
    asked = sum(judge_server.asked.values())
    run.calls.update(outcome="unparsed", reason="an older reader")
    Judgment.objects.update(answer={"tiers": [[0], [1]]})
    JudgeVerdict.objects.update(answer={"tiers": [[0], [1]]})
    report = rereading.reread(run)
    assert (report.num_calls, report.num_outcomes_changed, report.num_answers_changed) == (2, 2, 1)
    current = Judgment.objects.current().get()
    assert current.answer == {"tiers": [[1], [0]]}
    assert current.revises is not None
    assert run.verdicts.get().judgment == current
    assert set(run.calls.values_list("outcome", flat=True)) == {"verdict"}
    assert rereading.reread(run).num_answers_changed == 0
    said = StringIO()
    call_command("reread_replies", str(run.pk), stdout=said)
    assert "2 replies read, 0 understood otherwise" in said.getvalue()
    assert sum(judge_server.asked.values()) == asked


def test_a_campaigns_question_with_ties_off_needs_another_conflict_policy(factory: Factory) -> None:
    campaign = factory.campaign(question=pairwise(allows_ties=False))
    with pytest.raises(JudgeInvalid, match="conflict policy"):
        services.start_judging_run(campaign=campaign, annotator=factory.llm_judge())


def test_leases_of_a_judge_are_its_own(factory: Factory, server: ChatServer) -> None:
    campaign = campaign_of(factory, ("one", "two +"))
    spoken = factory.llm_judge(url=server.url)
    run = claimed(campaign, spoken)
    assert queue.claim_next_slot(campaign=campaign, annotator=spoken) is not None  # a worker that died holding it
    runner.judge(run)
    assert Judgment.objects.count() == 1
