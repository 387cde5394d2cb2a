"""Gold items: comparisons whose answer is known, and what they say of an annotator."""

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from django.db.models import Count, F, Min
from django.db.models.fields.json import KeyTextTransform
from django.utils import timezone

from annotation import quality_pauses
from annotation.gold_rules import is_right
from annotation.models import Annotator, Campaign, Comparison, Enrolment, Judgment, Slot
from annotation.question import Question
from core.errors import ConcordError

Unanimous = tuple[Comparison, list[list[int]], int]  # its order, and how many gave it
GOLD, QUALIFICATION = Slot.Purpose.GOLD, Slot.Purpose.QUALIFICATION


class GoldRefused(ConcordError):
    """This comparison cannot become a gold item."""

    status = 422
    title = "This cannot be a gold item"


@dataclass(frozen=True, kw_only=True)
class GoldScore:
    """How many gold items an annotator got right."""

    num_right: int
    num_judged: int

    @property
    def share(self) -> float:
        return self.num_right / self.num_judged if self.num_judged else 0.0


def promote(
    *, comparison: Comparison, answer: dict[str, Any], note: str = "", is_qualification: bool = False
) -> Comparison:
    """Make a comparison a gold item with this (canonical) answer; its open slots are no longer wanted.

    Judgments that it has already stay what they are. Raises `GoldRefused`.
    """
    question = Question.from_json(comparison.campaign.question)
    if not answer.get("tiers"):
        raise GoldRefused("A gold item needs an order of its completions: tiers, best first.")
    if question.kind == "demonstration":
        raise GoldRefused("A written demonstration has no one right answer.")
    comparison.gold, comparison.gold_note, comparison.is_qualification = answer, note, is_qualification
    comparison.save(update_fields=["gold", "gold_note", "is_qualification"])
    comparison.slots.filter(judged_at=None, purpose=Slot.Purpose.MAIN).update(withdrawn_at=timezone.now())
    return comparison


def demote(*, comparison: Comparison) -> None:
    """Make a gold item an ordinary comparison again; what was withdrawn for it is wanted again."""
    if comparison.gold is None:
        return
    comparison.gold, comparison.is_qualification, comparison.gold_note = None, False, ""
    comparison.save(update_fields=["gold", "gold_note", "is_qualification"])
    comparison.slots.filter(judged_at=None, purpose=Slot.Purpose.MAIN).update(withdrawn_at=None)


def promote_unanimous(*, campaign: Campaign, min_judgments: int = 3, limit: int = 50) -> int:
    """Promote comparisons about which several annotators said the same, no ties; returns how many."""
    tiers = KeyTextTransform("tiers", "judgments__answer")
    judged = campaign.comparisons.filter(gold__isnull=True, judgments__is_current=True, judgments__purpose="main")
    agreed = judged.annotate(
        num_judgments=Count("judgments"), num_orders=Count(tiers), num_different=Count(tiers, distinct=True)
    ).filter(num_judgments__gte=min_judgments, num_orders=F("num_judgments"), num_different=1)
    chosen = _spread(_strict(agreed.annotate(said=Min(tiers)).order_by("pk")))[:limit]
    for comparison, said, number in chosen:
        promote(comparison=comparison, answer={"tiers": said}, note=f"{number} annotators agreed on it.")
    return len(chosen)


def _spread(rows: Iterable[Unanimous]) -> list[Unanimous]:
    """One of each prompt first, then a second one: several about one prompt would be recognised."""
    num_of: Counter[int] = Counter()
    numbered = []
    for row in rows:
        num_of[row[0].prompt_id] += 1
        numbered.append((num_of[row[0].prompt_id], row))
    return [row for _, row in sorted(numbered, key=lambda pair: pair[0])]


def _strict(agreed: Iterable[Any]) -> Iterator[Unanimous]:
    """Those without a tie: comparison, order, number of judgments."""
    for comparison in agreed:
        said = json.loads(comparison.said)
        if said and all(len(tier) == 1 for tier in said):
            yield comparison, said, comparison.num_judgments


def score_of(campaign: Campaign, annotator: Annotator, *purposes: str) -> GoldScore:
    """The annotator's first answers to gold items, held against the known ones."""
    rows = Judgment.objects.filter(
        comparison__campaign=campaign, annotator=annotator, purpose__in=purposes or (GOLD,), revises=None
    )
    said = rows.filter(comparison__gold__isnull=False).values_list("answer", "comparison__gold")
    right = [is_right(answer, gold) for answer, gold in said]
    return GoldScore(num_right=sum(right), num_judged=len(right))


def check(slot: Slot, judgment: Judgment) -> None:
    """After an answer to a gold item: qualify its annotator, or pause them below the campaign's threshold."""
    if slot.purpose == QUALIFICATION:
        _check_qualification(slot.campaign, judgment.annotator)
    elif slot.purpose == GOLD:
        _check_gold(slot.campaign, judgment.annotator)


def _check_qualification(campaign: Campaign, annotator: Annotator) -> None:
    score = score_of(campaign, annotator, QUALIFICATION)
    num_items = campaign.comparisons.filter(is_qualification=True).count()
    if score.num_judged < min(campaign.num_qualification, num_items):
        return
    if score.share >= campaign.qualification_pass:
        Enrolment.objects.filter(campaign=campaign, annotator=annotator).update(qualified_at=timezone.now())
        return
    quality_pauses.pause(
        campaign=campaign,
        annotator=annotator,
        kind="qualification",
        reason=f"{score.num_right} of your {score.num_judged} qualification tasks agree with the known answers; "
        f"{campaign.qualification_pass:.0%} are needed",
    )


def _check_gold(campaign: Campaign, annotator: Annotator) -> None:
    if campaign.pause_below is None:
        return
    score = score_of(campaign, annotator, GOLD)
    if score.num_judged < campaign.pause_after or score.share >= campaign.pause_below:
        return
    quality_pauses.pause(
        campaign=campaign,
        annotator=annotator,
        kind="gold",
        reason=f"{score.num_right} of {score.num_judged} of your answers to tasks with a known answer agree with it "
        f"({score.share:.0%}); this campaign asks for {campaign.pause_below:.0%}",
    )
