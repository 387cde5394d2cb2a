"""Constitutions and revision runs over REST."""

from typing import Any

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from accounts import access
from accounts.api.jobs import JobViewSet
from accounts.api.listing import by_id, by_text
from accounts.api.viewsets import ApiViewSet
from generation import constitution_services as services
from generation.api.constitution_serializers import (
    ConstitutionInput,
    ConstitutionSerializer,
    ConstitutionVersionSerializer,
    PrinciplesInput,
    RevisionRunInput,
    RevisionRunSerializer,
    RevisionSerializer,
)
from generation.models import Constitution, Revision, RevisionRun


class ConstitutionViewSet(ApiViewSet):
    """Constitutions: principles by which replies are criticised and revised."""

    queryset = Constitution.objects.prefetch_related("versions")
    serializer_class = ConstitutionSerializer
    filters = {"workspace": by_id("workspace"), "name": by_text("name__icontains")}
    orderings = ("created_at", "name")

    @extend_schema(request=ConstitutionInput, responses={201: ConstitutionSerializer})
    def create(self, request: Request) -> Response:
        """Write a constitution."""
        wanted = self.read_input(ConstitutionInput)
        access.require_manager(self.user, wanted["workspace"])
        version = services.create_constitution(**wanted, user=self.user)
        return self.created(self.get_queryset().get(pk=version.constitution_id))

    @extend_schema(
        operation_id="constitutions_versions_list", responses=ConstitutionVersionSerializer(many=True), filters=False
    )
    def versions(self, request: Request, pk: int) -> Response:
        """All versions, the first one first."""
        return Response(ConstitutionVersionSerializer(self.get_object().versions.order_by("number"), many=True).data)

    @extend_schema(request=PrinciplesInput, responses={200: ConstitutionSerializer})
    def revise(self, request: Request, pk: int) -> Response:
        """Write the next version.

        Runs that were made with an earlier one keep it.
        """
        constitution = self.get_object()
        access.require_manager(self.user, constitution.workspace)
        wanted = self.read_input(PrinciplesInput)
        services.revise_constitution(constitution=constitution, **wanted, user=self.user)
        return self.show(self.get_object())


class RevisionRunViewSet(JobViewSet):
    """Critique and revision of the completions of a sampling run."""

    queryset = RevisionRun.objects.select_related("created_by", "workspace")
    serializer_class = RevisionRunSerializer
    filters = {**JobViewSet.filters, "sampling_run": by_id("sampling_run")}

    @extend_schema(request=RevisionRunInput, responses={201: RevisionRunSerializer})
    def create(self, request: Request) -> Response:
        """Start a revision run."""
        wanted = self.read_input(RevisionRunInput)
        access.require_engineer(self.user, wanted["workspace"])
        version = services.newest_version(wanted.pop("constitution"))
        run = services.start_revision_run(**wanted, version=version, user=self.user)
        return self.created(self.get_queryset().get(pk=run.pk))


class RevisionViewSet(ApiViewSet):
    """The rounds of a revision run."""

    queryset = Revision.objects.select_related("completion").prefetch_related("completion__flags")
    serializer_class = RevisionSerializer
    filters = {"original": by_id("original")}
    orderings = ("id", "original", "step")

    def get_queryset(self) -> QuerySet[Any]:
        return super().get_queryset().filter(run=self.kwargs.get("revision_run"))

    def list(self, request: Request, revision_run: int) -> Response:  # type: ignore[override] # the run is in the address
        self.parent(RevisionRun, revision_run)
        return self.page(self.filter_queryset(self.get_queryset()))
