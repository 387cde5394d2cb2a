"""vLLM servers of models over REST."""

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from accounts import access
from accounts.api.fields import InputSerializer, VisibleField
from accounts.api.jobs import JOB_FIELDS, JobSerializer, JobViewSet
from accounts.api.listing import by_id
from generation import serving_services
from generation.models import LanguageModel, ServingRun


class ServingRunInput(InputSerializer):
    """Which model to serve."""

    model = VisibleField(queryset=LanguageModel.objects.select_related("workspace"))


class ServingRunSerializer(JobSerializer):
    """A server: where it is, what samples through it, and the end of its log."""

    class Meta:
        model = ServingRun
        fields = ["id", "workspace", "name", "model", "served", "url", *JOB_FIELDS, "log_tail"]


class ServingRunViewSet(JobViewSet):
    """vLLM servers that run beside a worker until they are cancelled."""

    queryset = ServingRun.objects.select_related("created_by", "workspace")
    serializer_class = ServingRunSerializer
    filters = {**JobViewSet.filters, "model": by_id("model")}

    @extend_schema(request=ServingRunInput, responses={201: ServingRunSerializer})
    def create(self, request: Request) -> Response:
        """Start a vLLM server for a model; cancel it to stop the server.

        Once `url` is there, `served` is a language model like any other: it samples, judges, is evaluated.
        """
        model = self.read_input(ServingRunInput)["model"]
        access.require_engineer(self.user, model.workspace)
        return self.created(serving_services.start_serving(model=model, user=self.user))
