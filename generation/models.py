"""Prompt sets, language models, sampling runs and completions, with full provenance."""

from decimal import Decimal
from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import F, Q

from accounts.models import Workspace
from accounts.querysets import WorkspaceQuerySet
from core.models import Job
from generation.engines.base import SamplingParameters
from generation.querysets import (
    CompletionQuerySet,
    GuardVerdictQuerySet,
    PromptQuerySet,
    RevisionQuerySet,
    SamplingArmQuerySet,
    SamplingFailureQuerySet,
    SamplingRunQuerySet,
)


def price_field() -> "models.DecimalField[Decimal | None, Decimal | None]":
    """US dollars for a million tokens; None: not known."""
    return models.DecimalField(max_digits=12, decimal_places=6, null=True, blank=True)


class PromptSet(models.Model):
    """A named collection of prompts."""

    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="prompt_sets")
    name = models.CharField(max_length=120)
    description = models.TextField(blank=True)
    source = models.CharField(max_length=300, blank=True)  # where the prompts come from
    licence = models.CharField(max_length=120, blank=True)
    held_out_fraction = models.FloatField(default=0.3)  # share of prompts, by fingerprint, never trained on
    created_at = models.DateTimeField(auto_now_add=True)

    objects = WorkspaceQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at", "-pk"]
        constraints = [
            models.UniqueConstraint(fields=["workspace", "name"], name="prompt_set_name_in_workspace"),
            models.CheckConstraint(
                condition=Q(held_out_fraction__gte=0) & Q(held_out_fraction__lt=1),
                name="held_out_fraction_from_0_below_1",
            ),
        ]

    def __str__(self) -> str:
        return self.name


class Prompt(models.Model):
    """A conversation that wants a reply."""

    prompt_set = models.ForeignKey(PromptSet, on_delete=models.CASCADE, related_name="prompts")
    messages = models.JSONField()  # [{"role": …, "content": …}, …], the last from the user
    fingerprint = models.CharField(max_length=64)  # SHA-256 of the canonical JSON of messages
    tags = models.JSONField(default=list, blank=True)
    reference = models.TextField(blank=True)  # a known right answer
    is_sensitive = models.BooleanField(default=False)

    objects = PromptQuerySet.as_manager()

    class Meta:
        ordering = ["pk"]
        constraints = [
            models.UniqueConstraint(fields=["prompt_set", "fingerprint"], name="prompt_once_per_set"),
        ]

    def __str__(self) -> str:
        return self.last_turn[:80]

    @property
    def last_turn(self) -> str:
        return str(self.messages[-1]["content"])


class LanguageModel(models.Model):
    """Something that can speak or score."""

    class Kind(models.TextChoices):
        POLICY = "policy", "Policy"  # writes completions
        REWARD = "reward", "Reward model"  # scores them
        GUARD = "guard", "Guard"  # classifies them

    class Source(models.TextChoices):
        FOLDER = "folder", "Folder on disk"  # location is a path: weights made here or copied here
        HUB = "hub", "Hub id"  # location is a hub id, loaded through transformers
        SERVED = "served", "Served name"  # location is the name at an OpenAI-compatible endpoint
        NAMED = "named", "Bare name"  # wrote imported completions; its weights are not known here, it cannot be run

    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="language_models")
    name = models.CharField(max_length=120)
    kind = models.CharField(max_length=8, choices=Kind.choices, default=Kind.POLICY)
    source = models.CharField(max_length=8, choices=Source.choices)
    location = models.CharField(max_length=1000)
    endpoint_url = models.CharField(max_length=500, blank=True)
    parent = models.ForeignKey("self", null=True, blank=True, on_delete=models.SET_NULL, related_name="children")
    prompt_price = price_field()
    completion_price = price_field()
    created_at = models.DateTimeField(auto_now_add=True)

    objects = WorkspaceQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at", "-pk"]
        constraints = [
            models.UniqueConstraint(fields=["workspace", "name"], name="model_name_in_workspace"),
            models.CheckConstraint(
                condition=Q(source="served") ^ Q(endpoint_url=""), name="endpoint_only_for_served_models"
            ),
        ]

    def __str__(self) -> str:
        return self.name


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


class Completion(models.Model):
    """One candidate reply to a prompt."""

    class Origin(models.TextChoices):
        SAMPLED = "sampled", "Sampled"  # by a sampling run from a model
        IMPORTED = "imported", "Imported"  # came with a file
        WRITTEN = "written", "Written"  # by a person: author
        REVISED = "revised", "Revised"  # by a model, from another completion: revision

    prompt = models.ForeignKey(Prompt, on_delete=models.CASCADE, related_name="completions")
    origin = models.CharField(max_length=8, choices=Origin.choices)
    sampling_run = models.ForeignKey(
        SamplingRun, null=True, blank=True, on_delete=models.CASCADE, related_name="completions"
    )
    arm = models.ForeignKey(SamplingArm, null=True, blank=True, on_delete=models.CASCADE, related_name="completions")
    model = models.ForeignKey(
        LanguageModel, null=True, blank=True, on_delete=models.PROTECT, related_name="completions"
    )
    author = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="completions"
    )
    index = models.PositiveIntegerField(default=0)  # 0 … K−1 within (run, prompt, arm)
    text = models.TextField(blank=True)  # a model may say nothing; an import may not
    finish_reason = models.CharField(max_length=20, blank=True)  # "stop" or "length"
    num_prompt_tokens = models.PositiveIntegerField(null=True, blank=True)
    num_tokens = models.PositiveIntegerField(null=True, blank=True)
    latency_ms = models.FloatField(
        null=True, blank=True
    )  # until the whole reply was there, shared by what came together
    model_revision = models.CharField(max_length=200, blank=True)  # what the server said it is, or that of the weights
    seed = models.PositiveBigIntegerField(null=True, blank=True)  # its own: other candidates of the prompt have others
    duplicate_of = models.ForeignKey(
        "self", null=True, blank=True, on_delete=models.SET_NULL, related_name="duplicates"
    )
    created_at = models.DateTimeField(auto_now_add=True)

    objects = CompletionQuerySet.as_manager()

    class Meta:
        ordering = ["pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["sampling_run", "prompt", "arm", "index"], name="completion_once_per_run_prompt_arm_index"
            ),
            models.CheckConstraint(
                condition=~Q(origin="sampled") | Q(sampling_run__isnull=False, arm__isnull=False, model__isnull=False),
                name="sampled_completions_name_run_arm_and_model",
            ),
            models.CheckConstraint(
                condition=Q(duplicate_of=None) | ~Q(duplicate_of=F("id")),
                name="completion_not_its_own_duplicate",
            ),
        ]

    def __str__(self) -> str:
        return self.text[:80]


class CompletionFlag(models.Model):
    """Something remarkable about a completion: a warning to people, which deletes nothing."""

    class Kind(models.TextChoices):
        EMPTY = "empty", "Empty"  # nothing but blanks
        TRUNCATED = "truncated", "Cut off"  # at the limit of new tokens
        REFUSAL = "refusal", "Refusal"  # declines to answer
        LANGUAGE = "language", "Other language"  # than that of the prompt
        REPETITION = "repetition", "Loop"  # repeats itself again and again
        UNSAFE = "unsafe", "Unsafe"  # says a guard: detail has its labels

    completion = models.ForeignKey(Completion, on_delete=models.CASCADE, related_name="flags")
    kind = models.CharField(max_length=12, choices=Kind.choices)
    detail = models.CharField(max_length=300, blank=True)  # "de, asked in en"; "S1, S9"

    class Meta:
        ordering = ["pk"]
        constraints = [
            models.UniqueConstraint(fields=["completion", "kind"], name="completion_flagged_once_of_a_kind"),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()}: {self.detail}" if self.detail else self.get_kind_display()


class PromptDiversity(models.Model):
    """How different the completions of one prompt in one sampling run are; all values 0 to 1."""

    run = models.ForeignKey(SamplingRun, on_delete=models.CASCADE, related_name="diversities")
    prompt = models.ForeignKey(Prompt, on_delete=models.CASCADE, related_name="diversities")
    distinct_1 = models.FloatField()  # different words over all words
    distinct_2 = models.FloatField()  # different word pairs over all word pairs
    mean_distance = models.FloatField()  # Jaccard distance of word sets, over all pairs of completions
    self_bleu = models.FloatField()  # lower is more diverse

    class Meta:
        ordering = ["pk"]
        constraints = [
            models.UniqueConstraint(fields=["run", "prompt"], name="diversity_once_per_run_and_prompt"),
        ]

    def __str__(self) -> str:
        return f"{self.prompt_id}: {self.mean_distance:.2f}"


class GuardRun(Job):
    """Checks the prompts of a set, or the completions of a sampling run, by rules or by a guard model."""

    class Style(models.TextChoices):
        RULES = "rules", "Rules"  # words and regular expressions
        NATIVE = "native", "Guard model"  # brings its instructions in its chat template, like Llama Guard
        PROMPTED = "prompted", "Chat model, asked"  # any chat model with our question

    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="guard_runs")
    name = models.CharField(max_length=120)
    prompt_set = models.ForeignKey(
        PromptSet, null=True, blank=True, on_delete=models.CASCADE, related_name="guard_runs"
    )
    sampling_run = models.ForeignKey(
        SamplingRun, null=True, blank=True, on_delete=models.CASCADE, related_name="guard_runs"
    )
    style = models.CharField(max_length=8, choices=Style.choices, default=Style.RULES)
    rules = models.JSONField(default=list, blank=True)  # [{"label": …, "words": […], "patterns": […]}, …]
    guard = models.ForeignKey(LanguageModel, null=True, blank=True, on_delete=models.PROTECT, related_name="guard_runs")

    task_name: ClassVar[str] = "generation.tasks.run_guard"
    queue: ClassVar[str] = "gpu"

    objects = WorkspaceQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at", "-pk"]
        constraints = [
            models.CheckConstraint(
                condition=Q(prompt_set__isnull=True) ^ Q(sampling_run__isnull=True), name="guard_run_checks_one_thing"
            ),
            models.CheckConstraint(
                condition=Q(style="rules") ^ Q(guard__isnull=False), name="guard_run_has_rules_or_a_guard"
            ),
        ]

    def __str__(self) -> str:
        return self.name


class GuardVerdict(models.Model):
    """What a guard said of a prompt, or of a completion."""

    run = models.ForeignKey(GuardRun, on_delete=models.CASCADE, related_name="verdicts")
    prompt = models.ForeignKey(Prompt, null=True, blank=True, on_delete=models.CASCADE, related_name="verdicts")
    completion = models.ForeignKey(Completion, null=True, blank=True, on_delete=models.CASCADE, related_name="verdicts")
    is_flagged = models.BooleanField(null=True)  # None: the reply said neither, or none came; reply says which
    labels = models.JSONField(default=list, blank=True)
    reply = models.TextField(blank=True)  # the model's own words, or why there are none

    objects = GuardVerdictQuerySet.as_manager()

    class Meta:
        ordering = ["pk"]
        constraints = [
            models.UniqueConstraint(fields=["run", "prompt"], name="prompt_checked_once_per_guard_run"),
            models.UniqueConstraint(fields=["run", "completion"], name="completion_checked_once_per_guard_run"),
            models.CheckConstraint(
                condition=Q(prompt__isnull=True) ^ Q(completion__isnull=True), name="verdict_is_about_one_thing"
            ),
        ]

    def __str__(self) -> str:
        return ", ".join(self.labels) or {True: "unsafe", False: "safe", None: "unread"}[self.is_flagged]


class Constitution(models.Model):
    """Principles by which replies are criticised and revised; they are in its versions."""

    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="constitutions")
    name = models.CharField(max_length=120)
    created_at = models.DateTimeField(auto_now_add=True)

    objects = WorkspaceQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at", "-pk"]
        constraints = [
            models.UniqueConstraint(fields=["workspace", "name"], name="constitution_name_in_workspace"),
        ]

    def __str__(self) -> str:
        return self.name


class ConstitutionVersion(models.Model):
    """The principles of a constitution from this number on. Never changed: a new text is a new version."""

    constitution = models.ForeignKey(Constitution, on_delete=models.CASCADE, related_name="versions")
    number = models.PositiveIntegerField()  # from 1
    principles = models.JSONField()  # [{"name": …, "critique": …, "revision": …}, …]
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["constitution", "number"]
        constraints = [
            models.UniqueConstraint(fields=["constitution", "number"], name="constitution_version_numbered_once"),
        ]

    def __str__(self) -> str:
        return f"{self.constitution}, version {self.number}"


class RevisionRun(Job):
    """Criticises and revises completions of a sampling run by the principles of a constitution."""

    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="revision_runs")
    name = models.CharField(max_length=120)
    sampling_run = models.ForeignKey(SamplingRun, on_delete=models.PROTECT, related_name="revision_runs")
    version = models.ForeignKey(ConstitutionVersion, on_delete=models.PROTECT, related_name="revision_runs")
    model = models.ForeignKey(LanguageModel, on_delete=models.PROTECT, related_name="revision_runs")
    num_per_prompt = models.PositiveSmallIntegerField(default=1)  # completions of each prompt that are revised
    num_principles = models.PositiveSmallIntegerField(null=True, blank=True)  # drawn for each reply; None: all
    temperature = models.FloatField(default=0.7)
    max_new_tokens = models.PositiveIntegerField(default=512)
    seed = models.PositiveBigIntegerField(default=0)

    task_name: ClassVar[str] = "generation.tasks.run_revision"
    queue: ClassVar[str] = "gpu"

    objects = WorkspaceQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at", "-pk"]
        constraints = [
            models.CheckConstraint(condition=Q(num_per_prompt__gte=1), name="revision_run_revises_something"),
        ]

    def __str__(self) -> str:
        return self.name


class Revision(models.Model):
    """One round on one reply: a critique by a principle, and what the reply became."""

    run = models.ForeignKey(RevisionRun, on_delete=models.CASCADE, related_name="revisions")
    original = models.ForeignKey(Completion, on_delete=models.CASCADE, related_name="revisions_from")
    parent = models.ForeignKey(Completion, on_delete=models.CASCADE, related_name="revised_into")  # round before
    completion = models.OneToOneField(Completion, on_delete=models.CASCADE, related_name="revision")  # the result
    step = models.PositiveSmallIntegerField()  # from 0
    principle = models.CharField(max_length=80)
    critique = models.TextField(blank=True)

    objects = RevisionQuerySet.as_manager()

    class Meta:
        ordering = ["original", "step"]
        constraints = [
            models.UniqueConstraint(fields=["run", "original", "step"], name="reply_revised_once_a_step"),
        ]

    def __str__(self) -> str:
        return f"{self.principle}, step {self.step}"
