"""Sampling runs: what is asked of which models, and what they did not answer."""

from typing import ClassVar

from django.db import models
from django.db.models import Q

from accounts.models import Workspace
from core.models import Job
from generation.engines.base import SamplingParameters
from generation.models.language_models import LanguageModel, price_field
from generation.models.prompts import Prompt, PromptSet
from generation.querysets import SamplingArmQuerySet, SamplingFailureQuerySet, SamplingRunQuerySet


class SamplingRun(Job):
    """Samples completions of a prompt set from one or more models."""

    class Split(models.TextChoices):
        TRAIN = "train", "Training prompts"  # may be trained on
        HELD_OUT = "held_out", "Held-out prompts"  # for evaluation only
        ALL = "all", "All prompts"  # both

    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="sampling_runs")
    name = models.CharField(max_length=120)
    prompt_set = models.ForeignKey(PromptSet, on_delete=models.PROTECT, related_name="sampling_runs")
    split = models.CharField(max_length=8, choices=Split.choices, default=Split.ALL)
    max_prompts = models.PositiveIntegerField(null=True, blank=True)  # None: every prompt of the split
    seed = models.PositiveBigIntegerField(default=0)
    max_attempts = models.PositiveSmallIntegerField(default=3)  # at a prompt, where another may help; the first counts

    task_name: ClassVar[str] = "generation.tasks.run_sampling"
    queue: ClassVar[str] = "gpu"

    objects = SamplingRunQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at", "-pk"]
        constraints = [
            models.CheckConstraint(condition=Q(max_attempts__gte=1), name="sampling_run_attempts_something"),
        ]

    def __str__(self) -> str:
        return self.name


class SamplingArm(models.Model):
    """One way of sampling in a run: a model, a system prompt, how many completions a prompt, how they are drawn."""

    class Engine(models.TextChoices):
        ENDPOINT = "endpoint", "Endpoint"  # the server that serves the model, over the OpenAI protocol
        VLLM = "vllm", "vLLM of its own"  # a server that ran for this arm
        TRANSFORMERS = "transformers", "transformers"  # in the worker

    run = models.ForeignKey(SamplingRun, on_delete=models.CASCADE, related_name="arms")
    position = models.PositiveSmallIntegerField()  # 0, 1, … within the run; part of every seed
    name = models.CharField(max_length=80, blank=True)  # what people call it; empty: by its model
    model = models.ForeignKey(LanguageModel, on_delete=models.PROTECT, related_name="arms")
    system_prompt = models.TextField(blank=True)  # said before the prompt's own system turn
    adapter = models.CharField(max_length=120, blank=True)  # a LoRA adapter, by the name under which it is served
    num_completions = models.PositiveSmallIntegerField(default=4)
    temperature = models.FloatField(default=1.0)
    top_p = models.FloatField(default=1.0)
    max_new_tokens = models.PositiveIntegerField(default=256)
    stop = models.JSONField(default=list, blank=True)  # texts that end a reply
    uses_managed_server = models.BooleanField(default=False)  # a vLLM server of Concord's, while this is sampled
    prompt_price = price_field()  # the model's when the run was started
    completion_price = price_field()
    engine = models.CharField(max_length=12, choices=Engine.choices, blank=True)  # that spoke last; empty: none yet
    sampling_seconds = models.FloatField(default=0.0)  # spent on what is stored, over all attempts
    failure_kind = models.CharField(max_length=40, blank=True)  # why nothing more could be sampled; empty: it could
    error = models.TextField(blank=True)

    objects = SamplingArmQuerySet.as_manager()

    class Meta:
        ordering = ["run", "position"]
        constraints = [
            models.UniqueConstraint(fields=["run", "position"], name="arm_once_per_position_of_run"),
            models.CheckConstraint(condition=Q(num_completions__gte=1), name="arm_samples_something"),
            models.CheckConstraint(condition=Q(temperature__gte=0), name="temperature_not_negative"),
            models.CheckConstraint(condition=Q(top_p__gt=0) & Q(top_p__lte=1), name="top_p_from_0_to_1"),
        ]

    def __str__(self) -> str:
        return self.label

    @property
    def label(self) -> str:
        """Its own name, or that of its model and adapter."""
        return self.name or (f"{self.model} + {self.adapter}" if self.adapter else str(self.model))

    def parameters(self) -> SamplingParameters:
        """What every request of this arm asks for; seeds are each prompt's own. Raises `ParametersInvalid`."""
        return SamplingParameters(
            temperature=self.temperature,
            top_p=self.top_p,
            max_new_tokens=self.max_new_tokens,
            stop=tuple(self.stop),
            adapter=self.adapter,
        )


class SamplingFailure(models.Model):
    """A prompt that an arm has no completions of, and why. It goes when they come."""

    run = models.ForeignKey(SamplingRun, on_delete=models.CASCADE, related_name="failures")
    arm = models.ForeignKey(SamplingArm, on_delete=models.CASCADE, related_name="failures")
    prompt = models.ForeignKey(Prompt, on_delete=models.CASCADE, related_name="sampling_failures")
    kind = models.CharField(max_length=40)  # the name of the engine's error
    message = models.TextField()
    num_attempts = models.PositiveSmallIntegerField(default=1)  # since somebody asked for it the last time
    last_at = models.DateTimeField()

    objects = SamplingFailureQuerySet.as_manager()

    class Meta:
        ordering = ["arm__position", "prompt"]
        constraints = [
            models.UniqueConstraint(fields=["arm", "prompt"], name="sampling_failure_once_per_arm_and_prompt"),
        ]

    def __str__(self) -> str:
        return f"{self.kind}: {self.message}"[:80]
