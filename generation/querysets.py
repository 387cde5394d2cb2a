"""Reads of prompts, models and completions."""

from typing import TYPE_CHECKING, Any, Self

from django.db import models
from django.db.models import Aggregate, Count, OuterRef, Prefetch, Q, Subquery, Sum
from django.db.models.functions import Coalesce

from accounts.querysets import VisibleMixin, WorkspaceQuerySet
from generation.splits import split_of

if TYPE_CHECKING:
    from generation.models import Prompt


class PromptQuerySet(VisibleMixin):
    """Prompts reach their workspace through their set."""

    workspace_path = "prompt_set__workspace"

    def in_split(self, split: str, *, held_out_fraction: float) -> "list[Prompt]":
        """The prompts of `"train"`, `"held_out"` or `"all"`, by fingerprint, in a stable order."""
        prompts = list(self.order_by("pk"))
        if split == "all":
            return prompts
        return [p for p in prompts if split_of(p.fingerprint, held_out_fraction) == split]


class CompletionQuerySet(VisibleMixin):
    """Completions reach their workspace through prompt and set."""

    workspace_path = "prompt__prompt_set__workspace"

    def distinct_texts(self) -> Self:
        """Without those that are marked as near-duplicates of an earlier one."""
        return self.filter(duplicate_of=None)


class Percentile(Aggregate):
    """The value that this `fraction` of a group lies below, interpolated; NULL for an empty group."""

    template = "PERCENTILE_CONT(%(fraction)s) WITHIN GROUP (ORDER BY %(expressions)s)"
    output_field = models.FloatField()


class SamplingRunQuerySet(WorkspaceQuerySet):
    """Reads of sampling runs."""

    def with_num_failed(self) -> Self:
        """`num_failed`: prompts that an arm has no completions of, with a known cause."""
        return self.annotate(num_failed=Count("failures"))

    def with_figures(self) -> Self:
        """With `num_failed`, and the arms with their figures."""
        from generation.models import SamplingArm

        arms = SamplingArm.objects.with_figures().select_related("model")
        return self.with_num_failed().prefetch_related(Prefetch("arms", arms))


class SamplingArmQuerySet(models.QuerySet[Any]):
    """Reads of arms."""

    def with_figures(self) -> Self:
        """Sums over the arm's completions; `sampling_figures` turns them into what people read."""
        from generation.models import SamplingFailure

        failures = SamplingFailure.objects.filter(arm=OuterRef("pk")).order_by()
        return self.annotate(
            num_sampled=Count("completions"),
            sum_tokens=Sum("completions__num_tokens"),
            sum_prompt_tokens=Sum("completions__num_prompt_tokens", filter=Q(completions__index=0)),
            latency_p50=Percentile("completions__latency_ms", fraction=0.5),
            latency_p95=Percentile("completions__latency_ms", fraction=0.95),
            num_failed=Coalesce(Subquery(failures.values("arm").annotate(num=Count("pk")).values("num")), 0),
        )


class SamplingFailureQuerySet(VisibleMixin):
    """Failures reach their workspace through their run."""

    workspace_path = "run__workspace"


class RevisionQuerySet(VisibleMixin):
    """Revisions reach their workspace through their run."""

    workspace_path = "run__workspace"


class GuardVerdictQuerySet(VisibleMixin):
    """Verdicts reach their workspace through their run."""

    workspace_path = "run__workspace"


class CompletionScoreQuerySet(VisibleMixin):
    """Scores reach their workspace through their run."""

    workspace_path = "run__workspace"
