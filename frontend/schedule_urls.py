"""Addresses of schedules of training."""

from django.urls import path

from frontend.views import schedules

urlpatterns = [
    path("", schedules.schedules, name="schedules"),
    path("new/", schedules.new_schedule, name="new-schedule"),
    path("create/", schedules.create_schedule, name="create-schedule"),
    path("preview/", schedules.preview_schedule, name="preview-schedule"),
    path("<int:schedule_id>/", schedules.schedule, name="schedule"),
    path("<int:schedule_id>/dry-run/", schedules.dry_run_schedule, name="dry-run-schedule"),
    path("<int:schedule_id>/edit/", schedules.edit_schedule, name="edit-schedule"),
    path("<int:schedule_id>/change/", schedules.change_schedule, name="change-schedule"),
    path("<int:schedule_id>/pause/", schedules.pause_schedule, name="pause-schedule"),
    path("<int:schedule_id>/resume/", schedules.resume_schedule, name="resume-schedule"),
    path("<int:schedule_id>/run/", schedules.run_schedule, name="run-schedule"),
    path("<int:schedule_id>/delete/", schedules.delete_schedule, name="delete-schedule"),
    path("firings/<int:firing_id>/", schedules.firing, name="firing"),
    path("firings/<int:firing_id>/cancel/", schedules.cancel_firing, name="cancel-firing"),
    path("firings/<int:firing_id>/retry/", schedules.retry_firing, name="retry-firing"),
]
