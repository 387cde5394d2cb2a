"""The reaper and the broker's housekeeping, rung by beat."""

from celery import shared_task
from django.conf import settings
from django.db import connection

from core import jobs


@shared_task
def requeue_stale_jobs() -> None:
    """Give jobs of dead workers to living ones."""
    jobs.requeue_stale()


@shared_task
def forget_delivered_messages() -> None:
    """The SQLAlchemy broker keeps delivered messages; drop those older than an hour."""
    if not settings.CELERY_BROKER_URL.startswith("sqla+"):
        return
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM kombu_message WHERE NOT visible AND sent_at < now() - interval '1 hour'")
