"""Leases of devices: claimed in one statement, moved on with the job's heartbeat, claimable again once they expire.

A lease belongs to an attempt of a job. When a job was given to another worker, the attempt that it has there takes what
the earlier one held.
"""

from collections.abc import Sequence
from datetime import timedelta

from django.conf import settings
from django.db import connection
from django.db.models import QuerySet
from django.utils import timezone

from core.device_discovery import FoundDevice
from core.models import Device, DeviceWait, Job

# Free ones, expired ones, and those of an earlier attempt of the same job; all that are wanted, or none.
_CLAIM = """
WITH free AS MATERIALIZED (
    SELECT id FROM core_device
    WHERE key = ANY(%(keys)s) AND (
        leased_until IS NULL OR leased_until < %(now)s
        OR (holder_model = %(model)s AND holder_id = %(id)s AND attempt < %(attempt)s)
    )
    ORDER BY array_position(%(keys)s, key::text)
    LIMIT %(num)s
    FOR UPDATE SKIP LOCKED
)
UPDATE core_device AS device
SET holder_model = %(model)s, holder_id = %(id)s, attempt = %(attempt)s, leased_at = %(now)s, leased_until = %(until)s
FROM free
WHERE device.id = free.id AND (SELECT count(*) FROM free) = %(num)s
RETURNING device.key
"""
_FREE = {"holder_model": "", "holder_id": None, "attempt": None, "leased_at": None, "leased_until": None}


def register(found: Sequence[FoundDevice], *, host: str) -> None:
    """Make the devices that a worker sees known, and forget those of its host that are gone and that nobody holds."""
    now = timezone.now()
    rows = [
        Device(key=one.key, kind=one.kind, name=one.name, host=host, seen_at=now)
        for one in sorted(found, key=lambda one: one.key)
    ]
    Device.objects.bulk_create(
        rows, update_conflicts=True, unique_fields=["key"], update_fields=["kind", "name", "host", "seen_at"]
    )
    Device.objects.filter(host=host, holder_model="").exclude(key__in=[one.key for one in found]).delete()


def claim(job: Job, keys: Sequence[str], *, num: int) -> tuple[str, ...]:
    """Lease `num` of these devices to the job's attempt, the first ones of those that are free; none if too few are."""
    now = timezone.now()
    values = {
        "keys": list(keys),
        "num": num,
        "model": job._meta.label,
        "id": job.pk,
        "attempt": job.attempt,
        "now": now,
        "until": now + _duration(),
    }
    with connection.cursor() as cursor:
        cursor.execute(_CLAIM, values)
        taken = {str(key) for (key,) in cursor.fetchall()}
    return tuple(key for key in keys if key in taken)


def renew(job: Job) -> int:
    """Move the end of the attempt's leases on; returns how many it has. One that somebody else took stays theirs."""
    return held_by(job).update(leased_until=timezone.now() + _duration())


def release(job: Job) -> None:
    """Free what the attempt holds, if it still does."""
    held_by(job).update(**_FREE)


def held_by(job: Job) -> QuerySet[Device]:
    """What this attempt of the job holds."""
    return Device.objects.filter(holder_model=job._meta.label, holder_id=job.pk, attempt=job.attempt)


def wait(job: Job, keys: Sequence[str], *, num: int) -> None:
    """Let people see that the job waits; said again for as long as it does."""
    now = timezone.now()
    row = DeviceWait(
        holder_model=job._meta.label,
        holder_id=job.pk,
        num_wanted=num,
        keys=list(keys),
        since=now,
        expires_at=now + _duration(),
    )
    DeviceWait.objects.bulk_create(
        [row],
        update_conflicts=True,
        unique_fields=["holder_model", "holder_id"],
        update_fields=["num_wanted", "keys", "expires_at"],
    )


def stop_waiting(job: Job) -> None:
    """The job waits no longer."""
    DeviceWait.objects.filter(holder_model=job._meta.label, holder_id=job.pk).delete()


def waiting() -> QuerySet[DeviceWait]:
    """Jobs that wait at this moment, the longest first."""
    return DeviceWait.objects.filter(expires_at__gt=timezone.now())


def in_words(waiter: DeviceWait) -> str:
    """What a job waits for: the devices that would do, and who holds each until when."""
    held = Device.objects.filter(key__in=waiter.keys).exclude(holder_model="")
    holders = [f"{one} is held by {one.holder} until {one.leased_until:%H:%M:%S} UTC" for one in held]
    wanted = "a device" if waiter.num_wanted == 1 else f"{waiter.num_wanted} devices"
    return f"waits for {wanted}: {'; '.join(holders) or 'one was freed this moment'}"


def _duration() -> timedelta:
    """As long as a job without a heartbeat counts as alive."""
    return timedelta(seconds=settings.JOB_STALE_SECONDS)
