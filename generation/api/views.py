"""Prompt sets, models and sampling runs over REST."""

from typing import Any

from django.db.models import Count, QuerySet
from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework.parsers import MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response

from accounts import access
from accounts.api.jobs import JobViewSet
from accounts.api.listing import by_choice, by_flag, by_id, by_presence, by_text
from accounts.api.upload_parsers import FILE_BODIES, FILE_PARSERS, uploaded_files
from accounts.api.viewsets import ApiViewSet
from generation import endpoint_checks, services
from generation.api.prompt_serializers import (
    PromptImportQuery,
    PromptImportSerializer,
    PromptPreviewQuery,
    PromptPreviewSerializer,
)
from generation.api.serializers import (
    CompletionSerializer,
    ModelInput,
    ModelSerializer,
    PromptSerializer,
    PromptSetInput,
    PromptSetSerializer,
    SamplingFailureSerializer,
    SamplingRunInput,
    SamplingRunSerializer,
)
from generation.models import Completion, CompletionFlag, LanguageModel, Prompt, PromptSet, SamplingFailure, SamplingRun
from generation.prompt_import import service as importing
from generation.services import ArmSpec


class PromptSetViewSet(ApiViewSet):
    """Prompt sets."""

    queryset = PromptSet.objects.annotate(num_prompts=Count("prompts"))
    serializer_class = PromptSetSerializer
    filters = {"workspace": by_id("workspace"), "name": by_text("name__icontains")}
    orderings = ("created_at", "name")

    @extend_schema(request=PromptSetInput, responses={201: PromptSetSerializer})
    def create(self, request: Request) -> Response:
        """Create an empty prompt set."""
        wanted = self.read_input(PromptSetInput)
        access.require_manager(self.user, wanted["workspace"])
        prompt_set = services.create_prompt_set(**wanted)
        return self.created(self.get_queryset().get(pk=prompt_set.pk))


@extend_schema_view(list=extend_schema(operation_id="prompt_sets_prompts_list"))
class PromptViewSet(ApiViewSet):
    """The prompts of a prompt set."""

    queryset = Prompt.objects.select_related("prompt_set")
    serializer_class = PromptSerializer
    parser_classes = [*FILE_PARSERS, MultiPartParser]
    filters = {"is_sensitive": by_flag("is_sensitive"), "tag": by_text("tags__contains")}
    orderings = ("id",)

    def get_queryset(self) -> QuerySet[Any]:
        return super().get_queryset().filter(prompt_set=self.kwargs.get("prompt_set"))

    def list(self, request: Request, prompt_set: int) -> Response:  # type: ignore[override] # the set is in the address
        self.parent(PromptSet, prompt_set)
        return self.page(self.filter_queryset(self.get_queryset()))

    @extend_schema(
        operation_id="prompt_sets_prompts_import",
        parameters=[PromptImportQuery],
        request=FILE_BODIES,
        responses=PromptImportSerializer,
    )
    def create(self, request: Request, prompt_set: int) -> Response:
        """Import prompts.

        One file, or several as parts named `file`: all rows or none. Prompts that the set has already are counted and
        passed over.
        """
        target = self._target(prompt_set)
        report = importing.import_prompts(
            prompt_set=target, files=uploaded_files(request), **self.read_query(PromptImportQuery)
        )
        return Response(PromptImportSerializer(report).data)

    @extend_schema(
        operation_id="prompt_sets_prompts_preview",
        parameters=[PromptPreviewQuery],
        request=FILE_BODIES,
        responses=PromptPreviewSerializer,
        filters=False,
    )
    def preview(self, request: Request, prompt_set: int) -> Response:
        """Show what an import would make of the first rows.

        Nothing is stored.
        """
        self._target(prompt_set)
        wanted = self.read_query(PromptPreviewQuery)
        found = importing.preview_prompts(
            files=uploaded_files(request), options=wanted["options"], num_rows=wanted["rows"]
        )
        return Response(PromptPreviewSerializer(found).data)

    def _target(self, pk: int) -> PromptSet:
        target: PromptSet = self.parent(PromptSet, pk)
        access.require_manager(self.user, target.workspace)
        return target


class ModelViewSet(ApiViewSet):
    """Language models: policies, reward models, guards."""

    queryset = LanguageModel.objects.select_related("endpoint_check")
    serializer_class = ModelSerializer
    filters = {
        "workspace": by_id("workspace"),
        "kind": by_choice("kind", LanguageModel.Kind.choices),
        "source": by_choice("source", LanguageModel.Source.choices),
        "parent": by_id("parent"),
        "name": by_text("name__icontains"),
    }
    orderings = ("created_at", "name")

    @extend_schema(request=ModelInput, responses={201: ModelSerializer})
    def create(self, request: Request) -> Response:
        """Register a model.

        A served model's address must be public or allow-listed by the operator.
        """
        wanted = self.read_input(ModelInput)
        access.require_manager(self.user, wanted["workspace"])
        return self.created(services.register_model(**wanted))

    @extend_schema(request=None)
    def check(self, request: Request, pk: int) -> Response:
        """Ask a served model's endpoint whether it is well, ten seconds at most."""
        model = self.get_object()
        access.require_engineer(self.user, model.workspace)
        endpoint_checks.check_endpoint(model=model)
        return self.show(self.get_object())


class SamplingRunViewSet(JobViewSet):
    """Sampling runs: K completions of each prompt from each model."""

    queryset = SamplingRun.objects.with_figures().select_related("created_by", "workspace")
    serializer_class = SamplingRunSerializer
    filters = {**JobViewSet.filters, "prompt_set": by_id("prompt_set")}

    @extend_schema(request=SamplingRunInput, responses={201: SamplingRunSerializer})
    def create(self, request: Request) -> Response:
        """Start a sampling run."""
        wanted = self.read_input(SamplingRunInput)
        access.require_engineer(self.user, wanted["workspace"])
        arms = [ArmSpec(**arm) for arm in wanted.pop("arms")]
        run = services.start_sampling_run(**wanted, arms=arms, user=self.user)
        return self.created(self.get_queryset().get(pk=run.pk))

    @extend_schema(request=None)
    def retry(self, request: Request, pk: int) -> Response:
        """Sample what is missing of a run that has ended."""
        run = self.get_object()
        access.require_engineer(self.user, run.workspace)
        services.retry_sampling(run=run)
        return self.show(self.get_object())


class SamplingFailureViewSet(ApiViewSet):
    """The prompts that a sampling run has no completions of."""

    queryset = SamplingFailure.objects.all()
    serializer_class = SamplingFailureSerializer
    filters = {"arm": by_id("arm"), "prompt": by_id("prompt"), "kind": by_text("kind")}
    orderings = ("id", "last_at", "num_attempts")

    def get_queryset(self) -> QuerySet[Any]:
        return super().get_queryset().filter(run=self.kwargs.get("sampling_run"))

    def list(self, request: Request, sampling_run: int) -> Response:  # type: ignore[override] # the run is in the address
        self.parent(SamplingRun, sampling_run)
        return self.page(self.filter_queryset(self.get_queryset()))


class CompletionViewSet(ApiViewSet):
    """The completions of a sampling run."""

    queryset = Completion.objects.prefetch_related("flags")
    serializer_class = CompletionSerializer
    filters = {
        "prompt": by_id("prompt"),
        "arm": by_id("arm"),
        "model": by_id("model"),
        "is_duplicate": by_presence("duplicate_of"),
        "flag": by_choice("flags__kind", CompletionFlag.Kind.choices),
    }
    orderings = ("id", "index", "num_tokens")

    def get_queryset(self) -> QuerySet[Any]:
        return super().get_queryset().filter(sampling_run=self.kwargs.get("sampling_run"))

    def list(self, request: Request, sampling_run: int) -> Response:  # type: ignore[override] # the run is in the address
        self.parent(SamplingRun, sampling_run)
        return self.page(self.filter_queryset(self.get_queryset()))
