"""Reads of evaluation runs and results."""

from accounts.querysets import VisibleMixin, WorkspaceQuerySet


class EvaluationRunQuerySet(WorkspaceQuerySet):
    """Reads of evaluation runs."""


class ResultQuerySet(VisibleMixin):
    """Results reach their workspace through their run."""

    workspace_path = "run__workspace"
