"""Beat's schedule in the admin's style, and the devices of all machines."""

from typing import Any

from django.contrib import admin
from django_celery_beat import models
from django_celery_beat.admin import ClockedScheduleAdmin as BaseClockedScheduleAdmin
from django_celery_beat.admin import CrontabScheduleAdmin as BaseCrontabScheduleAdmin
from django_celery_beat.admin import PeriodicTaskAdmin as BasePeriodicTaskAdmin
from unfold.admin import ModelAdmin

from core.models import Device, DeviceWait

for model in (
    models.PeriodicTask,
    models.IntervalSchedule,
    models.CrontabSchedule,
    models.SolarSchedule,
    models.ClockedSchedule,
):
    admin.site.unregister(model)


@admin.register(models.PeriodicTask)
class PeriodicTaskAdmin(BasePeriodicTaskAdmin, ModelAdmin):
    """What is rung, and when."""


@admin.register(models.CrontabSchedule)
class CrontabScheduleAdmin(BaseCrontabScheduleAdmin, ModelAdmin):
    """Times of the week."""


@admin.register(models.ClockedSchedule)
class ClockedScheduleAdmin(BaseClockedScheduleAdmin, ModelAdmin):
    """One moment."""


@admin.register(models.IntervalSchedule, models.SolarSchedule)
class ScheduleAdmin(ModelAdmin):
    """Every so often."""


class SeenAdmin(ModelAdmin):
    """Rows that workers write. Deleting one does no harm: it is written again when a worker looks for a device."""

    def has_add_permission(self, *_: Any) -> bool:
        return False

    def has_change_permission(self, *_: Any) -> bool:
        return False


@admin.register(Device)
class DeviceAdmin(SeenAdmin):
    """What heavy jobs compute on, and who holds it."""

    list_display = ("name", "kind", "host", "holder", "leased_at", "leased_until", "seen_at")
    list_filter = ("kind", "host")
    search_fields = ("key", "name", "host")


@admin.register(DeviceWait)
class DeviceWaitAdmin(SeenAdmin):
    """Jobs that found no free device."""

    list_display = ("holder", "num_wanted", "since", "expires_at")
