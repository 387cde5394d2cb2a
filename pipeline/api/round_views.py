"""Rounds over REST."""

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts import access
from accounts.api.fields import InputSerializer, VisibleField, seed_field
from accounts.api.listing import by_choice, by_id
from accounts.api.viewsets import ApiViewSet
from annotation.models import Campaign
from generation.models import LanguageModel, PromptSet
from pipeline import rounds
from pipeline.models import Round


class RoundInput(InputSerializer):
    """The next round: which published checkpoint writes, and which campaign it follows."""

    model = VisibleField(queryset=LanguageModel.objects.select_related("checkpoint"))
    former = VisibleField(queryset=Campaign.objects.select_related("workspace"), help_text="The campaign before.")
    prompt_set = VisibleField(
        queryset=PromptSet.objects.all(), allow_null=True, default=None, help_text="The former's unless given."
    )
    beside = VisibleField(
        queryset=LanguageModel.objects.all(), allow_null=True, default=None, help_text="Another model that writes too."
    )
    num_completions = serializers.IntegerField(
        min_value=1, max_value=100, allow_null=True, default=None, help_text="Of each model for a prompt."
    )
    max_prompts = serializers.IntegerField(min_value=1, max_value=2**31 - 1, allow_null=True, default=None)
    max_per_prompt = serializers.IntegerField(min_value=1, max_value=1000, default=1, help_text="Comparisons.")
    opens = serializers.BooleanField(default=True, help_text="Open the campaign as soon as it is filled.")
    seed = seed_field()


class RoundSerializer(serializers.ModelSerializer[Round]):
    """A round: the replies that are written for it, and the campaign that they go to."""

    class Meta:
        model = Round
        fields = [
            "id",
            "workspace",
            "number",
            "model",
            "former",
            "campaign",
            "sampling_run",
            "max_per_prompt",
            "opens",
            "status",
            "error",
            "created_at",
        ]


class RoundViewSet(ApiViewSet):
    """Rounds of judging what a trained policy writes."""

    queryset = Round.objects.select_related("workspace")
    serializer_class = RoundSerializer
    filters = {
        "workspace": by_id("workspace"),
        "model": by_id("model"),
        "former": by_id("former"),
        "status": by_choice("status", Round.Status.choices),
    }
    orderings = ("created_at", "number")

    @extend_schema(request=RoundInput, responses={201: RoundSerializer})
    def create(self, request: Request) -> Response:
        """Start the next round from a published checkpoint."""
        wanted = self.read_input(RoundInput)
        access.require_manager(self.user, wanted["former"].workspace)
        return self.created(rounds.start_round(**wanted, user=self.user))
