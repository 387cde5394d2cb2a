"""Schedules of training and their firings, in and out."""

from typing import Any

from rest_framework import serializers

from accounts.api.fields import InputSerializer, ObjectField, VisibleField, WorkspaceField
from annotation.models import Annotator, Campaign
from generation.models import LanguageModel, PromptSet
from pipeline.models import ScheduleFiring, TrainingSchedule
from pipeline.schedules.plan import MAX_COMPLETIONS, MAX_COUNT, MAX_SEED
from training.models import TrainingRun

PLAN_COLUMNS = [
    "filter",
    "algorithm",
    "config",
    "seed",
    "current_model",
    "prompt_set",
    "max_prompts",
    "num_completions",
    "temperature",
    "max_new_tokens",
    "judge",
    "uses_managed_server",
    "min_margin",
    "min_prompts",
]


def count_field(**options: Any) -> serializers.IntegerField:
    """A whole number from 1 that may be left out."""
    return serializers.IntegerField(min_value=1, max_value=MAX_COUNT, **options)


class PlanInput(InputSerializer):
    """The settings of a schedule; what is left out has its default."""

    name = serializers.CharField(max_length=80)
    trigger = serializers.ChoiceField(choices=TrainingSchedule.Trigger.choices)
    cron = serializers.CharField(
        max_length=310,
        allow_blank=True,
        default="",
        help_text="Minute, hour, day of month, month, day of week (0: Sunday), such as `0 2 * * *`.",
    )
    timezone = serializers.CharField(max_length=60, default="UTC")
    min_new_judgments = count_field(allow_null=True, default=None)
    campaigns = VisibleField(queryset=Campaign.objects.all(), many=True, allow_empty=False)
    filter = ObjectField(default=dict, help_text="As that of a dataset.")
    algorithm = serializers.ChoiceField(choices=TrainingRun.Algorithm.choices)
    config = ObjectField(default=dict, help_text="Fields that differ from the algorithm's defaults.")
    seed = serializers.IntegerField(
        min_value=0, max_value=MAX_SEED, default=0, help_text="Each firing adds its number."
    )
    current_model = VisibleField(queryset=LanguageModel.objects.all())
    prompt_set = VisibleField(queryset=PromptSet.objects.all())
    max_prompts = count_field(allow_null=True, default=None)
    num_completions = serializers.IntegerField(min_value=1, max_value=MAX_COMPLETIONS, default=1)
    temperature = serializers.FloatField(default=0.7)
    max_new_tokens = count_field(default=256)
    judge = VisibleField(queryset=Annotator.objects.all())
    uses_managed_server = serializers.BooleanField(default=False)
    min_margin = serializers.FloatField(
        min_value=0, default=0.0, help_text="The win rate above one half that a better model must have: 0.05 is 55 %."
    )
    min_prompts = serializers.IntegerField(
        min_value=2, max_value=MAX_COUNT, default=30, help_text="Fewer compared prompts decide nothing."
    )


class ScheduleInput(PlanInput):
    """A new schedule."""

    workspace = WorkspaceField()


class FiringSerializer(serializers.ModelSerializer[ScheduleFiring]):
    """One time that a schedule came to fire: why it did or did not, what it made, what was decided and why."""

    created_by = serializers.SlugRelatedField[Any](slug_field="username", read_only=True)

    class Meta:
        model = ScheduleFiring
        fields = [
            "id",
            "schedule",
            "number",
            "trigger",
            "status",
            "reason",
            "num_new_judgments",
            "step",
            "baseline",
            "dataset",
            "training_run",
            "candidate",
            "sampling_run",
            "evaluation_run",
            "win_rate",
            "low",
            "high",
            "num_prompts",
            "decision",
            "error",
            "plan",
            "created_by",
            "created_at",
            "finished_at",
        ]


class ScheduleSerializer(serializers.ModelSerializer[TrainingSchedule]):
    """A schedule with its times."""

    cron = serializers.CharField(read_only=True)
    timezone = serializers.CharField(read_only=True)
    created_by = serializers.SlugRelatedField[Any](slug_field="username", read_only=True)

    class Meta:
        model = TrainingSchedule
        fields = [
            "id",
            "workspace",
            "name",
            "is_active",
            "trigger",
            "cron",
            "timezone",
            "min_new_judgments",
            "campaigns",
            *PLAN_COLUMNS,
            "created_by",
            "created_at",
        ]


class CampaignCountSerializer(serializers.Serializer[Any]):
    """The judgments of one campaign."""

    campaign = serializers.IntegerField()
    name = serializers.CharField()
    num_judgments = serializers.IntegerField()
    num_new = serializers.IntegerField(help_text="Since the last firing that came to a decision.")


class DryRunSerializer(serializers.Serializer[Any]):
    """What would come of a firing now."""

    would_fire = serializers.BooleanField(help_text="Of itself; by hand it fires unless another firing is under way.")
    reason = serializers.CharField()
    problem = serializers.CharField(help_text="Why a step would fail; empty if nothing is known to be wrong.")
    num_judgments = serializers.IntegerField()
    num_new_judgments = serializers.IntegerField()
    campaigns = CampaignCountSerializer(many=True)
    steps = serializers.ListField(child=serializers.CharField())
    next_times = serializers.ListField(child=serializers.DateTimeField())
