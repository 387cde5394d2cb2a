"""What a campaign asks, tells and follows, for managers: new versions and the policy."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts import access
from accounts.api.fields import InputSerializer
from accounts.api.viewsets import ApiViewSet
from annotation import campaign_policy, campaign_versions
from annotation.api.serializers import QuestionField
from annotation.models import Campaign, GuidelineVersion, QuestionVersion

POLICY = sorted(campaign_policy.SETTINGS)


class QuestionInput(InputSerializer):
    """The question from the next task on."""

    question = QuestionField()


class GuidelinesInput(InputSerializer):
    """The guidelines that annotators must read before the next task."""

    guidelines = serializers.CharField(allow_blank=True, max_length=200_000, help_text="Markdown.")


class PolicyInput(InputSerializer):
    """Settings to change; those that are not named stay."""

    selection = serializers.CharField(required=False)
    random_share = serializers.FloatField(required=False)
    settled_probability = serializers.FloatField(required=False, allow_null=True)
    skip_policy = serializers.CharField(required=False)
    gold_every = serializers.IntegerField(required=False)
    repeat_every = serializers.IntegerField(required=False)
    num_qualification = serializers.IntegerField(required=False)
    qualification_pass = serializers.FloatField(required=False)
    pause_below = serializers.FloatField(required=False, allow_null=True)
    pause_after = serializers.IntegerField(required=False)
    exposure_cap = serializers.IntegerField(required=False, allow_null=True)
    price_per_judgment = serializers.DecimalField(
        max_digits=10, decimal_places=4, required=False, allow_null=True, coerce_to_string=False
    )


class PolicySerializer(serializers.ModelSerializer[Campaign]):
    """How the campaign chooses tasks and watches over quality."""

    class Meta:
        model = Campaign
        fields = POLICY


class QuestionVersionSerializer(serializers.ModelSerializer[QuestionVersion]):
    """What was asked."""

    created_by = serializers.SlugRelatedField[Any](slug_field="username", read_only=True)

    class Meta:
        model = QuestionVersion
        fields = ["number", "question", "created_by", "created_at"]


class GuidelineVersionSerializer(serializers.ModelSerializer[GuidelineVersion]):
    """What was told."""

    created_by = serializers.SlugRelatedField[Any](slug_field="username", read_only=True)

    class Meta:
        model = GuidelineVersion
        fields = ["number", "text", "created_by", "created_at"]


class VersionsSerializer(serializers.Serializer[Any]):
    """Everything that a campaign has asked and told, newest first."""

    questions = QuestionVersionSerializer(many=True)
    guidelines = GuidelineVersionSerializer(many=True)


class VersionSerializer(serializers.Serializer[Any]):
    """The version that holds now."""

    version = serializers.IntegerField()


class CampaignSettingsViewSet(ApiViewSet):
    """A campaign's question, guidelines and policy."""

    queryset = Campaign.objects.order_by("pk")
    serializer_class = PolicySerializer

    @extend_schema(responses=VersionsSerializer)
    def versions(self, request: Request, pk: int) -> Response:
        """List what the campaign has asked and told."""
        campaign = self.get_object()
        found = {
            "questions": campaign.question_versions.select_related("created_by"),
            "guidelines": campaign.guideline_versions.select_related("created_by"),
        }
        return Response(VersionsSerializer(found).data)

    @extend_schema(request=QuestionInput, responses=VersionSerializer)
    def question(self, request: Request, pk: int) -> Response:
        """Ask something else from the next task on. The same question makes no version."""
        given = self.read_input(QuestionInput)
        return Response(
            {"version": campaign_versions.revise_question(campaign=self._managed(), user=self.user, **given)}
        )

    @extend_schema(request=GuidelinesInput, responses=VersionSerializer)
    def guidelines(self, request: Request, pk: int) -> Response:
        """Tell annotators something else; each person must acknowledge it before the next task."""
        text = self.read_input(GuidelinesInput)["guidelines"]
        version = campaign_versions.revise_guidelines(campaign=self._managed(), text=text, user=self.user)
        return Response({"version": version})

    @extend_schema(request=PolicyInput, responses=PolicySerializer)
    def set_policy(self, request: Request, pk: int) -> Response:
        """Change how tasks are chosen and quality is watched."""
        given = self.read_input(PolicyInput)
        return self.show(campaign_policy.set_policy(campaign=self._managed(), **given))

    def _managed(self) -> Campaign:
        campaign: Campaign = self.get_object()
        access.require_manager(self.user, campaign.workspace)
        return campaign
