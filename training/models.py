"""Training runs and what they leave: metric rows, sample texts, checkpoints."""

from pathlib import Path
from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Q

from accounts.models import Workspace
from accounts.querysets import WorkspaceQuerySet
from annotation.models import Annotator, Dataset
from core.models import Job, PausableJob
from generation.models import LanguageModel, PromptSet
from training.querysets import OfRunQuerySet, TrainingRunQuerySet


class TrainingRun(PausableJob):
    """One training process, from an immutable specification to checkpoints."""

    class Algorithm(models.TextChoices):
        SFT = "sft", "Supervised fine-tuning"  # on demonstrations
        REWARD = "reward", "Reward model"  # on preferences or rankings
        DPO = "dpo", "DPO"  # on preferences, against a frozen reference
        KTO = "kto", "KTO"  # on labels or preferences, against a frozen reference
        ORPO = "orpo", "ORPO"  # on preferences
        SIMPO = "simpo", "SimPO"  # on preferences
        PPO = "ppo", "PPO"  # on prompts, against a reward model and a frozen reference

    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="training_runs")
    name = models.CharField(max_length=120)
    algorithm = models.CharField(max_length=8, choices=Algorithm.choices)
    config = models.JSONField(default=dict)  # the fields of the algorithm's configuration dataclass
    seed = models.PositiveBigIntegerField(default=0)
    dataset = models.ForeignKey(Dataset, null=True, blank=True, on_delete=models.PROTECT, related_name="training_runs")
    prompt_set = models.ForeignKey(
        PromptSet, null=True, blank=True, on_delete=models.PROTECT, related_name="training_runs"
    )
    init_model = models.ForeignKey(
        LanguageModel, null=True, blank=True, on_delete=models.PROTECT, related_name="descendant_runs"
    )
    reward_model = models.ForeignKey(
        LanguageModel, null=True, blank=True, on_delete=models.PROTECT, related_name="rewarded_runs"
    )
    held_out_reward_model = models.ForeignKey(
        LanguageModel, null=True, blank=True, on_delete=models.PROTECT, related_name="judged_runs"
    )  # only measures, at evaluations
    spec_sha256 = models.CharField(max_length=64, blank=True)  # of spec.json, once written
    data_report = models.ForeignKey(
        "DataReport", null=True, blank=True, on_delete=models.SET_NULL, related_name="training_runs"
    )
    estimate = models.JSONField(default=dict, blank=True)  # training.algorithms.estimate, before it started
    provenance = models.JSONField(default=dict, blank=True)  # training.provenance, when it started

    task_name: ClassVar[str] = "training.tasks.run_training"
    queue: ClassVar[str] = "gpu"

    objects = TrainingRunQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at", "-pk"]
        constraints = [
            models.CheckConstraint(
                condition=Q(algorithm="ppo") ^ Q(prompt_set=None), name="exactly_ppo_trains_on_a_prompt_set"
            ),
            models.CheckConstraint(
                condition=Q(algorithm="ppo") ^ Q(reward_model=None), name="exactly_ppo_has_a_reward_model"
            ),
            models.CheckConstraint(
                condition=Q(algorithm="ppo") | Q(held_out_reward_model=None), name="only_ppo_has_a_held_out_judge"
            ),
            models.CheckConstraint(
                condition=Q(algorithm="ppo") ^ Q(dataset__isnull=False), name="all_but_ppo_train_on_a_dataset"
            ),
            models.CheckConstraint(
                condition=Q(algorithm="sft") | Q(init_model__isnull=False), name="only_sft_may_start_fresh"
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def folder(self) -> Path:
        """The run directory."""
        return Path(settings.RUNS_DIR) / str(self.pk)


class DataReport(Job):
    """What data look like to an algorithm before it is trained on them. Its key names all that it depends on."""

    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="data_reports")
    algorithm = models.CharField(max_length=8, choices=TrainingRun.Algorithm.choices)
    dataset = models.ForeignKey(Dataset, null=True, blank=True, on_delete=models.CASCADE, related_name="data_reports")
    prompt_set = models.ForeignKey(
        PromptSet, null=True, blank=True, on_delete=models.CASCADE, related_name="data_reports"
    )
    model = models.ForeignKey(
        LanguageModel, null=True, blank=True, on_delete=models.CASCADE, related_name="data_reports"
    )  # whose tokenizer counts; null: characters alone
    max_prompt_tokens = models.PositiveIntegerField()
    max_completion_tokens = models.PositiveIntegerField()
    key = models.CharField(max_length=64, unique=True)  # SHA-256 over algorithm, data, model and limits
    report = models.JSONField(default=dict, blank=True)  # training.algorithms.data_report

    task_name: ClassVar[str] = "training.tasks.run_data_report"

    objects = WorkspaceQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at", "-pk"]
        constraints = [
            models.CheckConstraint(
                condition=Q(dataset__isnull=False) ^ Q(prompt_set__isnull=False), name="a_report_is_on_one_thing"
            ),
        ]

    def __str__(self) -> str:
        return f"report on {self.dataset or self.prompt_set}"


class Metric(models.Model):
    """The numbers of one step, as the training process wrote them."""

    class Kind(models.TextChoices):
        STEP = "step", "Step"  # measured on the batch of a training step
        EVALUATION = "evaluation", "Evaluation"  # measured on held-out rows

    run = models.ForeignKey(TrainingRun, on_delete=models.CASCADE, related_name="metrics")
    kind = models.CharField(max_length=12, choices=Kind.choices)
    step = models.PositiveIntegerField()
    values = models.JSONField()  # {"loss": …, "accuracy": …}
    recorded_at = models.DateTimeField()

    objects = OfRunQuerySet.as_manager()

    class Meta:
        ordering = ["run", "step"]
        constraints = [
            # A resumed run repeats the steps after its checkpoint: the newer numbers replace the older.
            models.UniqueConstraint(fields=["run", "kind", "step"], name="one_metric_row_per_step"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.step} of {self.run_id}"


class SampleText(models.Model):
    """What the policy said to a fixed prompt at some step."""

    run = models.ForeignKey(TrainingRun, on_delete=models.CASCADE, related_name="sample_texts")
    step = models.PositiveIntegerField()
    prompt = models.TextField()
    text = models.TextField(blank=True)

    objects = OfRunQuerySet.as_manager()

    class Meta:
        ordering = ["run", "step", "pk"]
        constraints = [
            models.UniqueConstraint(fields=["run", "step", "prompt"], name="one_sample_per_step_and_prompt"),
        ]

    def __str__(self) -> str:
        return f"sample at step {self.step} of {self.run_id}"


class Checkpoint(models.Model):
    """Weights that a training run left; publishing one makes it a language model."""

    run = models.ForeignKey(TrainingRun, on_delete=models.CASCADE, related_name="checkpoints")
    step = models.PositiveIntegerField()
    path = models.CharField(max_length=1000)  # relative to the run directory
    manifest_sha256 = models.CharField(max_length=64)
    is_final = models.BooleanField(default=False)
    language_model = models.OneToOneField(
        LanguageModel, null=True, blank=True, on_delete=models.SET_NULL, related_name="checkpoint"
    )
    created_at = models.DateTimeField(auto_now_add=True)

    objects = OfRunQuerySet.as_manager()

    class Meta:
        ordering = ["run", "step"]
        constraints = [
            models.UniqueConstraint(fields=["run", "step"], name="one_checkpoint_per_step"),
        ]

    def __str__(self) -> str:
        return f"step {self.step} of {self.run_id}"

    @property
    def folder(self) -> Path:
        return self.run.folder / self.path


class Retraining(Job):
    """A run trained again on a dataset that was frozen without some annotators."""

    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="retrainings")
    name = models.CharField(max_length=120)  # of the new run
    origin = models.ForeignKey(TrainingRun, on_delete=models.CASCADE, related_name="retrainings")
    excluded = models.ManyToManyField(Annotator, related_name="+")  # left out
    dataset = models.OneToOneField(
        Dataset, null=True, blank=True, on_delete=models.SET_NULL, related_name="retraining"
    )  # null: not frozen yet
    run = models.OneToOneField(
        TrainingRun, null=True, blank=True, on_delete=models.SET_NULL, related_name="retraining"
    )  # the new one; null: not started yet
    changes = models.JSONField(default=dict, blank=True)  # training.dataset_changes: counts of rows

    task_name: ClassVar[str] = "training.tasks.run_retraining"

    objects = WorkspaceQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at", "-pk"]

    def __str__(self) -> str:
        return self.name
