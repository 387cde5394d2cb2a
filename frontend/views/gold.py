"""Gold items: comparisons whose answer is known, how often they are missed, and which could become one."""

from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_GET, require_POST

from annotation import adjudication
from annotation import gold as gold_items_service
from annotation.campaign_report import Dashboard, dashboard
from annotation.consensus import newest_run
from annotation.gold_candidates import candidates
from annotation.models import Campaign, Comparison
from annotation.question import Question
from frontend.access import SignedInRequest, may_manage, signed_in
from frontend.choices import pairwise_choices
from frontend.decisions import LETTERS, answer_from_form, in_words, order_in_words
from frontend.views.campaigns import managed_campaign, readable_campaign

NUM_CANDIDATES = 20
MISSED_OFTEN = 0.5  # share of answers to a gold item that are wrong, from which the item itself is suspect
FEWEST_TO_SUSPECT = 3


@require_GET
@signed_in
def gold_items(request: SignedInRequest, campaign_id: int) -> HttpResponse:
    """Gold items with what annotators made of them, and candidates."""
    found = readable_campaign(request, campaign_id)
    question = Question.from_json(found.question)
    context = {
        "campaign": found,
        "may_manage": may_manage(request.user, found.workspace),
        "items": _items(found, dashboard(found)),
        "candidates": [
            {**vars(one), "words": order_in_words(one.tiers)} for one in candidates(found, limit=NUM_CANDIDATES)
        ],
        "question": question,
        "letters": LETTERS[: question.num_completions],
        "choices": [choice for choice in pairwise_choices(question) if choice.side != "aside"]
        if question.kind == "pairwise"
        else [],
        "is_possible": question.kind != "demonstration",
        "newest_run": newest_run(found),
    }
    return render(request, "frontend/gold/page.html", context)


@require_POST
@signed_in
def promote(request: SignedInRequest, campaign_id: int, comparison_id: int) -> HttpResponse:
    """Make a comparison a gold item, with the answer that the manager gives or that the others gave."""
    found = managed_campaign(request, campaign_id)
    comparison = _comparison(found, comparison_id)
    gold_items_service.promote(
        comparison=comparison,
        answer=_answer(request, found, comparison),
        note=request.POST.get("note", "").strip()[:2000],
        is_qualification="qualification" in request.POST,
    )
    messages.info(request, f"Comparison {comparison.pk} is a gold item now.")
    return redirect("gold", campaign_id)


@require_POST
@signed_in
def promote_unanimous(request: SignedInRequest, campaign_id: int) -> HttpResponse:
    """Make comparisons gold about which several annotators said the same."""
    found = managed_campaign(request, campaign_id)
    least = request.POST.get("min_judgments", "3")
    number = gold_items_service.promote_unanimous(
        campaign=found, min_judgments=max(2, int(least)) if least.isdecimal() and len(least) < 4 else 3
    )
    messages.info(request, f"{number} unanimous comparison{'' if number == 1 else 's'} became gold.")
    return redirect("gold", campaign_id)


@require_POST
@signed_in
def demote(request: SignedInRequest, campaign_id: int, comparison_id: int) -> HttpResponse:
    """Make a gold item an ordinary comparison again."""
    found = managed_campaign(request, campaign_id)
    gold_items_service.demote(comparison=_comparison(found, comparison_id))
    return redirect("gold", campaign_id)


def _comparison(campaign: Campaign, comparison_id: int) -> Comparison:
    rows = Comparison.objects.filter(campaign=campaign).select_related("campaign")
    found: Comparison = get_object_or_404(rows, pk=comparison_id)
    return found


def _answer(request: SignedInRequest, campaign: Campaign, comparison: Comparison) -> dict[str, Any]:
    """The answer of the form, checked against the question. Raises `DecisionRefused`, a page for people."""
    question = adjudication.order_question(Question.from_json(campaign.question))
    return adjudication.checked_answer(answer_from_form(request.POST.dict(), question), comparison)


def _items(campaign: Campaign, numbers: Dashboard) -> list[dict[str, Any]]:
    """Gold items, those that are missed most often first."""
    rows = []
    for comparison in campaign.comparisons.filter(gold__isnull=False).select_related("prompt"):
        num_judged, num_missed = numbers.gold_misses.get(comparison.pk, (0, 0))
        share = num_missed / num_judged if num_judged else None
        is_suspect = share is not None and num_judged >= FEWEST_TO_SUSPECT and share >= MISSED_OFTEN
        rows.append(
            {
                "comparison": comparison,
                "words": in_words(comparison.gold),
                "num_judged": num_judged,
                "num_missed": num_missed,
                "share": share,
                "is_suspect": is_suspect,
            }
        )
    return sorted(rows, key=lambda row: (-(row["share"] or 0), -row["num_judged"], row["comparison"].pk))
