"""Prompt sets, language models and sampling runs."""

from typing import Any

from django.core.paginator import Paginator
from django.db.models import Count, Prefetch, Q
from django.http import HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_GET, require_POST

from accounts import access
from core import jobs
from frontend.access import SignedInRequest, may_engineer, signed_in
from frontend.content_policy import allows_plot_styles
from frontend.job_state import refreshed_at_end
from frontend.serving_panel import serving_context
from frontend.views.guards import guards_for, newest_rules
from frontend.views.scoring import reward_models_for
from generation import endpoint_checks
from generation.candidate_report import Lengths, flag_counts, least_diverse, lengths_of, mean_diversity
from generation.models import (
    Completion,
    CompletionScore,
    LanguageModel,
    Prompt,
    PromptSet,
    SamplingRun,
    ScoringRun,
)
from generation.sampling_figures import figures_of, total
from generation.splits import split_of

PROMPTS_PER_PAGE = 25
SAMPLED_PROMPTS_PER_PAGE = 10
FAILURES_SHOWN = 20


@require_GET
@signed_in
def prompt_set(request: SignedInRequest, set_id: int) -> HttpResponse:
    """One prompt set."""
    found: PromptSet = get_object_or_404(PromptSet.objects.visible_to(request.user), pk=set_id)
    prompts = found.prompts.order_by("pk")
    page = Paginator(prompts, PROMPTS_PER_PAGE).get_page(request.GET.get("page"))
    num_held_out = len(prompts.in_split("held_out", held_out_fraction=found.held_out_fraction))
    context = {
        "prompt_set": found,
        "page": page,
        "num_prompts": page.paginator.count,
        "num_held_out": num_held_out,
        "rows": [(prompt, split_of(prompt.fingerprint, found.held_out_fraction)) for prompt in page],
        "sampling_runs": found.sampling_runs.with_num_failed(),
        "may_sample": page.paginator.count > 0 and may_engineer(request.user, found.workspace),
        **_guards(request, found),
    }
    return render(request, "frontend/generation/prompt_set.html", context)


@require_GET
@signed_in
def language_model(request: SignedInRequest, model_id: int) -> HttpResponse:
    """One language model: where it comes from and where it is used."""
    found: LanguageModel = get_object_or_404(
        LanguageModel.objects.visible_to(request.user).select_related("parent", "endpoint_check"), pk=model_id
    )
    results = found.evaluation_results.select_related("run", "model")
    checkpoint = getattr(found, "checkpoint", None)
    context = {
        "model": found,
        **serving_context(request.user, found),
        "checkpoint": checkpoint,
        "results": results,
        "check": getattr(found, "endpoint_check", None),
        "may_check": found.source == LanguageModel.Source.SERVED and may_engineer(request.user, found.workspace),
    }
    return render(request, "frontend/generation/model.html", context)


@require_POST
@signed_in
def check_endpoint(request: SignedInRequest, model_id: int) -> HttpResponse:
    """Ask the model's server whether it is well."""
    found: LanguageModel = get_object_or_404(LanguageModel.objects.visible_to(request.user), pk=model_id)
    access.require_engineer(request.user, found.workspace)
    endpoint_checks.check_endpoint(model=found)
    return redirect("language-model", found.pk)


@require_GET
@signed_in
@allows_plot_styles
def sampling_run(request: SignedInRequest, run_id: int) -> HttpResponse:
    """One sampling run with its prompts and completions; htmx gets the moving part alone."""
    run = _run(request, run_id)
    context = _state(run) | {"run": run}
    if request.htmx:
        return refreshed_at_end(render(request, "frontend/generation/sampling_state.html", context), run)
    context |= _sampled(request, run) | _quality(run) | _guards(request, run) | _scoring(request, run)
    context |= _buttons(request, run)
    return render(request, "frontend/generation/sampling_run.html", context)


@require_GET
@signed_in
def sampling_figures(request: SignedInRequest, run_id: int) -> JsonResponse:
    """The numbers behind the figure of a sampling run."""
    return JsonResponse(_histogram(lengths_of(_run(request, run_id))))


@require_POST
@signed_in
def cancel_sampling(request: SignedInRequest, run_id: int) -> HttpResponse:
    """Ask the run to stop."""
    run = _run(request, run_id)
    access.require_engineer(request.user, run.workspace)
    jobs.request_cancel(run)
    return redirect("sampling-run", run_id)


def _run(request: SignedInRequest, run_id: int) -> SamplingRun:
    rows = SamplingRun.objects.visible_to(request.user).select_related("workspace", "prompt_set")
    found: SamplingRun = get_object_or_404(rows, pk=run_id)
    return found


def _state(run: SamplingRun) -> dict[str, Any]:
    """What moves while the run goes on."""
    arms = [(arm, figures_of(arm)) for arm in run.arms.with_figures().select_related("model")]
    kinds = run.failures.order_by().values("kind").annotate(num=Count("pk")).order_by("-num", "kind")
    return {
        "arms": arms,
        "total": total(figures for _, figures in arms),
        "failure_kinds": kinds.values_list("kind", "num"),
    }


def _buttons(request: SignedInRequest, run: SamplingRun) -> dict[str, Any]:
    may_engineer_it = may_engineer(request.user, run.workspace)
    is_short = run.status in {SamplingRun.Status.FAILED, SamplingRun.Status.CANCELLED} or run.failures.exists()
    return {
        "may_cancel": not run.has_ended and may_engineer_it,
        "may_retry": run.has_ended and is_short and may_engineer_it,
        "failures": run.failures.select_related("arm__model", "prompt")[:FAILURES_SHOWN],
    }


def _sampled(request: SignedInRequest, run: SamplingRun) -> dict[str, Any]:
    """A page of prompts, each with what every arm made of it."""
    is_sampled = Q(pk__in=run.completions.values("prompt"))
    prompts = Prompt.objects.filter(is_sampled | Q(pk__in=run.failures.values("prompt"))).order_by("pk")
    page = Paginator(prompts, SAMPLED_PROMPTS_PER_PAGE).get_page(request.GET.get("page"))
    by_arm: dict[tuple[int, int | None], list[Completion]] = {}
    completions = run.completions.filter(prompt__in=list(page)).prefetch_related("flags", _newest_scores(run))
    for completion in completions.order_by("index", "pk"):
        by_arm.setdefault((completion.prompt_id, completion.arm_id), []).append(completion)
    failures = {(one.prompt_id, one.arm_id): one for one in run.failures.filter(prompt__in=list(page))}
    arms = list(run.arms.select_related("model"))
    return {
        "page": page,
        "rows": [
            (prompt, [(arm, by_arm.get((prompt.pk, arm.pk), []), failures.get((prompt.pk, arm.pk))) for arm in arms])
            for prompt in page
        ],
        "num_completions": run.completions.count(),
        "num_duplicates": run.completions.exclude(duplicate_of=None).count(),
    }


def _newest_scores(run: SamplingRun) -> Prefetch[Any]:
    """`shown_scores`: of each completion the score of the newest scoring run, if there is one."""
    newest = run.scoring_runs.filter(status=ScoringRun.Status.FINISHED).order_by("-pk")[:1]
    return Prefetch("scores", CompletionScore.objects.filter(run__in=newest), to_attr="shown_scores")


def _guards(request: SignedInRequest, target: PromptSet | SamplingRun) -> dict[str, Any]:
    """Guard runs over it, and the guards that could check it, for those who may start one."""
    is_complete = isinstance(target, PromptSet) or target.has_ended
    may_start = is_complete and may_engineer(request.user, target.workspace)
    return {
        "guard_runs": target.guard_runs.select_related("guard"),
        "guards": guards_for(target.workspace) if may_start else None,
        "guard_rules": newest_rules(target.workspace) if may_start else "",
        "guard_target": "prompt_set" if isinstance(target, PromptSet) else "sampling_run",
        "guard_target_id": target.pk,
    }


def _scoring(request: SignedInRequest, run: SamplingRun) -> dict[str, Any]:
    """Scoring runs over it, and the reward models that could score it, for those who may start one."""
    may_start = run.has_ended and may_engineer(request.user, run.workspace)
    models = reward_models_for(run.workspace) if may_start else None
    return {"scoring_runs": run.scoring_runs.all(), "reward_models": models or None}


def _quality(run: SamplingRun) -> dict[str, Any]:
    """What is known of all candidates once the run has ended."""
    if not run.has_ended:
        return {}
    return {
        "flag_counts": flag_counts(run),
        "lengths": lengths_of(run),
        "diversity": mean_diversity(run),
        "least_diverse": least_diverse(run),
    }


def _histogram(lengths: Lengths) -> dict[str, Any]:
    return {
        "unit": lengths.unit,
        "width": lengths.histogram.width,
        "series": [{"name": name, "counts": counts} for name, counts in lengths.histogram.counts.items()],
    }
