"""Adaptive selection: after every answer, what one more judgment of each of the prompt's comparisons would tell."""

from collections import defaultdict
from collections.abc import Iterable, Sequence

from django.db.models import Case, FloatField, Value, When
from django.utils import timezone

from annotation import scheduling
from annotation.models import Campaign, Candidate, Comparison, Judgment, Slot


def update_after(slot: Slot) -> None:
    """Score the prompt's open slots anew, and withdraw them once its order is settled. Only in adaptive campaigns."""
    if slot.campaign.selection == Campaign.Selection.ADAPTIVE and slot.purpose == Slot.Purpose.MAIN:
        prompt_id = Comparison.objects.values_list("prompt_id", flat=True).get(pk=slot.comparison_id)
        update_prompt(slot.campaign, prompt_id)


def one_of_each_prompt(slots: Iterable[Slot]) -> list[Slot]:
    """Of many slots one for each prompt of an adaptive campaign: scores are a prompt's."""
    adaptive = {slot.comparison_id: slot for slot in slots if slot.campaign.selection == Campaign.Selection.ADAPTIVE}
    rows = Comparison.objects.filter(pk__in=adaptive).values_list("prompt_id", "pk")
    return [adaptive[pk] for pk in dict(rows).values()]


def update_campaign(campaign: Campaign) -> None:
    """Score every prompt, for instance after the policy has become adaptive."""
    for prompt_id in campaign.comparisons.order_by("prompt").values_list("prompt_id", flat=True).distinct():
        update_prompt(campaign, prompt_id)


def update_prompt(campaign: Campaign, prompt_id: int) -> None:
    """The same for one prompt, from all main judgments of its comparisons in this campaign."""
    completions_of = _completions(campaign, prompt_id)
    names = sorted({pk for completions in completions_of.values() for pk in completions})
    if len(names) < 2:
        return
    votes = scheduling.count_votes(names, _judged(completions_of))
    _store_scores(completions_of, scheduling.score_pairs(votes))
    probability = campaign.settled_probability
    if probability is not None and scheduling.is_settled(votes, probability):
        _settle(completions_of)


def _completions(campaign: Campaign, prompt_id: int) -> dict[int, list[int]]:
    """comparison → its completions by position."""
    placed = Candidate.objects.filter(comparison__campaign=campaign, comparison__prompt=prompt_id)
    found: dict[int, list[int]] = defaultdict(list)
    rows = placed.order_by("comparison", "position").values_list("comparison_id", "completion_id")
    for comparison_id, completion_id in rows:
        found[comparison_id].append(completion_id)
    return found


def _judged(completions_of: dict[int, list[int]]) -> list[scheduling.Judged]:
    rows = Judgment.objects.current().filter(comparison__in=completions_of, purpose=Slot.Purpose.MAIN).order_by("pk")
    return [(completions_of[pk], answer) for pk, answer in rows.values_list("comparison_id", "answer")]


def _store_scores(completions_of: dict[int, list[int]], scores: dict[scheduling.Pair, float]) -> None:
    """One statement. Rows that somebody is claiming wait for nothing: they are skipped, and scored again later."""
    cases = [
        When(comparison_id=pk, then=Value(scheduling.score_comparison(scores, completions)))
        for pk, completions in completions_of.items()
    ]
    open_slots = Slot.objects.filter(comparison__in=completions_of, judged_at=None, purpose=Slot.Purpose.MAIN)
    unlocked = open_slots.select_for_update(skip_locked=True, of=("self",)).order_by("pk").values("pk")
    Slot.objects.filter(pk__in=unlocked).update(score=Case(*cases, output_field=FloatField(), default=Value(0.0)))


def _settle(comparisons: Sequence[int] | dict[int, list[int]]) -> None:
    """The order is known: nobody needs to be asked any more, except who has been asked already."""
    now = timezone.now()
    Comparison.objects.filter(pk__in=comparisons, settled_at=None).update(settled_at=now)
    Slot.objects.filter(
        comparison__in=comparisons, judged_at=None, annotator=None, purpose=Slot.Purpose.MAIN, withdrawn_at=None
    ).update(withdrawn_at=now)
