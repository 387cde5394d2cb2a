"""Reads of prompts, models and completions."""

from typing import TYPE_CHECKING, Self

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


class SamplingRunQuerySet(WorkspaceQuerySet):
    """Reads of sampling runs."""

    def with_arms(self) -> Self:
        return self.prefetch_related("arms__model")


class RevisionQuerySet(VisibleMixin):
    """Revisions reach their workspace through their run."""

    workspace_path = "run__workspace"


class GuardVerdictQuerySet(VisibleMixin):
    """Verdicts reach their workspace through their run."""

    workspace_path = "run__workspace"
