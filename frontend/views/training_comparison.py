"""Several training runs beside one another: curves, what they differ in, how they measure."""

from collections.abc import Sequence
from typing import Any

from django.http import HttpResponse, JsonResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from core.errors import NotFound
from frontend.access import SignedInRequest, is_reader, signed_in
from frontend.content_policy import allows_plot_styles
from frontend.run_comparison import comparison
from frontend.series import curves_since
from training.models import TrainingRun

MAX_RUNS = 8  # as many colours there are


@require_GET
@signed_in
@allows_plot_styles
def compare_training(request: SignedInRequest) -> HttpResponse:
    """The runs that the address names, `?run=3&run=5`."""
    runs = _runs(request)
    others = TrainingRun.objects.visible_to(request.user).exclude(pk__in=[run.pk for run in runs])
    context: dict[str, Any] = {
        "runs": runs,
        "others": others[:200],
        "is_full": len(runs) >= MAX_RUNS,
        "max_runs": MAX_RUNS,
        **comparison(runs),
    }
    return render(request, "frontend/training/compare.html", context)


@require_GET
@signed_in
def comparison_curves(request: SignedInRequest) -> JsonResponse:
    """The curves of the same runs."""
    runs = [{"id": run.pk, "name": run.name, **curves_since(run, None)} for run in _runs(request)]
    return JsonResponse({"runs": runs})


def _runs(request: SignedInRequest) -> Sequence[TrainingRun]:
    """The runs in the order of the address; those that the user may not read do not exist."""
    if not is_reader(request.user):
        raise NotFound("There are no training runs for you to read.")
    said = [int(one) for one in request.GET.getlist("run") if one.isascii() and one.isdecimal() and len(one) < 18]
    wanted = list(dict.fromkeys(said))[:MAX_RUNS]
    related = ("dataset", "prompt_set", "init_model", "reward_model", "held_out_reward_model")
    found = TrainingRun.objects.visible_to(request.user).select_related(*related).in_bulk(wanted)
    return [found[pk] for pk in wanted if pk in found]
