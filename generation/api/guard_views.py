"""Guard runs over REST."""

from typing import Any

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from accounts import access
from accounts.api.jobs import JobViewSet
from accounts.api.listing import by_flag, by_id
from accounts.api.viewsets import ApiViewSet
from generation import guard_services as services
from generation.api.guard_serializers import GuardRunInput, GuardRunSerializer, GuardVerdictSerializer
from generation.models import GuardRun, GuardVerdict


class GuardRunViewSet(JobViewSet):
    """Checks of prompts or completions by rules or by a guard model."""

    queryset = GuardRun.objects.select_related("created_by", "workspace")
    serializer_class = GuardRunSerializer
    filters = {**JobViewSet.filters, "prompt_set": by_id("prompt_set"), "sampling_run": by_id("sampling_run")}

    @extend_schema(request=GuardRunInput, responses={201: GuardRunSerializer})
    def create(self, request: Request) -> Response:
        """Start a guard run.

        What it flags gets a warning: prompts become sensitive and get its labels as tags, completions get a flag.
        """
        wanted = self.read_input(GuardRunInput)
        access.require_engineer(self.user, wanted["workspace"])
        run = services.start_guard_run(**wanted, user=self.user)
        return self.created(self.get_queryset().get(pk=run.pk))


class GuardVerdictViewSet(ApiViewSet):
    """What a guard run found."""

    queryset = GuardVerdict.objects.all()
    serializer_class = GuardVerdictSerializer
    filters = {"is_flagged": by_flag("is_flagged"), "prompt": by_id("prompt"), "completion": by_id("completion")}
    orderings = ("id",)

    def get_queryset(self) -> QuerySet[Any]:
        return super().get_queryset().filter(run=self.kwargs.get("guard_run"))

    def list(self, request: Request, guard_run: int) -> Response:  # type: ignore[override] # the run is in the address
        self.parent(GuardRun, guard_run)
        return self.page(self.filter_queryset(self.get_queryset()))
