"""What a running job waits for."""

from django import template

from core import device_leases
from core.models import Job

register = template.Library()


@register.filter
def waits_for(job: Job) -> str:
    """Who holds the devices that a running job could use; empty if it does not wait for one."""
    if job.status != Job.Status.RUNNING:
        return ""
    waiter = device_leases.waiting().filter(holder_model=job._meta.label, holder_id=job.pk).first()
    return device_leases.in_words(waiter) if waiter else ""
