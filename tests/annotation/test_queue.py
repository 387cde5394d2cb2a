from __future__ import annotations

import threading
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from annotation import queue
from annotation.models import Annotator, Campaign, Comparison, Judgment, Slot
from annotation.question import pairwise, ranking
from annotation.queue import AnswerRefused, LeaseLost
from core.errors import ConcordError
from tests.factory import Factory

NUM_THREADS = 24
LEFT_IS_BETTER = {"tiers": [[0], [1]]}


def claim(campaign: Campaign, annotator: Annotator, *, now: datetime | None = None) -> Slot:
    slot = queue.claim_next_slot(campaign=campaign, annotator=annotator, now=now)
    assert slot is not None
    return slot


def submit(slot: Slot, annotator: Annotator, answer: dict[str, Any] | None = None, **fields: Any) -> Judgment:
    return queue.submit_judgment(
        **{
            "slot_id": slot.pk,
            "annotator": annotator,
            "token": slot.token,
            "answer": answer or LEFT_IS_BETTER,
            "idempotency_key": str(uuid.uuid4()),
            **fields,
        }
    )


@pytest.fixture
def bob(factory: Factory) -> Annotator:
    return factory.person()


@pytest.fixture
def erin(factory: Factory) -> Annotator:
    """Labels beside Bob."""
    return factory.person(factory.user("erin", role="labeler"))


# Serving


def test_a_claim_leases_the_slot_and_shuffles_the_places(factory: Factory, bob: Annotator) -> None:
    now = timezone.now()
    slot = claim(factory.campaign(num_comparisons=1, lease_seconds=60), bob, now=now)
    assert (slot.annotator, slot.leased_until) == (bob, now + timedelta(seconds=60))
    assert slot.token is not None
    assert sorted(slot.display_order) == [0, 1]


def test_both_orders_are_shown(factory: Factory, bob: Annotator) -> None:
    campaign = factory.campaign(num_comparisons=30)
    orders = set()
    for _ in range(30):
        slot = claim(campaign, bob)
        orders.add(tuple(slot.display_order))
        submit(slot, bob)
    assert orders == {(0, 1), (1, 0)}


def test_every_comparison_gets_a_first_judgment_before_any_gets_a_second(
    factory: Factory, bob: Annotator, erin: Annotator
) -> None:
    campaign = factory.campaign(num_comparisons=4, overlap=2, annotators=[bob, erin])
    served = []
    for annotator in (bob, erin, bob, erin):
        slot = claim(campaign, annotator)
        served.append(slot.comparison_id)
        submit(slot, annotator)
    assert sorted(served) == list(campaign.comparisons.values_list("pk", flat=True))


def test_priority_comes_before_coverage_and_age(factory: Factory, bob: Annotator, erin: Annotator) -> None:
    campaign = factory.campaign(num_comparisons=3, overlap=2, annotators=[bob, erin])
    urgent = campaign.comparisons.latest("pk")
    Slot.objects.filter(comparison=urgent).update(priority=5)
    assert [claim(campaign, annotator).comparison_id for annotator in (bob, erin)] == [urgent.pk] * 2


def test_an_annotator_never_sees_a_comparison_twice(factory: Factory, bob: Annotator) -> None:
    campaign = factory.campaign(num_comparisons=2, overlap=3)
    served = set()
    while (slot := queue.claim_next_slot(campaign=campaign, annotator=bob)) is not None:
        submit(slot, bob)
        served.add(slot.comparison_id)
    assert len(served) == Judgment.objects.count() == 2


def test_ones_own_unfinished_task_comes_back_under_the_same_lease(factory: Factory, bob: Annotator) -> None:
    campaign = factory.campaign(num_comparisons=3)
    first = claim(campaign, bob)
    later = timezone.now() + timedelta(minutes=5)
    again = claim(campaign, bob, now=later)
    assert (again.pk, again.token, again.display_order) == (first.pk, first.token, first.display_order)
    assert again.leased_until == later + timedelta(seconds=campaign.lease_seconds)


@pytest.mark.parametrize("status", ["draft", "paused", "closed"])
def test_nothing_new_is_served_unless_the_campaign_is_open(factory: Factory, bob: Annotator, status: str) -> None:
    campaign = factory.campaign(num_comparisons=1, status=status)
    assert queue.claim_next_slot(campaign=campaign, annotator=bob) is None


def test_only_active_annotators_are_served(factory: Factory, bob: Annotator, erin: Annotator) -> None:
    campaign = factory.campaign(num_comparisons=1, annotators=[bob])
    assert queue.claim_next_slot(campaign=campaign, annotator=erin) is None
    campaign.enrolments.update(is_active=False)
    assert queue.claim_next_slot(campaign=campaign, annotator=bob) is None


def test_a_task_begun_before_a_pause_may_be_finished(factory: Factory, bob: Annotator) -> None:
    campaign = factory.campaign(num_comparisons=2)
    slot = claim(campaign, bob)
    campaign.status = "paused"
    campaign.save()
    assert claim(campaign, bob).pk == slot.pk
    submit(slot, bob)
    assert queue.claim_next_slot(campaign=campaign, annotator=bob) is None


def test_campaigns_do_not_share_slots(factory: Factory, bob: Annotator) -> None:
    first, second = factory.campaign(num_comparisons=1), factory.campaign(num_comparisons=1)
    assert {claim(first, bob).campaign, claim(second, bob).campaign} == {first, second}


# Leases


def test_an_expired_task_goes_to_somebody_else_and_the_late_answer_is_refused(
    factory: Factory, bob: Annotator, erin: Annotator
) -> None:
    campaign = factory.campaign(num_comparisons=1, annotators=[bob, erin])
    bobs = claim(campaign, bob)
    assert queue.claim_next_slot(campaign=campaign, annotator=erin) is None
    late = timezone.now() + timedelta(seconds=campaign.lease_seconds + 1)
    erins = claim(campaign, erin, now=late)
    assert erins.pk == bobs.pk
    assert erins.token != bobs.token
    with pytest.raises(LeaseLost, match="somebody else has taken it"):
        submit(bobs, bob, now=late)
    assert submit(erins, erin, now=late).annotator == erin
    assert Judgment.objects.count() == 1


def test_a_late_answer_counts_while_nobody_else_has_the_task(factory: Factory, bob: Annotator) -> None:
    slot = claim(factory.campaign(num_comparisons=1), bob)
    late = timezone.now() + timedelta(days=1)
    assert submit(slot, bob, now=late).slot == slot
    slot.refresh_from_db()
    assert slot.judged_at == late


def test_a_released_task_is_free_at_once_and_its_token_is_worthless(
    factory: Factory, bob: Annotator, erin: Annotator
) -> None:
    campaign = factory.campaign(num_comparisons=1, annotators=[bob, erin])
    slot = claim(campaign, bob)
    assert not queue.release_slot(slot_id=slot.pk, annotator=erin, token=str(slot.token))
    assert queue.release_slot(slot_id=slot.pk, annotator=bob, token=str(slot.token))
    with pytest.raises(LeaseLost):
        submit(slot, bob)
    assert claim(campaign, erin).pk == slot.pk


def test_an_answered_task_cannot_be_released(factory: Factory, bob: Annotator) -> None:
    slot = claim(factory.campaign(num_comparisons=1), bob)
    submit(slot, bob)
    assert not queue.release_slot(slot_id=slot.pk, annotator=bob, token=str(slot.token))


@pytest.mark.parametrize("token", ["", "not a token", str(uuid.UUID(int=0))])
def test_an_answer_without_the_leases_token_is_refused(factory: Factory, bob: Annotator, token: str) -> None:
    slot = claim(factory.campaign(num_comparisons=1), bob)
    with pytest.raises(LeaseLost):
        submit(slot, bob, token=token)


def test_nobody_answers_a_task_that_they_do_not_hold(factory: Factory, bob: Annotator, erin: Annotator) -> None:
    slot = claim(factory.campaign(num_comparisons=1, annotators=[bob, erin]), bob)
    with pytest.raises(LeaseLost):
        submit(slot, erin)
    with pytest.raises(LeaseLost):
        submit(slot, bob, slot_id=slot.pk + 1)
    assert not Judgment.objects.exists()


# Answers


@pytest.mark.parametrize("order", [[0, 1, 2], [2, 0, 1], [1, 2, 0]])
def test_the_places_shown_do_not_change_what_is_stored(factory: Factory, bob: Annotator, order: list[int]) -> None:
    slot = claim(factory.campaign(num_comparisons=1, question=ranking(3)), bob)
    Slot.objects.filter(pk=slot.pk).update(display_order=order)
    best, middle, worst = (order.index(candidate) for candidate in (2, 0, 1))
    judgment = submit(slot, bob, {"tiers": [[best], [middle, worst]]})
    assert judgment.answer == {"tiers": [[2], [0, 1]]}
    assert judgment.display_order == order


def test_the_same_key_gives_the_same_judgment(factory: Factory, bob: Annotator) -> None:
    slot = claim(factory.campaign(num_comparisons=1), bob)
    first = submit(slot, bob, idempotency_key="once")
    again = submit(slot, bob, {"tiers": [[1], [0]]}, idempotency_key="once")
    assert again.pk == first.pk
    assert again.answer == first.answer


def test_another_key_does_not_answer_again(factory: Factory, bob: Annotator) -> None:
    slot = claim(factory.campaign(num_comparisons=1), bob)
    submit(slot, bob)
    with pytest.raises(LeaseLost, match="already answered"):
        submit(slot, bob)


def test_two_annotators_may_use_the_same_key(factory: Factory, bob: Annotator, erin: Annotator) -> None:
    campaign = factory.campaign(num_comparisons=1, overlap=2, annotators=[bob, erin])
    keys = [submit(claim(campaign, person), person, idempotency_key="1").annotator for person in (bob, erin)]
    assert keys == [bob, erin]


@pytest.mark.parametrize(
    ("rule", "answer"),
    [
        ("tiers_malformed", {}),
        ("not_all_once", {"tiers": [[0]]}),
        ("not_all_once", {"tiers": [[0], [2]]}),
        ("tie_not_allowed", {"tiers": [[0, 1]]}),
        ("cant_judge_not_allowed", {"cant_judge": True}),
        ("unknown_field", {"tiers": [[0], [1]], "winner": 0}),
    ],
)
def test_an_answer_against_the_rules_is_refused_and_the_lease_stays(
    factory: Factory, bob: Annotator, rule: str, answer: dict[str, Any]
) -> None:
    question = pairwise(allows_ties=False, allows_cant_judge=False)
    slot = claim(factory.campaign(num_comparisons=1, question=question), bob)
    with pytest.raises(AnswerRefused) as raised:
        submit(slot, bob, answer or {"strength": 1})
    assert (raised.value.status, raised.value.fields["rule"]) == (422, rule)
    assert submit(slot, bob).annotator == bob


def test_a_judgment_remembers_times_and_versions(factory: Factory, bob: Annotator) -> None:
    campaign = factory.campaign(num_comparisons=1, question_version=3, guideline_version=2)
    judgment = submit(claim(campaign, bob), bob, active_ms=1200, total_ms=-5)
    assert (judgment.active_ms, judgment.total_ms) == (1200, 0)
    assert (judgment.question_version, judgment.guideline_version) == (3, 2)


# Nothing to do


def test_why_nothing_names_each_reason(factory: Factory, bob: Annotator, erin: Annotator) -> None:
    def why(campaign: Campaign, annotator: Annotator = bob) -> str:
        assert queue.claim_next_slot(campaign=campaign, annotator=annotator) is None
        return queue.why_nothing(campaign=campaign, annotator=annotator)

    assert "not enrolled" in why(factory.campaign(num_comparisons=1, annotators=[]))
    paused = factory.campaign(num_comparisons=1)
    paused.enrolments.update(is_active=False, pause_reason="too fast")
    assert "too fast" in why(paused)
    assert "is draft" in why(factory.campaign(num_comparisons=1, status="draft"))
    assert "no comparisons yet" in why(factory.campaign())
    done = factory.campaign(num_comparisons=1, overlap=2)
    submit(claim(done, bob), bob)
    assert "everything" in why(done)
    busy = factory.campaign(num_comparisons=1, annotators=[bob, erin], lease_seconds=240)
    claim(busy, erin)
    assert "in 4 min" in why(busy)


def test_a_task_that_is_free_is_no_reason(factory: Factory, bob: Annotator) -> None:
    assert "try again" in queue.why_nothing(campaign=factory.campaign(num_comparisons=1), annotator=bob)


# Many at once, on connections of their own


@contextmanager
def threads(target: Callable[[int], None], *, count: int = NUM_THREADS) -> Iterator[list[Exception]]:
    """Run `target(number)` in as many threads; yields what they raised, when all have ended."""
    errors: list[Exception] = []
    start = threading.Barrier(count)

    def body(number: int) -> None:
        try:
            start.wait()
            target(number)
        except Exception as error:
            errors.append(error)
        finally:
            connection.close()

    running = [threading.Thread(target=body, args=(number,)) for number in range(count)]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join()
    yield errors


@pytest.mark.django_db(transaction=True)
def test_a_race_leaves_exactly_as_many_judgments_as_wanted(factory: Factory) -> None:
    judges = [factory.judge() for _ in range(NUM_THREADS // 2)]  # each works in two tabs at once
    campaigns = [factory.campaign(num_comparisons=8, overlap=k, annotators=judges) for k in (1, 2, 3)]
    refusals: list[ConcordError] = []

    def work(number: int) -> None:
        judge = judges[number // 2]
        for campaign in campaigns[number % 3 :] + campaigns[: number % 3]:
            while (slot := queue.claim_next_slot(campaign=campaign, annotator=judge)) is not None:
                try:
                    submit(slot, judge)
                except LeaseLost as error:
                    refusals.append(error)

    with threads(work) as errors:
        assert errors == []
    per_comparison = Counter(Judgment.objects.values_list("comparison", flat=True))
    wanted = {comparison.pk: comparison.campaign.overlap for comparison in Comparison.objects.all()}
    assert per_comparison == wanted
    pairs = Counter(Judgment.objects.values_list("comparison", "annotator"))
    assert set(pairs.values()) == {1}
    assert not Slot.objects.filter(judged_at=None).exists()


@pytest.mark.django_db(transaction=True)
def test_one_answer_sent_many_times_at_once_is_one_judgment(factory: Factory) -> None:
    bob = factory.person()
    slot = claim(factory.campaign(num_comparisons=1), bob)
    given: list[int] = []
    with threads(lambda number: given.append(submit(slot, bob, idempotency_key="once").pk), count=8) as errors:
        assert errors == []
    assert given == [Judgment.objects.get().pk] * 8


@pytest.mark.django_db(transaction=True)
def test_expired_tasks_are_taken_over_by_one_each(factory: Factory) -> None:
    bob, judges = factory.person(), [factory.judge() for _ in range(8)]
    campaign = factory.campaign(num_comparisons=1, annotators=[bob, *judges])
    bobs = claim(campaign, bob)
    late = timezone.now() + timedelta(days=1)
    taken: list[Slot | None] = []
    with threads(
        lambda number: taken.append(queue.claim_next_slot(campaign=campaign, annotator=judges[number], now=late)),
        count=8,
    ) as errors:
        assert errors == []
    assert [slot.pk for slot in taken if slot is not None] == [bobs.pk]


@pytest.mark.parametrize("num_known", [0, 1, 6])
def test_one_task_is_claimed_whatever_the_planner_believes(factory: Factory, num_known: int) -> None:
    """Where it believes that there are hardly any slots, it may search anew for each row that could be updated."""
    campaign = factory.campaign(num_comparisons=num_known)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE annotation_slot, annotation_comparison, annotation_campaign, annotation_enrolment")
    for prompt in factory.prompt_set(num_prompts=6).prompts.all():
        factory.comparison(campaign, prompt)

    claimed = queue.claim_next_slot(campaign=campaign, annotator=factory.person())

    assert claimed is not None
    assert [slot.pk for slot in Slot.objects.filter(annotator__isnull=False)] == [claimed.pk]
