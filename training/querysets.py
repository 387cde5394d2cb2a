"""Reads of training runs, metrics and checkpoints."""

from accounts.querysets import VisibleMixin, WorkspaceQuerySet


class TrainingRunQuerySet(WorkspaceQuerySet):
    """Reads of training runs."""


class OfRunQuerySet(VisibleMixin):
    """Rows that reach their workspace through a training run."""

    workspace_path = "run__workspace"
