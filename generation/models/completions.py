"""Candidate replies, and what is remarkable about them."""

from django.conf import settings
from django.db import models
from django.db.models import F, Q

from generation.models.language_models import LanguageModel
from generation.models.prompts import Prompt
from generation.models.sampling import SamplingArm, SamplingRun
from generation.querysets import CompletionQuerySet


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
