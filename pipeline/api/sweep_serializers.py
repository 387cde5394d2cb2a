"""Sweeps and their runs, in and out."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from accounts.api.fields import InputSerializer, ObjectField, VisibleField, WorkspaceField, seed_field
from annotation.models import Dataset
from generation.models import LanguageModel, PromptSet
from pipeline.models import TrainingSweep
from pipeline.sweeps.grid import MAX_RUNS, MAX_SEEDS
from pipeline.sweeps.results import outcomes_of
from pipeline.sweeps.services import MAX_NAME
from training.models import TrainingRun


class SweepInput(InputSerializer):
    """A new sweep. PPO takes a prompt set and a reward model; every other algorithm takes a dataset."""

    workspace = WorkspaceField()
    name = serializers.CharField(max_length=MAX_NAME, help_text="The names of its runs begin with it.")
    algorithm = serializers.ChoiceField(choices=TrainingRun.Algorithm.choices)
    grid = serializers.DictField(
        child=serializers.ListField(child=serializers.JSONField(), max_length=MAX_RUNS),
        help_text="Setting → the numbers that it takes; one run for each combination.",
    )
    config = ObjectField(default=dict, help_text="What else differs from the algorithm's defaults.")
    seed = seed_field()
    num_seeds = serializers.IntegerField(
        min_value=1, max_value=MAX_SEEDS, default=1, help_text="Runs of each combination, with seeds from `seed` on."
    )
    dataset = VisibleField(queryset=Dataset.objects.all(), allow_null=True, default=None)
    prompt_set = VisibleField(queryset=PromptSet.objects.all(), allow_null=True, default=None)
    init_model = VisibleField(queryset=LanguageModel.objects.all(), allow_null=True, default=None)
    reward_model = VisibleField(queryset=LanguageModel.objects.all(), allow_null=True, default=None)


class SweepListSerializer(serializers.ModelSerializer[TrainingSweep]):
    """A sweep in a list."""

    created_by = serializers.SlugRelatedField[Any](slug_field="username", read_only=True)

    class Meta:
        model = TrainingSweep
        fields = [
            "id",
            "workspace",
            "name",
            "algorithm",
            "grid",
            "config",
            "seed",
            "num_seeds",
            "dataset",
            "prompt_set",
            "init_model",
            "reward_model",
            "created_by",
            "created_at",
        ]


class SweptRunSerializer(serializers.Serializer[Any]):
    """A run of a sweep and what it has reached."""

    number = serializers.IntegerField(source="swept.number")
    run = serializers.IntegerField(source="swept.run_id")
    values = serializers.JSONField(source="swept.values", help_text="Its point: setting → number.")
    seed = serializers.IntegerField(source="swept.run.seed")
    status = serializers.ChoiceField(source="swept.run.status", choices=TrainingRun.Status.choices)
    progress = serializers.FloatField(source="swept.run.progress", help_text="The share done, from 0 to 1.")
    error = serializers.CharField(source="swept.run.error")
    step = serializers.IntegerField(allow_null=True, help_text="Of its last evaluation; null before the first.")
    figures = serializers.DictField(
        child=serializers.FloatField(), help_text="Held-out figures of its last evaluation."
    )


class SweepSerializer(SweepListSerializer):
    """A sweep with its runs."""

    has_ended = serializers.BooleanField(read_only=True, help_text="No run of it waits or runs.")
    runs = serializers.SerializerMethodField()

    class Meta(SweepListSerializer.Meta):
        fields = [*SweepListSerializer.Meta.fields, "has_ended", "runs"]

    @extend_schema_field(SweptRunSerializer(many=True))
    def get_runs(self, sweep: TrainingSweep) -> Any:
        return SweptRunSerializer(outcomes_of(sweep), many=True).data
