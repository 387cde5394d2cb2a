"""LLM judges: a list, a page on which one is read and written, and what it replied, word for word."""

from dataclasses import fields
from typing import Any

from django.contrib import messages
from django.core.paginator import Paginator
from django.db.models import Count, Q
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_GET, require_POST

from accounts import access
from annotation import judge_versions, rereading
from annotation.injection_tests import start_injection_test
from annotation.judge_report import outcomes_of_calls
from annotation.judges import newest_version
from annotation.judging import JudgeSpec
from annotation.models import Annotator, JudgeCall, JudgingRun
from core.errors import ConcordError, NotFound
from frontend.access import SignedInRequest, is_reader, may_manage, signed_in
from frontend.imports import managed_workspaces
from frontend.judge_forms import JudgeForm

CALLS_A_PAGE = 50
NUM_RUNS = 20
ALWAYS_SHOWN = ("orders", "conflict", "num_samples", "temperature", "num_retries")


@require_GET
@signed_in
def judges(request: SignedInRequest) -> HttpResponse:
    """Every judge that the user may read."""
    if not is_reader(request.user):
        raise NotFound("There are no judges for you to read.")
    rows = Annotator.objects.visible_to(request.user).filter(kind=Annotator.Kind.JUDGE).order_by("name")
    counted = rows.annotate(num_judged=Count("judgments", filter=Q(judgments__is_current=True), distinct=True))
    found = [(row, newest_version(row)) for row in counted.select_related("workspace")]
    may_write = managed_workspaces(request.user).exists()
    return render(request, "frontend/judges/list.html", {"judges": found, "may_write": may_write})


@require_GET
@signed_in
def new_judge(request: SignedInRequest) -> HttpResponse:
    """The form that makes one."""
    _require_some_workspace(request)
    return render(request, "frontend/judges/new.html", {"form": JudgeForm(user=request.user)})


@require_POST
@signed_in
def create_judge(request: SignedInRequest) -> HttpResponse:
    """Make a judge. What was refused comes back with the reason."""
    _require_some_workspace(request)
    form = JudgeForm(request.POST, user=request.user)
    if form.is_valid():
        try:
            judge = judge_versions.create_llm_judge(
                workspace=form.cleaned_data["model"].workspace,
                name=form.cleaned_data["name"],
                protocol=form.cleaned_data["protocol"],
                parameters=form.parameters,
                user=request.user,
                **form.columns,
            )
            return redirect("judge", judge.pk)
        except ConcordError as error:
            form.add_error(None, error.detail)
    return render(request, "frontend/judges/new.html", {"form": form}, status=422)


@require_GET
@signed_in
def judge(request: SignedInRequest, judge_id: int) -> HttpResponse:
    """Its newest version (`?version=1`: an earlier one), its runs and campaigns, and the form for the next version."""
    return render(request, "frontend/judges/page.html", _page(request, _judge(request, judge_id)))


@require_POST
@signed_in
def add_version(request: SignedInRequest, judge_id: int) -> HttpResponse:
    """Make the next version. What was refused comes back with the reason."""
    found = _judge(request, judge_id)
    access.require_manager(request.user, found.workspace)
    form = JudgeForm(request.POST, user=request.user, version=newest_version(found))
    if form.is_valid():
        try:
            version = judge_versions.add_version(
                judge=found, parameters=form.parameters, user=request.user, **form.columns
            )
            messages.info(request, f"{version} is what the judge is now.")
            return redirect("judge", found.pk)
        except ConcordError as error:
            form.add_error(None, error.detail)
    return render(request, "frontend/judges/page.html", {**_page(request, found), "form": form}, status=422)


@require_POST
@signed_in
def test_injection(request: SignedInRequest, judge_id: int) -> HttpResponse:
    """Run the attacks of the injection test against the newest version."""
    found = _judge(request, judge_id)
    access.require_manager(request.user, found.workspace)
    try:
        run = start_injection_test(judge=found, user=request.user)
    except ConcordError as error:
        messages.error(request, error.detail)
        return redirect("judge", found.pk)
    return redirect("judging-run", run.pk)


@require_GET
@signed_in
def calls(request: SignedInRequest, run_id: int) -> HttpResponse:
    """The calls of a run with their raw replies; `?outcome=unparsed` and `?comparison=7` choose among them."""
    run = _run(request, run_id)
    rows = JudgeCall.objects.filter(run=run).order_by("comparison_id", "pk")
    outcome, comparison = request.GET.get("outcome", ""), request.GET.get("comparison", "")
    if outcome in JudgeCall.Outcome.values:
        rows = rows.filter(outcome=outcome)
    if comparison.isdecimal() and len(comparison) < 18:
        rows = rows.filter(comparison=int(comparison))
    context = {
        "run": run,
        "outcome": outcome,
        "outcomes": JudgeCall.Outcome.choices,
        "page": Paginator(rows, CALLS_A_PAGE).get_page(request.GET.get("page")),
        "may_manage": may_manage(request.user, run.campaign.workspace),
    }
    return render(request, "frontend/judges/calls.html", context)


@require_POST
@signed_in
def reread(request: SignedInRequest, run_id: int) -> HttpResponse:
    """Read the stored replies of a run again."""
    run = _run(request, run_id)
    access.require_manager(request.user, run.campaign.workspace)
    found = rereading.reread(run)
    messages.info(
        request,
        f"{found.num_calls} replies were read again: {found.num_outcomes_changed} are understood otherwise, "
        f"{found.num_answers_changed} answers were revised, {found.num_answerable} have an answer now.",
    )
    return redirect("judging-run", run.pk)


def _page(request: SignedInRequest, found: Annotator) -> dict[str, Any]:
    versions = list(found.versions.select_related("model", "created_by", "judge").order_by("-number"))
    shown = next((one for one in versions if str(one.number) == request.GET.get("version")), None)
    shown = shown or next(iter(versions), None)
    may_write = may_manage(request.user, found.workspace)
    runs = found.judging_runs.select_related("campaign", "version", "annotator").order_by("-pk")
    outcomes = outcomes_of_calls(None, shown)
    return {
        "judge": found,
        "versions": versions,
        "shown": shown,
        "template": shown.spec["template"] if shown else None,
        "parameters": _parameters(shown.spec) if shown else found.parameters,
        "members": Annotator.objects.filter(pk__in=found.parameters.get("members", [])),
        "runs": runs[:NUM_RUNS],
        "campaigns": found.enrolments.select_related("campaign").order_by("-pk"),
        "outcomes": outcomes,
        "num_calls": sum(outcomes.values()),
        "attack": _newest_attack(found, shown),
        "form": JudgeForm(user=request.user, version=versions[0]) if may_write and versions else None,
        "may_write": may_write,
    }


def _parameters(spec: dict[str, Any]) -> dict[str, Any]:
    """What is set, and what matters to every judge."""
    defaults = {item.name: list(item.default) if item.default == () else item.default for item in fields(JudgeSpec)}
    return {
        name: value
        for name, value in spec.items()
        if name not in ("template", "protocol") and (name in ALWAYS_SHOWN or value != defaults[name])
    }


def _newest_attack(found: Annotator, shown: Any) -> JudgingRun | None:
    runs = found.judging_runs.filter(kind=JudgingRun.Kind.ATTACK, version=shown, status=JudgingRun.Status.FINISHED)
    newest: JudgingRun | None = runs.order_by("-pk").first()
    return newest


def _require_some_workspace(request: SignedInRequest) -> None:
    if not managed_workspaces(request.user).exists():
        raise NotFound("There is no workspace in which you may make a judge.")


def _judge(request: SignedInRequest, judge_id: int) -> Annotator:
    rows = Annotator.objects.visible_to(request.user).filter(kind=Annotator.Kind.JUDGE).select_related("workspace")
    found: Annotator = get_object_or_404(rows, pk=judge_id)
    return found


def _run(request: SignedInRequest, run_id: int) -> JudgingRun:
    rows = JudgingRun.objects.visible_to(request.user).select_related("campaign__workspace", "annotator", "version")
    found: JudgingRun = get_object_or_404(rows, pk=run_id)
    return found
