"""What is served beside the wanted judgments, in which order, and what annotators may do with it."""

from __future__ import annotations

import itertools
import uuid
from collections import Counter
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from annotation import (
    campaign_policy,
    campaign_versions,
    gold,
    opt_outs,
    quality_pauses,
    queue,
    queue_reasons,
    selection,
)
from annotation.campaign_policy import PolicyInvalid
from annotation.campaign_versions import RevisionRefused
from annotation.models import Alert, Annotator, Campaign, Comparison, Enrolment, Judgment, Skip, Slot
from annotation.new_comparisons import NewComparison, create_comparisons
from annotation.question import pairwise
from annotation.queue import AnswerRefused, LeaseLost, NotRevisable
from annotation.task_content import content_of
from core import jobs
from generation import guard_runner, guard_services
from generation.models import Completion, GuardRun
from tests.factory import Factory

FIRST_BETTER = {"tiers": [[0], [1]]}


@pytest.fixture
def bob(factory: Factory) -> Annotator:
    return factory.person()


@pytest.fixture
def erin(factory: Factory) -> Annotator:
    return factory.person(factory.user("erin", role="labeler"))


def take(campaign: Campaign, annotator: Annotator, **options: Any) -> Slot:
    slot = queue.claim_next_slot(campaign=campaign, annotator=annotator, **options)
    assert slot is not None, queue.why_nothing(campaign=campaign, annotator=annotator)
    return slot


def say(slot: Slot, annotator: Annotator, *, better: int = 0, **answer: Any) -> Judgment:
    """The completion at position `better` is the better one, wherever it is shown."""
    place = slot.display_order.index(better)
    return queue.submit_judgment(
        slot_id=slot.pk,
        annotator=annotator,
        token=slot.token or "",
        answer={"tiers": [[place], [1 - place]], **answer},
        idempotency_key=str(uuid.uuid4()),
    )


def work(campaign: Campaign, annotator: Annotator, times: int, *, better: int = 0) -> list[Slot]:
    served = []
    for _ in range(times):
        served.append(take(campaign, annotator))
        say(served[-1], annotator, better=better)
    return served


# Several at once


def test_a_page_that_holds_a_task_gets_another_one(factory: Factory, bob: Annotator) -> None:
    campaign = factory.campaign(num_comparisons=3)
    first = take(campaign, bob)
    second = take(campaign, bob, holding=[first.pk])
    assert first.pk != second.pk
    assert take(campaign, bob).pk == first.pk, "without naming what it holds it gets its own oldest task"


def test_nobody_holds_more_than_four(factory: Factory, bob: Annotator) -> None:
    campaign = factory.campaign(num_comparisons=9)
    held: list[int] = []
    for _ in range(4):
        held.append(take(campaign, bob, holding=held).pk)
    assert queue.claim_next_slot(campaign=campaign, annotator=bob, holding=held) is None


def test_a_task_remembers_the_tab_that_it_was_opened_in(factory: Factory, bob: Annotator) -> None:
    campaign = factory.campaign(num_comparisons=1)
    assert take(campaign, bob, tab="one").tab == "one"
    assert take(campaign, bob, tab="two").tab == "one"
    queue.take_over(slot_id=take(campaign, bob).pk, annotator=bob, tab="two")
    assert take(campaign, bob).tab == "two"


# Sides


def test_of_two_tasks_about_the_same_models_each_side_comes_once(factory: Factory, bob: Annotator) -> None:
    campaign = factory.campaign(annotators=[bob])
    groups = []
    for prompt in factory.prompt_set(num_prompts=40).prompts.all():
        groups.append(NewComparison(prompt=prompt, completions=factory.completions(prompt, ["one", "two"])))
    create_comparisons(campaign=campaign, groups=groups)
    orders = [tuple(slot.display_order) for slot in work(campaign, bob, 40)]
    blocks = [frozenset(orders[place : place + 2]) for place in range(0, 40, 2)]
    assert set(blocks) == {frozenset({(0, 1), (1, 0)})}
    assert len(set(orders[::2])) == 2, "the first of a block is random"


def test_a_judges_many_tasks_are_balanced_too(factory: Factory) -> None:
    judge = factory.judge()
    campaign = factory.campaign(annotators=[judge], num_comparisons=20)
    slots = queue.claim_slots(campaign=campaign, annotator=judge, limit=20)
    assert Counter(tuple(slot.display_order) for slot in slots) == {(0, 1): 10, (1, 0): 10}


# Gold and repeats


@pytest.fixture
def with_gold(factory: Factory) -> Campaign:
    campaign = factory.campaign(num_comparisons=60, gold_every=5)
    for comparison in campaign.comparisons.order_by("pk")[:6]:
        gold.promote(comparison=comparison, answer={"tiers": [[0], [1]]})
    return campaign


def test_gold_items_come_now_and_then_and_look_like_the_rest(with_gold: Campaign, bob: Annotator) -> None:
    purposes = [slot.purpose for slot in work(with_gold, bob, 40)]
    assert 4 <= purposes.count("gold") <= 6
    places = [place for place, purpose in enumerate(purposes) if purpose == "gold"]
    gaps = {after - before for before, after in itertools.pairwise(places)}
    assert len(gaps) > 1, "nobody can count on the next one"
    assert purposes[0] == "main"


def test_gold_items_need_no_more_judgments_than_they_have_annotators(with_gold: Campaign, bob: Annotator) -> None:
    work(with_gold, bob, 40)
    judged = Judgment.objects.filter(purpose="gold").values_list("comparison_id", flat=True)
    assert len(set(judged)) == len(judged) > 0
    assert not Slot.objects.filter(comparison__in=judged, purpose="main", withdrawn_at=None).exists()


def test_an_expired_gold_lease_goes_to_nobody_else(factory: Factory, bob: Annotator, erin: Annotator) -> None:
    campaign = factory.campaign(num_comparisons=2, gold_every=1, annotators=[bob, erin])
    gold.promote(comparison=campaign.comparisons.earliest("pk"), answer={"tiers": [[0], [1]]})
    work(campaign, bob, 1)
    slot = Slot.objects.get(purpose="gold", annotator=bob)
    Slot.objects.filter(pk=slot.pk).update(leased_until=timezone.now() - timedelta(hours=1), judged_at=None)
    assert take(campaign, erin).pk != slot.pk


def test_too_few_right_answers_pause_an_annotator_with_the_reason(with_gold: Campaign, bob: Annotator) -> None:
    campaign_policy.set_policy(campaign=with_gold, pause_below=0.6, pause_after=3)
    for _ in range(60):
        slot = queue.claim_next_slot(campaign=with_gold, annotator=bob)
        if slot is None:
            break
        say(slot, bob, better=1)
    enrolment = Enrolment.objects.get(campaign=with_gold, annotator=bob)
    assert not enrolment.is_active
    assert "0 of 3" in queue.why_nothing(campaign=with_gold, annotator=bob)
    assert Alert.objects.get(campaign=with_gold, annotator=bob).kind == "gold"
    quality_pauses.dispute(campaign=with_gold, annotator=bob, text="The known answer is wrong.")
    assert Alert.objects.filter(campaign=with_gold, kind="dispute").exists()
    quality_pauses.resume(campaign=with_gold, annotator=bob)
    assert take(with_gold, bob)
    assert not Alert.objects.filter(campaign=with_gold, resolved_at=None).exists()


def test_somebody_who_is_not_paused_has_nothing_to_dispute(with_gold: Campaign, bob: Annotator) -> None:
    with pytest.raises(quality_pauses.DisputeRefused, match="not paused"):
        quality_pauses.dispute(campaign=with_gold, annotator=bob, text="But")


def test_repeats_show_the_sides_swapped(factory: Factory, bob: Annotator) -> None:
    campaign = factory.campaign(num_comparisons=60, repeat_every=4)
    served = work(campaign, bob, 50)
    first = {slot.comparison_id: slot for slot in served if slot.purpose == "main"}
    repeats = [slot for slot in served if slot.purpose == "repeat"]
    assert len(repeats) >= 5
    for repeat in repeats:
        assert repeat.display_order == first[repeat.comparison_id].display_order[::-1]
    assert len({repeat.comparison_id for repeat in repeats}) == len(repeats)


# Qualification


@pytest.fixture
def with_qualification(factory: Factory) -> Campaign:
    campaign = factory.campaign(num_comparisons=10, num_qualification=3, qualification_pass=0.6)
    for comparison in campaign.comparisons.order_by("pk")[:3]:
        gold.promote(comparison=comparison, answer={"tiers": [[0], [1]]}, is_qualification=True)
    return campaign


def test_qualification_comes_before_anything_else_and_opens_the_campaign(
    with_qualification: Campaign, bob: Annotator
) -> None:
    assert [slot.purpose for slot in work(with_qualification, bob, 4)] == ["qualification"] * 3 + ["main"]
    assert Enrolment.objects.get(campaign=with_qualification, annotator=bob).qualified_at


def test_who_fails_the_qualification_is_told_how_and_gets_nothing(with_qualification: Campaign, bob: Annotator) -> None:
    work(with_qualification, bob, 3, better=1)
    assert queue.claim_next_slot(campaign=with_qualification, annotator=bob) is None
    assert "0 of your 3 qualification tasks" in queue.why_nothing(campaign=with_qualification, annotator=bob)


# Adaptive selection


@pytest.fixture
def adaptive(factory: Factory) -> Campaign:
    """One prompt with four completions, all six pairs three times."""
    campaign = factory.campaign(overlap=3, selection="adaptive", random_share=0.0)
    prompt = factory.prompt(factory.prompt_set(workspace=campaign.workspace))
    texts = ["best", "good", "fair", "poor"]
    completions = factory.completions(prompt, texts, model=factory.model(workspace=campaign.workspace))
    pairs = [(one, other) for place, one in enumerate(completions) for other in completions[place + 1 :]]
    create_comparisons(campaign=campaign, groups=[NewComparison(prompt=prompt, completions=pair) for pair in pairs])
    return campaign


def test_what_is_known_least_is_asked_next(
    adaptive: Campaign, bob: Annotator, erin: Annotator, factory: Factory
) -> None:
    factory.enrolment(adaptive, erin)
    first = take(adaptive, bob)
    say(first, bob)
    asked = take(adaptive, erin)
    assert asked.comparison_id != first.comparison_id
    assert asked.served_because == "policy"
    scores = dict(adaptive.slots.filter(number=2).values_list("comparison_id", "score"))
    assert scores[first.comparison_id] < max(scores.values())
    assert "tells most" in queue_reasons.why_served(asked)


def test_a_settled_prompt_is_asked_no_more(adaptive: Campaign, factory: Factory) -> None:
    campaign_policy.set_policy(campaign=adaptive, settled_probability=0.5)
    for number in range(3):
        judge = factory.person(factory.user(f"labeler{number}", role="labeler"))
        factory.enrolment(adaptive, judge)
        while (slot := queue.claim_next_slot(campaign=adaptive, annotator=judge)) is not None:
            say(slot, judge)
    assert adaptive.comparisons.filter(settled_at__isnull=False).count() == 6
    assert adaptive.slots.filter(judged_at=None, withdrawn_at__isnull=False).exists()
    assert not adaptive.slots.filter(judged_at=None, withdrawn_at=None).exists()


def test_the_random_arm_is_marked(adaptive: Campaign, bob: Annotator) -> None:
    campaign_policy.set_policy(campaign=adaptive, random_share=1.0)
    assert take(adaptive, bob).served_because == "random"


def test_becoming_adaptive_scores_what_has_been_judged(factory: Factory, bob: Annotator) -> None:
    campaign = factory.campaign(num_comparisons=3, overlap=2)
    work(campaign, bob, 1)
    campaign_policy.set_policy(campaign=campaign, selection="adaptive")
    assert set(campaign.slots.filter(judged_at=None).values_list("score", flat=True)) != {0.0}
    selection.update_campaign(campaign)


# Skipping, opting out, releasing


def test_a_skipped_task_goes_to_others_and_never_comes_back(factory: Factory, bob: Annotator, erin: Annotator) -> None:
    campaign = factory.campaign(num_comparisons=1, annotators=[bob, erin])
    slot = take(campaign, bob)
    assert queue.skip_slot(slot_id=slot.pk, annotator=bob, token=slot.token or "", reason="I do not speak Latin.")
    assert queue.claim_next_slot(campaign=campaign, annotator=bob) is None
    assert take(campaign, erin).pk == slot.pk
    assert Skip.objects.get().reason == "I do not speak Latin."


def test_a_campaign_may_drop_what_is_skipped(factory: Factory, bob: Annotator, erin: Annotator) -> None:
    campaign = factory.campaign(num_comparisons=1, annotators=[bob, erin], skip_policy="drop")
    slot = take(campaign, bob)
    queue.skip_slot(slot_id=slot.pk, annotator=bob, token=slot.token or "")
    assert queue.claim_next_slot(campaign=campaign, annotator=erin) is None


def test_skipping_needs_the_lease(factory: Factory, bob: Annotator, erin: Annotator) -> None:
    slot = take(factory.campaign(num_comparisons=1), bob)
    assert not queue.skip_slot(slot_id=slot.pk, annotator=erin, token=slot.token or "")
    assert not Skip.objects.exists()


def test_categories_that_somebody_opted_out_of_are_not_served(factory: Factory, bob: Annotator) -> None:
    campaign = factory.campaign(num_comparisons=2)
    first, second = campaign.comparisons.order_by("pk")
    Comparison.objects.filter(pk=first.pk).update(categories=["sensitive", "violence"])
    opt_outs.set_opt_outs(annotator=bob, categories=["violence"])
    assert take(campaign, bob).comparison_id == second.pk
    say(take(campaign, bob), bob)
    assert "opted out" in queue.why_nothing(campaign=campaign, annotator=bob)


def guarded(factory: Factory, campaign: Campaign) -> Comparison:
    """The first comparison of the campaign, of whose replies a guard flags one while the campaign is open."""
    comparison = campaign.comparisons.earliest("pk")
    reply = comparison.completions.earliest("pk")
    Completion.objects.filter(pk=reply.pk).update(text="Take a nerve agent.")
    run = guard_services.start_guard_run(workspace=campaign.workspace, name="Check", sampling_run=reply.sampling_run)
    held = jobs.claim(GuardRun, run.pk)
    assert held is not None
    guard_runner.check(held)
    return comparison


def test_a_reply_that_a_guard_flags_is_not_served_to_whoever_opted_out(
    factory: Factory, bob: Annotator, erin: Annotator
) -> None:
    campaign = factory.campaign(num_comparisons=2, overlap=2, annotators=[bob, erin])
    flagged = guarded(factory, campaign)
    opt_outs.set_opt_outs(annotator=bob, categories=["sensitive"])
    opt_outs.set_opt_outs(annotator=erin, categories=["hate"])
    assert take(campaign, bob).comparison_id != flagged.pk
    say(take(campaign, bob), bob)
    assert "opted out" in queue.why_nothing(campaign=campaign, annotator=bob)
    assert flagged.pk in {slot.comparison_id for slot in work(campaign, erin, 2)}
    opt_outs.set_opt_outs(annotator=bob, categories=[])
    slot = take(campaign, bob)
    assert slot.comparison_id == flagged.pk
    assert content_of(flagged.pk).categories == ["sensitive", "weapons"]


def test_flagged_replies_count_towards_the_cap_on_exposure(factory: Factory, bob: Annotator) -> None:
    campaign = factory.campaign(num_comparisons=1, exposure_cap=1)
    guarded(factory, campaign)
    work(campaign, bob, 1)
    assert opt_outs.opt_outs_today(campaign, bob, timezone.now()) == ["sensitive"]


def test_exposure_to_sensitive_tasks_is_capped_by_the_day(factory: Factory, bob: Annotator) -> None:
    campaign = factory.campaign(num_comparisons=3, exposure_cap=1)
    campaign.comparisons.update(categories=["sensitive"])
    work(campaign, bob, 1)
    assert queue.claim_next_slot(campaign=campaign, annotator=bob) is None
    assert "tomorrow" in queue.why_nothing(campaign=campaign, annotator=bob)


def test_a_released_gold_task_leaves_no_trace(factory: Factory, bob: Annotator) -> None:
    campaign = factory.campaign(num_comparisons=2, gold_every=1)
    gold.promote(comparison=campaign.comparisons.earliest("pk"), answer={"tiers": [[0], [1]]})
    slot = take(campaign, bob)
    assert slot.purpose == "gold"
    assert queue.release_slot(slot_id=slot.pk, annotator=bob, token=slot.token or "")
    assert not Slot.objects.filter(purpose="gold").exists()


# Drafts, leases, revisions


def test_a_draft_stays_with_the_slot_until_it_is_answered(factory: Factory, bob: Annotator) -> None:
    slot = take(factory.campaign(num_comparisons=1), bob)
    assert queue.save_draft(slot_id=slot.pk, annotator=bob, token=slot.token or "", draft={"rationale": "because"})
    assert take(slot.campaign, bob).draft == {"rationale": "because"}
    say(slot, bob)
    assert not queue.save_draft(slot_id=slot.pk, annotator=bob, token=slot.token or "", draft={})


def test_a_lease_is_renewed_by_who_holds_it(factory: Factory, bob: Annotator, erin: Annotator) -> None:
    slot = take(factory.campaign(num_comparisons=1, lease_seconds=60), bob)
    later = timezone.now() + timedelta(seconds=30)
    until = queue.renew_lease(slot_id=slot.pk, annotator=bob, token=slot.token or "", now=later)
    assert until == later + timedelta(seconds=60)
    with pytest.raises(LeaseLost):
        queue.renew_lease(slot_id=slot.pk, annotator=erin, token=slot.token or "")


def test_a_revision_replaces_an_answer_and_keeps_it(factory: Factory, bob: Annotator) -> None:
    slot = take(factory.campaign(num_comparisons=1), bob)
    old = say(slot, bob, better=0)
    place = slot.display_order.index(1)
    options: dict[str, Any] = {"judgment_id": old.pk, "annotator": bob, "idempotency_key": "k2"}
    new = queue.revise_judgment(answer={"tiers": [[place], [1 - place]]}, **options)
    again = queue.revise_judgment(answer={"tiers": [[place], [1 - place]]}, **options)
    assert (new.answer, new.revises_id, again.pk) == ({"tiers": [[1], [0]]}, old.pk, new.pk)
    assert Judgment.objects.current().get() == new
    assert Judgment.objects.count() == 2


def test_only_the_last_ten_answers_can_be_revised(factory: Factory, bob: Annotator) -> None:
    campaign = factory.campaign(num_comparisons=11)
    work(campaign, bob, 11)
    judgments = list(Judgment.objects.order_by("slot__judged_at"))
    latest = queue.recent_judgments(campaign=campaign, annotator=bob)
    assert [judgment.pk for judgment in latest] == [judgment.pk for judgment in judgments[:0:-1]]
    with pytest.raises(NotRevisable, match="last 10"):
        queue.revise_judgment(
            judgment_id=judgments[0].pk, annotator=bob, answer=FIRST_BETTER, idempotency_key=str(uuid.uuid4())
        )


def test_nobody_revises_somebody_elses_answer(factory: Factory, bob: Annotator, erin: Annotator) -> None:
    judgment = say(take(factory.campaign(num_comparisons=1), bob), bob)
    with pytest.raises(NotRevisable, match="not yours"):
        queue.revise_judgment(judgment_id=judgment.pk, annotator=erin, answer=FIRST_BETTER, idempotency_key="k")


def test_only_the_first_answer_to_a_gold_item_counts(factory: Factory, bob: Annotator) -> None:
    campaign = factory.campaign(num_comparisons=2, gold_every=1)
    gold.promote(comparison=campaign.comparisons.earliest("pk"), answer={"tiers": [[0], [1]]})
    slot = take(campaign, bob)
    wrong = say(slot, bob, better=1)
    place = slot.display_order.index(0)
    answer = {"tiers": [[place], [1 - place]]}
    queue.revise_judgment(judgment_id=wrong.pk, annotator=bob, answer=answer, idempotency_key="k")
    assert gold.score_of(campaign, bob).num_right == 0


# Versions


def test_a_changed_question_is_a_new_version_and_open_leases_keep_the_old_one(factory: Factory, bob: Annotator) -> None:
    campaign = factory.campaign(num_comparisons=2)
    campaign_versions.keep(campaign, None)
    slot = take(campaign, bob)
    version = campaign_versions.revise_question(campaign=campaign, question=pairwise(num_strengths=4))
    assert (version, campaign.question["num_strengths"]) == (2, 4)
    assert say(slot, bob).question_version == 1, "it was asked without strengths"
    newer = take(campaign, bob)
    with pytest.raises(AnswerRefused, match="how much better"):
        say(newer, bob)
    assert say(newer, bob, strength=2).question_version == 2


def test_the_same_question_makes_no_version(factory: Factory) -> None:
    campaign = factory.campaign()
    assert campaign_versions.revise_question(campaign=campaign, question=pairwise()) == 1


def test_comparisons_keep_the_kind_of_their_question(factory: Factory) -> None:
    campaign = factory.campaign(num_comparisons=1)
    from annotation.question import ranking

    with pytest.raises(RevisionRefused, match="new campaign"):
        campaign_versions.revise_question(campaign=campaign, question=ranking(4))


def test_changed_guidelines_must_be_read_before_the_next_task(factory: Factory, bob: Annotator) -> None:
    campaign = factory.campaign(num_comparisons=2)
    version = campaign_versions.revise_guidelines(campaign=campaign, text="Prefer the shorter one.")
    assert queue.claim_next_slot(campaign=campaign, annotator=bob) is None
    assert "guidelines" in queue.why_nothing(campaign=campaign, annotator=bob)
    queue.acknowledge_guidelines(campaign=campaign, annotator=bob, version=version)
    assert say(take(campaign, bob), bob).guideline_version == 2


def test_a_version_that_does_not_exist_yet_cannot_be_acknowledged(factory: Factory, bob: Annotator) -> None:
    campaign = factory.campaign(num_comparisons=1, guidelines="Read me.")
    queue.acknowledge_guidelines(campaign=campaign, annotator=bob, version=99)
    campaign_versions.revise_guidelines(campaign=campaign, text="Read me again.")
    assert queue.claim_next_slot(campaign=campaign, annotator=bob) is None


@pytest.mark.parametrize(
    ("setting", "value"),
    [("gold_every", -1), ("random_share", 1.5), ("selection", "best"), ("price_per_judgment", "dear"), ("colour", 1)],
)
def test_a_wrong_policy_is_named_and_changes_nothing(factory: Factory, setting: str, value: Any) -> None:
    campaign = factory.campaign()
    with pytest.raises(PolicyInvalid, match=setting):
        campaign_policy.set_policy(campaign=campaign, **{"gold_every": 7, setting: value})
    campaign.refresh_from_db()
    assert campaign.gold_every == 0
