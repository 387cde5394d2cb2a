from __future__ import annotations

from annotation import quality_alerts, quality_pauses
from annotation.models import Alert, Campaign, Enrolment
from tests.factory import Factory

FIRST, SECOND = [[0], [1]], [[1], [0]]


def biased_campaign(factory: Factory, num_comparisons: int = 40) -> Campaign:
    """Two judges see the truth, which is half the time each side; Bob always takes the left one."""
    judges = [factory.judge(), factory.judge()]
    campaign = factory.campaign(num_comparisons=num_comparisons, overlap=3, annotators=[*judges, factory.bob()])
    for place, comparison in enumerate(campaign.comparisons.order_by("pk")):
        truth = FIRST if place % 2 else SECOND
        slots = list(comparison.slots.order_by("number"))
        for slot, judge in zip(slots, judges, strict=False):
            factory.judgment(slot, judge, tiers=truth)
        factory.judgment(slots[2], tiers=FIRST)  # shown in their order: the first one is left
    return campaign


def test_who_always_takes_the_left_side_is_reported_once_with_the_figures(factory: Factory) -> None:
    campaign = biased_campaign(factory)

    quality_alerts.watch(campaign)

    alert = Alert.objects.get(campaign=campaign, kind="position_bias")
    assert alert.message == "bob chose the left reply in 100\N{NO-BREAK SPACE}% of 40 preferences."
    assert quality_alerts.watch(campaign) == 0  # nothing new was judged since


def test_only_open_campaigns_are_watched(factory: Factory) -> None:
    campaign = biased_campaign(factory)
    Campaign.objects.filter(pk=campaign.pk).update(status="paused")

    assert quality_alerts.watch_open_campaigns() == 0


def test_the_sequential_test_pauses_nobody_unless_the_campaign_pauses_for_gold(factory: Factory) -> None:
    campaign = biased_campaign(factory, 80)
    quality_alerts.watch(campaign)

    assert Enrolment.objects.get(campaign=campaign, annotator__name="bob").is_active


def test_an_upheld_pause_keeps_its_reason_with_the_managers_answer(factory: Factory) -> None:
    campaign, bob = factory.campaign(), factory.person()
    quality_pauses.pause(campaign=campaign, annotator=bob, kind="gold", reason="2 of 10 are right")
    quality_pauses.dispute(campaign=campaign, annotator=bob, text="The gold is wrong.")

    quality_alerts.uphold_pause(enrolment=Enrolment.objects.get(annotator=bob), answer="I checked it.")

    place = Enrolment.objects.get(annotator=bob)
    assert place.pause_reason == "2 of 10 are right. The manager has read what you wrote: I checked it."
    assert (place.is_active, place.dispute) == (False, "")
    assert not Alert.objects.filter(kind="dispute", resolved_at=None).exists()
