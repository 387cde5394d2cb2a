"""Routing: a judge decides what is clear to it, people decide the rest and, unknowingly, a sample of the clear ones.

In a routed campaign the slots of people are held back, and the judge gets a slot of its own for each comparison. After
its verdict the people's slots of a comparison are served, or stay held. A served slot says nothing of why it is served,
so that an audit looks like any other task.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from django.db import transaction
from django.db.models import Max
from django.utils import timezone

from annotation.judge_verdicts import restored
from annotation.judging import Judged
from annotation.judging.routing import Route, RoutingPolicy, route
from annotation.models import Annotator, Campaign, Comparison, JudgeVerdict, JudgingRun, Routing, Slot
from core.errors import ConcordError

HELD = "held"  # in Slot.served_because, of people's slots that wait for the judge
OWN = "routing"  # in Slot.served_because, of the judge's own slots
RESERVED = timedelta(days=36_500)  # nobody else takes the judge's slots over before it has seen them
BATCH = 2000


class RoutingRefused(ConcordError):
    """This campaign or judge cannot be routed like this."""

    status = 422
    title = "This routing is not possible"


def set_routing(
    *,
    campaign: Campaign,
    judge: Annotator,
    min_margin: float = 0.0,
    flipped_to_people: bool = True,
    audit_share: float = 0.1,
    seed: int = 0,
) -> Routing:
    """Hold people's free slots until the judge has spoken; verdicts that are there already are routed at once.

    Raises `RoutingRefused`.
    """
    if judge.kind != Annotator.Kind.JUDGE or judge.workspace_id != campaign.workspace_id:
        raise RoutingRefused(f"{judge} is no judge of the campaign's workspace; routing needs one.")
    if campaign.status == Campaign.Status.CLOSED:
        raise RoutingRefused(f"{campaign} is closed; nothing is served in it any more.")
    values = {
        "judge": judge,
        "min_margin": min_margin,
        "flipped_to_people": flipped_to_people,
        "audit_share": audit_share,
        "seed": seed,
    }
    policy_of(Routing(campaign=campaign, **values))
    with transaction.atomic():
        routing, _ = Routing.objects.update_or_create(campaign=campaign, defaults=values)
        _hold(campaign)
        _route_all(routing)
    return routing


def stop_routing(*, campaign: Campaign) -> int:
    """Serve everything that is held, and take back the judge's slots without an answer; returns how many are served."""
    with transaction.atomic():
        routing = routing_of(campaign)
        if routing is None:
            return 0
        own = Slot.objects.filter(campaign=campaign, annotator=routing.judge, judged_at=None, served_because=OWN)
        own.delete()
        num_served = _serve(Slot.objects.filter(campaign=campaign))
        routing.delete()
    return num_served


def routing_of(campaign: Campaign) -> Routing | None:
    """The campaign's rule, if it has one."""
    found: Routing | None = Routing.objects.select_related("judge").filter(campaign=campaign).first()
    return found


def policy_of(routing: Routing) -> RoutingPolicy:
    """The rule as the pure functions take it. Raises `RoutingRefused` for values outside 0 … 1."""
    try:
        return RoutingPolicy(
            min_margin=routing.min_margin,
            flipped_to_people=routing.flipped_to_people,
            audit_share=routing.audit_share,
            seed=routing.seed,
        )
    except ValueError as error:
        raise RoutingRefused(f"{str(error)[:1].upper()}{str(error)[1:]}.") from error


def columns_of_new_slots(campaign: Campaign) -> dict[str, Any]:
    """What people's new slots of the campaign begin with."""
    if not Routing.objects.filter(campaign=campaign).exists():
        return {}
    return {"withdrawn_at": timezone.now(), "served_because": HELD}


def prepare(run: JudgingRun) -> int:
    """Give the judge a slot of its own for every comparison that it has none of; returns how many are new."""
    routing = routing_of(run.campaign)
    if routing is None or routing.judge_id != run.annotator_id or run.campaign.status != Campaign.Status.OPEN:
        return 0
    own = Slot.objects.filter(campaign=run.campaign, annotator=run.annotator, purpose=Slot.Purpose.MAIN)
    missing = run.campaign.comparisons.filter(gold__isnull=True).exclude(pk__in=own.values("comparison"))
    missing = missing.exclude(skips__annotator=run.annotator).annotate(last=Max("slots__number"))
    slots = [_own_slot(run, comparison, place) for place, comparison in enumerate(missing.order_by("pair_key", "pk"))]
    return len(Slot.objects.bulk_create(slots, batch_size=BATCH, ignore_conflicts=True))


def take_away(slot: Slot) -> bool:
    """Delete a judge's own slot that it has no answer to; False for a slot that is anybody's."""
    return bool(Slot.objects.filter(pk=slot.pk, served_because=OWN, judged_at=None).delete()[0])


def apply(run: JudgingRun, judged: Mapping[int | None, Judged]) -> int:
    """Serve people's slots of the comparisons that want people; returns how many slots. Nothing without routing."""
    routing = routing_of(run.campaign)
    if routing is None or routing.judge_id != run.annotator_id:
        return 0
    policy = policy_of(routing)
    wanted = [pk for pk, found in judged.items() if route(policy, pk, found).wants_people]
    return _serve(Slot.objects.filter(comparison__in=wanted, comparison__settled_at=None))


def routes_of(routing: Routing) -> dict[int, Route]:
    """comparison → who decides it, of all that the judge has judged in the campaign."""
    rows = JudgeVerdict.objects.filter(run__campaign=routing.campaign, run__annotator=routing.judge, run__kind="answer")
    policy = policy_of(routing)
    return {
        pk: route(policy, pk, restored(details))
        for pk, details in rows.newest_of_each_comparison().values_list("comparison_id", "details")
    }


def num_held(campaign: Campaign) -> int:
    """People's slots that are not served."""
    return Slot.objects.filter(campaign=campaign, served_because=HELD, judged_at=None).count()


def _hold(campaign: Campaign) -> None:
    free = Slot.objects.filter(campaign=campaign, purpose=Slot.Purpose.MAIN, annotator=None, judged_at=None)
    free.filter(withdrawn_at=None).update(withdrawn_at=timezone.now(), served_because=HELD)


def _serve(slots: Any) -> int:
    held = slots.filter(purpose=Slot.Purpose.MAIN, served_because=HELD, annotator=None, judged_at=None)
    return int(held.update(withdrawn_at=None, served_because=""))


def _route_all(routing: Routing) -> None:
    wanted = [pk for pk, found in routes_of(routing).items() if found.wants_people]
    _serve(Slot.objects.filter(comparison__in=wanted, comparison__settled_at=None))


def _own_slot(run: JudgingRun, comparison: Comparison, place: int) -> Slot:
    """Under a lease from the beginning; sides take turns."""
    order = list(range(comparison.num_completions))
    turn = place % max(1, len(order))
    now = timezone.now()
    return Slot(
        campaign=run.campaign,
        comparison=comparison,
        number=(comparison.last or 0) + 1,  # type: ignore[attr-defined] # annotated by `prepare`
        priority=comparison.priority,
        pair_key=comparison.pair_key,
        annotator=run.annotator,
        token=uuid.uuid4(),
        leased_until=now + RESERVED,
        display_order=order[turn:] + order[:turn],
        served_at=now,
        served_because=OWN,
        question_version=run.campaign.question_version,
    )
