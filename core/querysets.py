"""Conditions on job rows, for `filter`: every kind of job shares them."""

from datetime import datetime, timedelta

from django.db.models import Q

UNENDED = Q(status__in=("queued", "running"))


def lost(*, now: datetime, stale_seconds: float) -> Q:
    """Running rows whose worker has shown no sign of life."""
    limit = now - timedelta(seconds=stale_seconds)
    return Q(status="running") & (Q(heartbeat_at__lt=limit) | Q(heartbeat_at=None))


def unheard(*, now: datetime, seconds: float) -> Q:
    """Queued rows whose doorbell nobody has answered."""
    return Q(status="queued", queued_at__lt=now - timedelta(seconds=seconds))
