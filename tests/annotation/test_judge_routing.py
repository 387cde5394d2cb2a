"""A judge decides what is clear, people the rest and a blind sample."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.conf import LazySettings

from annotation import judge_routing, queue, runner, services
from annotation.judge_routing import RoutingRefused
from annotation.models import Annotator, Campaign, JudgingRun, Judgment, Slot
from annotation.new_comparisons import NewComparison, create_comparisons
from core import jobs
from tests.annotation.judge_server import JudgeServer, best
from tests.factory import Factory
from tests.generation.engines.chat_server import chat_server


def by_place_or_pluses(replies: dict[str, str]) -> str:
    """Clear about pluses; where there is a question mark it follows the place, and an exclamation mark confuses it."""
    texts = " ".join(replies.values())
    if "!" in texts:
        return "Hm."
    return "A" if "?" in texts else best(replies)


@pytest.fixture
def judge(factory: Factory, settings: LazySettings) -> Iterator[Annotator]:
    settings.ALLOWED_PRIVATE_HOSTS = ("127.0.0.1",)
    with chat_server(JudgeServer(say=by_place_or_pluses).answer) as server:
        yield factory.llm_judge(url=server.url)


def campaign_of(factory: Factory, *pairs: tuple[str, str], overlap: int = 2) -> Campaign:
    """Bob labels in it."""
    campaign = factory.campaign(overlap=overlap)
    for pair in pairs:
        prompt = factory.prompt()
        factory.comparison(campaign, prompt, completions=factory.completions(prompt, pair))
    return campaign


def run_judge(campaign: Campaign, judge: Annotator) -> None:
    run = services.start_judging_run(campaign=campaign, annotator=judge)
    held = jobs.claim(JudgingRun, run.pk)
    assert held is not None
    runner.judge(held)
    jobs.finish(held)


def served(campaign: Campaign) -> list[int]:
    """Comparisons that people can be served, by place in the campaign, once for each slot."""
    pks = list(campaign.comparisons.order_by("pk").values_list("pk", flat=True))
    slots = Slot.objects.filter(campaign=campaign, annotator=None, withdrawn_at=None, judged_at=None)
    return sorted(pks.index(slot.comparison_id) for slot in slots)


CLEAR, FLIPPED, CONFUSING = ("one +", "two"), ("one?", "two"), ("one!", "two")


def test_people_are_served_nothing_before_the_judge_has_spoken(factory: Factory, judge: Annotator) -> None:
    campaign = campaign_of(factory, CLEAR, FLIPPED)
    judge_routing.set_routing(campaign=campaign, judge=judge)
    assert queue.claim_next_slot(campaign=campaign, annotator=factory.person()) is None
    assert judge_routing.num_held(campaign) == 4


def test_flipped_and_unread_comparisons_go_to_people_and_clear_ones_stay(factory: Factory, judge: Annotator) -> None:
    campaign = campaign_of(factory, CLEAR, FLIPPED, CONFUSING)
    routing = judge_routing.set_routing(campaign=campaign, judge=judge, audit_share=0)
    run_judge(campaign, judge)
    assert served(campaign) == [1, 1, 2, 2]
    reasons = [found.reason for _, found in sorted(judge_routing.routes_of(routing).items())]
    assert reasons == ["clear", "flipped", "no_verdict"]
    assert Judgment.objects.filter(annotator=judge).count() == 2


def test_audited_comparisons_cannot_be_told_from_unclear_ones(factory: Factory, judge: Annotator) -> None:
    campaign = campaign_of(factory, CLEAR, FLIPPED)
    judge_routing.set_routing(campaign=campaign, judge=judge, audit_share=1)
    run_judge(campaign, judge)
    assert served(campaign) == [0, 0, 1, 1]
    seen = [queue.claim_next_slot(campaign=campaign, annotator=factory.person()) for _ in range(1)]
    assert [slot.served_because for slot in seen if slot] == ["coverage"]


def test_the_audit_is_a_seeded_share(factory: Factory, judge: Annotator) -> None:
    campaign = campaign_of(factory, *((f"one + {number}", "two") for number in range(20)), overlap=1)
    judge_routing.set_routing(campaign=campaign, judge=judge, audit_share=0.3, seed=4)
    run_judge(campaign, judge)
    audited = served(campaign)
    assert 0 < len(audited) < 20
    judge_routing.set_routing(campaign=campaign, judge=judge, audit_share=0.3, seed=4)
    assert served(campaign) == audited


def test_a_stricter_rule_routes_what_is_judged_already(factory: Factory, judge: Annotator) -> None:
    campaign = campaign_of(factory, CLEAR, FLIPPED, overlap=1)
    judge_routing.set_routing(campaign=campaign, judge=judge, audit_share=0, flipped_to_people=False)
    run_judge(campaign, judge)
    assert served(campaign) == []
    judge_routing.set_routing(campaign=campaign, judge=judge, audit_share=0)
    assert served(campaign) == [1]


def test_new_comparisons_wait_for_the_judge_too(factory: Factory, judge: Annotator) -> None:
    campaign = campaign_of(factory, CLEAR, overlap=1)
    judge_routing.set_routing(campaign=campaign, judge=judge, audit_share=0)
    prompt = factory.prompt()
    group = NewComparison(prompt=prompt, completions=factory.completions(prompt, FLIPPED))
    create_comparisons(campaign=campaign, groups=[group])
    assert served(campaign) == []
    run_judge(campaign, judge)
    assert served(campaign) == [1]


def test_stopping_serves_everything_and_takes_the_judges_open_slots_back(factory: Factory, judge: Annotator) -> None:
    campaign = campaign_of(factory, CLEAR, FLIPPED, overlap=1)
    judge_routing.set_routing(campaign=campaign, judge=judge)
    run = services.start_judging_run(campaign=campaign, annotator=judge)
    assert judge_routing.prepare(run) == 2
    assert judge_routing.stop_routing(campaign=campaign) == 2
    assert served(campaign) == [0, 1]
    assert not campaign.slots.filter(annotator=judge).exists()


def test_a_person_is_no_judge_to_route_by(factory: Factory) -> None:
    with pytest.raises(RoutingRefused, match="no judge"):
        judge_routing.set_routing(campaign=factory.campaign(), judge=factory.person())


def test_shares_lie_between_0_and_1(factory: Factory) -> None:
    campaign = factory.campaign(num_comparisons=1)
    with pytest.raises(RoutingRefused, match="Min_margin"):
        judge_routing.set_routing(campaign=campaign, judge=factory.llm_judge(), min_margin=2)
    assert judge_routing.routing_of(campaign) is None
    assert served(campaign) == [0]
