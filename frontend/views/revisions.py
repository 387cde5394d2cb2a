"""Revision runs: what a constitution made of replies, and what is compared because of it."""

from itertools import groupby

from django.contrib import messages
from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_GET, require_POST

from accounts import access
from annotation.models import Campaign
from annotation.revision_comparisons import add_revision_comparisons
from core import jobs
from frontend.access import SignedInRequest, may_engineer, may_manage, signed_in
from frontend.views.constitutions import RevisionForm
from generation import constitution_services as services
from generation.models import Completion, Constitution, RevisionRun

ORIGINALS_PER_PAGE = 10


@require_POST
@signed_in
def start(request: SignedInRequest, constitution_id: int) -> HttpResponse:
    """Revise replies by the newest version."""
    constitution: Constitution = get_object_or_404(Constitution.objects.visible_to(request.user), pk=constitution_id)
    access.require_engineer(request.user, constitution.workspace)
    form = RevisionForm(request.POST, constitution=constitution)
    if not form.is_valid():
        context = {"form": form}
        return render(request, "frontend/exchange/form_errors.html", context, status=422)
    run = services.start_revision_run(
        workspace=constitution.workspace,
        version=services.newest_version(constitution),
        user=request.user,
        **form.cleaned_data,
    )
    return redirect("revision-run", run.pk)


@require_GET
@signed_in
def revision_run(request: SignedInRequest, run_id: int) -> HttpResponse:
    """One run with its originals, critiques and revisions; htmx gets the moving part alone."""
    run = _run(request, run_id)
    if request.htmx:
        return render(request, "frontend/jobs/state.html", {"run": run, "state_url": request.path})
    originals = Completion.objects.filter(revisions_from__run=run).distinct().order_by("pk")
    page = Paginator(originals, ORIGINALS_PER_PAGE).get_page(request.GET.get("page"))
    rows = run.revisions.filter(original__in=list(page)).select_related("original__prompt", "completion")
    context = {
        "run": run,
        "state_url": request.path,
        "page": page,
        "rows": [(original, list(revisions)) for original, revisions in groupby(rows, key=lambda one: one.original)],
        "num_originals": page.paginator.count,
        "may_cancel": not run.has_ended and may_engineer(request.user, run.workspace),
        "campaigns": _campaigns(run) if run.has_ended and may_manage(request.user, run.workspace) else [],
    }
    return render(request, "frontend/constitutions/revision_run.html", context)


@require_POST
@signed_in
def cancel(request: SignedInRequest, run_id: int) -> HttpResponse:
    """Ask the run to stop."""
    run = _run(request, run_id)
    access.require_engineer(request.user, run.workspace)
    jobs.request_cancel(run)
    return redirect("revision-run", run_id)


@require_POST
@signed_in
def compare(request: SignedInRequest, run_id: int) -> HttpResponse:
    """Add each original beside its last revision to a campaign."""
    run = _run(request, run_id)
    access.require_manager(request.user, run.workspace)
    number = request.POST.get("campaign", "")
    campaign = get_object_or_404(_campaigns(run), pk=int(number) if number.isdecimal() and len(number) < 19 else 0)
    num_added = add_revision_comparisons(campaign=campaign, revision_run=run)
    messages.success(request, f"{num_added} comparisons were added to {campaign}.")
    return redirect("revision-run", run_id)


def _campaigns(run: RevisionRun) -> QuerySet[Campaign]:
    """Campaigns that take comparisons of two."""
    return Campaign.objects.filter(workspace=run.workspace, question__kind="pairwise").exclude(
        status=Campaign.Status.CLOSED
    )


def _run(request: SignedInRequest, run_id: int) -> RevisionRun:
    rows = RevisionRun.objects.visible_to(request.user)
    related = rows.select_related("workspace", "sampling_run", "version__constitution", "model")
    found: RevisionRun = get_object_or_404(related, pk=run_id)
    return found
