"""Forgetting what judges were asked and what they replied, while every verdict and figure stays."""

from __future__ import annotations

from datetime import timedelta

from django.db.models import Q
from django.db.models.functions import Length
from django.utils import timezone

from annotation.models import JudgeCall
from annotation.querysets import JudgeCallQuerySet
from core.models import Job

CHUNK = 1000
ENDED = (Job.Status.FINISHED, Job.Status.FAILED, Job.Status.CANCELLED)


def prunable(days: int) -> JudgeCallQuerySet:
    """Calls that are older, not pruned yet, and of no run that still goes on."""
    before = timezone.now() - timedelta(days=days)
    of_ended = Q(run__status__in=ENDED) | Q(run=None, evaluation__pair__run__status__in=ENDED)
    rows: JudgeCallQuerySet = JudgeCall.objects.filter(of_ended, created_at__lt=before, pruned_at=None)
    return rows


def num_characters(days: int) -> int:
    """Of the replies that `prune` would take away."""
    return sum(prunable(days).annotate(size=Length("reply")).values_list("size", flat=True))


def prune(days: int) -> int:
    """Empty requests, replies and log-probabilities; returns of how many calls.

    Outcome, reason, tokens, latency, cost, seed and hash of the template stay, so that no figure changes. A pruned call
    serves no cache and is not read again.
    """
    num_pruned = 0
    while rows := list(prunable(days).order_by("pk").only("pk", "call")[:CHUNK]):
        for row in rows:
            row.call = {**row.call, "messages": []}
            row.reply, row.logprobs, row.pruned_at = "", [], timezone.now()
        JudgeCall.objects.bulk_update(rows, ["call", "reply", "logprobs", "pruned_at"])
        num_pruned += len(rows)
    return num_pruned
