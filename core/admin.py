"""Beat's schedule in the admin's style."""

from django.contrib import admin
from django_celery_beat import models
from django_celery_beat.admin import ClockedScheduleAdmin as BaseClockedScheduleAdmin
from django_celery_beat.admin import CrontabScheduleAdmin as BaseCrontabScheduleAdmin
from django_celery_beat.admin import PeriodicTaskAdmin as BasePeriodicTaskAdmin
from unfold.admin import ModelAdmin

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
