"""The rows of a dataset with the judgments that they rest on."""

from typing import Any

from django.core.paginator import Paginator
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.http import require_GET

from annotation import dataset_trace
from annotation.models import Annotator, Dataset, Judgment
from frontend.access import SignedInRequest, signed_in
from frontend.decisions import in_words
from frontend.preview import readable

ROWS_PER_PAGE = 20


@require_GET
@signed_in
def judgments(request: SignedInRequest, dataset_id: int) -> HttpResponse:
    """A page of rows, of one annotator's if one is chosen."""
    dataset: Dataset = get_object_or_404(Dataset.objects.visible_to(request.user), pk=dataset_id)
    shares = dataset_trace.shares(dataset)
    chosen = _chosen(request.GET.get("annotator", ""), shares)
    page = Paginator(dataset_trace.row_numbers(dataset, annotator=chosen), ROWS_PER_PAGE).get_page(
        request.GET.get("page")
    )
    context = {
        "dataset": dataset,
        "shares": shares,
        "chosen": chosen,
        "page": page,
        "num_rows": page.paginator.count,
        "rows": [_shown(row) for row in dataset_trace.traced(dataset, page.object_list)],
    }
    return render(request, "frontend/trace/page.html", context)


def _chosen(text: str, shares: list[dataset_trace.Share]) -> Annotator | None:
    """The annotator with this id, if any row rests on one of theirs."""
    return next((share.annotator for share in shares if str(share.annotator.pk) == text), None)


def _shown(row: dataset_trace.TracedRow) -> dict[str, Any]:
    said = [_judged(one, row.row) for one in row.judgments]
    return {"number": row.number + 1, "row": readable(row.row), "judgments": said}


def _judged(judgment: Judgment, row: dict[str, Any]) -> dict[str, Any]:
    verdict = getattr(judgment, "judge_verdict", None)
    words = _about(judgment, row) or in_words(judgment.answer)
    return {"judgment": judgment, "words": words, "version": verdict.version if verdict else None}


def _about(judgment: Judgment, row: dict[str, Any]) -> str:
    """What an answer says about the two replies of a row; empty for other rows, and where it says nothing of them."""
    positions = {one.completion_id: one.position for one in judgment.comparison.candidates.all()}
    tier_of = {place: number for number, tier in enumerate(judgment.answer.get("tiers") or []) for place in tier}
    chosen, rejected = (tier_of.get(positions.get(row.get(side, 0), -1)) for side in ("chosen_id", "rejected_id"))
    if chosen is None or rejected is None:
        return ""
    return "level" if chosen == rejected else "for the chosen one" if chosen < rejected else "for the rejected one"
