"""Reads of evaluation runs and results."""

from accounts.querysets import VisibleMixin, WorkspaceQuerySet


class EvaluationRunQuerySet(WorkspaceQuerySet):
    """Reads of evaluation runs."""


class OfRunQuerySet(VisibleMixin):
    """Results and judged pairs reach their workspace through their run."""

    workspace_path = "run__workspace"


class PairCallQuerySet(VisibleMixin):
    """Calls reach their workspace through their pair."""

    workspace_path = "pair__run__workspace"
