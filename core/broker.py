"""Celery's broker: made ready once, before several workers start at the same moment."""

from celery import current_app

QUEUES = ("light", "gpu", "serving")


def prepare() -> None:
    """Declare the queues. On the PostgreSQL transport this also creates its tables, which workers would race for."""
    with current_app.connection_for_write() as connection:
        channel = connection.channel()
        for queue in QUEUES:
            channel.queue_declare(queue=queue, durable=True, auto_delete=False)
