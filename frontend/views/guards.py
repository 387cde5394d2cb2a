"""Checks of prompts and completions by guards: what they flagged, and the button that starts one."""

from collections import Counter
from typing import Any

from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_GET, require_POST

from accounts import access
from core import jobs
from frontend.access import SignedInRequest, may_engineer, signed_in
from frontend.job_state import refreshed_at_end
from generation import guard_services
from generation.guard_services import GuardRefused
from generation.guards.rules import DEFAULT_RULES, RulesInvalid, rules_from_json, rules_to_json
from generation.guards.rules_text import rules_from_text, rules_to_text
from generation.models import GuardRun, LanguageModel, PromptSet, SamplingRun

NUM_SHOWN = 50


@require_GET
@signed_in
def guard_run(request: SignedInRequest, run_id: int) -> HttpResponse:
    """One guard run with what it flagged; htmx gets the moving part alone."""
    run = _run(request, run_id)
    if request.htmx:
        moving = render(request, "frontend/jobs/state.html", {"run": run, "state_url": request.path})
        return refreshed_at_end(moving, run)
    verdicts = run.verdicts.select_related("prompt", "completion__prompt", "completion__model")
    flagged = verdicts.filter(is_flagged=True)
    context = {
        "run": run,
        "state_url": request.path,
        "may_cancel": not run.has_ended and may_engineer(request.user, run.workspace),
        "num_checked": verdicts.count(),
        "num_flagged": flagged.count(),
        "labels": Counter(
            label for labels in flagged.values_list("labels", flat=True) for label in labels
        ).most_common(),
        "flagged": flagged[:NUM_SHOWN],
        "unread": verdicts.filter(is_flagged=None)[:NUM_SHOWN],
        "rules_text": rules_to_text(rules_from_json(run.rules)) if run.rules else "",
        "num_unread": verdicts.filter(is_flagged=None).count(),
    }
    return render(request, "frontend/guards/page.html", context)


@require_POST
@signed_in
def start(request: SignedInRequest) -> HttpResponse:
    """Check the prompt set or the sampling run that the form names, by our rules or by the chosen model."""
    target = _target(request)
    access.require_engineer(request.user, target.workspace)
    chosen = request.POST.get("guard", "")
    guard = get_object_or_404(guards_for(target.workspace), pk=_number(chosen)) if chosen else None
    run = guard_services.start_guard_run(
        workspace=target.workspace,
        name=f"Check of {target}"[:120],
        prompt_set=target if isinstance(target, PromptSet) else None,
        sampling_run=target if isinstance(target, SamplingRun) else None,
        guard=guard,
        style=_style(guard),
        rules=_rules(request) if guard is None else None,
        user=request.user,
    )
    return redirect("guard-run", run.pk)


@require_POST
@signed_in
def cancel(request: SignedInRequest, run_id: int) -> HttpResponse:
    """Ask the run to stop."""
    run = _run(request, run_id)
    access.require_engineer(request.user, run.workspace)
    jobs.request_cancel(run)
    return redirect("guard-run", run_id)


def guards_for(workspace: Any) -> Any:
    """Models that can be asked whether something is safe: guards, and chat models that are asked our question."""
    kinds = (LanguageModel.Kind.GUARD, LanguageModel.Kind.POLICY)
    usable = LanguageModel.objects.filter(workspace=workspace, kind__in=kinds)
    return usable.exclude(source=LanguageModel.Source.NAMED).order_by("kind", "name")


def _rules(request: SignedInRequest) -> list[dict[str, Any]] | None:
    """Those that the form says; None, for ours, where it says none. Raises `GuardRefused`."""
    text = request.POST.get("rules", "").strip()
    try:
        return rules_to_json(rules_from_text(text)) if text else None
    except RulesInvalid as error:
        raise GuardRefused(f"The rules cannot be used: {error}.") from None


def newest_rules(workspace: Any) -> str:
    """As text, the rules of the workspace's last check by rules; ours before the first."""
    last = GuardRun.objects.filter(workspace=workspace, style=GuardRun.Style.RULES).order_by("-pk").first()
    return rules_to_text(rules_from_json(last.rules) if last else DEFAULT_RULES)


def _style(guard: LanguageModel | None) -> str:
    if guard is None:
        return GuardRun.Style.RULES
    return GuardRun.Style.NATIVE if guard.kind == LanguageModel.Kind.GUARD else GuardRun.Style.PROMPTED


def _target(request: SignedInRequest) -> PromptSet | SamplingRun:
    if number := request.POST.get("prompt_set"):
        prompt_set: PromptSet = get_object_or_404(PromptSet.objects.visible_to(request.user), pk=_number(number))
        return prompt_set
    rows = SamplingRun.objects.visible_to(request.user)
    run: SamplingRun = get_object_or_404(rows, pk=_number(request.POST.get("sampling_run", "")))
    return run


def _number(text: str) -> int:
    return int(text) if text.isdecimal() and len(text) < 19 else 0


def _run(request: SignedInRequest, run_id: int) -> GuardRun:
    rows = GuardRun.objects.visible_to(request.user).select_related("workspace", "prompt_set", "sampling_run", "guard")
    found: GuardRun = get_object_or_404(rows, pk=run_id)
    return found
