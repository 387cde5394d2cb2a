"""A judge's pass over a campaign."""

from django.http import HttpResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.http import require_GET

from annotation.models import JudgingRun
from frontend.access import SignedInRequest, signed_in


@require_GET
@signed_in
def judging_run(request: SignedInRequest, run_id: int) -> HttpResponse:
    """One judging run; htmx gets the moving part alone."""
    rows = JudgingRun.objects.visible_to(request.user).select_related("campaign", "annotator", "version__model")
    run: JudgingRun = get_object_or_404(rows, pk=run_id)
    name = "jobs/state" if request.htmx else "judging_run"
    return render(request, f"frontend/{name}.html", {"run": run, "state_url": request.path})
