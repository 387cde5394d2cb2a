"""What heavy jobs compute on, and who holds it."""

from dataclasses import dataclass
from typing import Any

from django.apps import apps
from django.http import Http404, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_GET

from accounts.models import User
from core import device_leases
from core.models import Device, DeviceWait
from frontend.access import SignedInRequest, is_reader, signed_in

PAGES = {
    "training.TrainingRun": "training-run",
    "generation.SamplingRun": "sampling-run",
    "annotation.JudgingRun": "judging-run",
    "evaluation.EvaluationRun": "evaluation",
}


@dataclass(frozen=True, kw_only=True)
class Row:
    """A device or a waiting job, and the page of its job where the reader may open that."""

    shown: Any
    address: str = ""
    has_expired: bool = False


@require_GET
@signed_in
def devices(request: SignedInRequest) -> HttpResponse:
    """Every device that a worker has seen, and the jobs that wait for one; htmx gets the moving part alone."""
    if not is_reader(request.user):
        raise Http404
    now = timezone.now()
    context = {
        "devices": [
            Row(
                shown=one,
                address=_page(request.user, one),
                has_expired=one.leased_until is not None and one.leased_until < now,
            )
            for one in Device.objects.all()
        ],
        "waiting": [Row(shown=one, address=_page(request.user, one)) for one in device_leases.waiting()],
    }
    name = "table" if request.htmx else "page"
    return render(request, f"frontend/devices/{name}.html", context)


def _page(user: User, row: Device | DeviceWait) -> str:
    """The holder's page, if it has one that the user may open."""
    name = PAGES.get(row.holder_model)
    if name is None:
        return ""
    model: Any = apps.get_model(row.holder_model)
    is_visible = model.objects.visible_to(user).filter(pk=row.holder_id).exists()
    return reverse(name, args=[row.holder_id]) if is_visible else ""
